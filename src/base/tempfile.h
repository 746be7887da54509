/* SPDX-License-Identifier: Apache-2.0
 * Atomic files: a temporary name in the same file system, fsync, rename, fsync of the directory.
 *	tempfile_begin -> write to tempfile->fd -> tempfile_commit | tempfile_abort (CLEANUP does).
 * A name is ".varve-XXXXXXXXXXXXXXXX" (random); a reader never sees it under its final name early.
 */
#ifndef BASE_TEMPFILE_H
#define BASE_TEMPFILE_H

#include <stdbool.h>
#include <sys/types.h>

struct varve_error;

struct tempfile {
	int dirfd; /* borrowed; where the temporary name lies */
	int fd; /* open for writing; -1 when there is none */
	char name[40]; /* "" when there is none */
};

#define TEMPFILE_INIT                                                                              \
	{                                                                                          \
		-1, -1, ""                                                                         \
	}

int tempfile_begin(int dirfd, mode_t mode, struct tempfile *ret, struct varve_error *err);
/* Renames to to_dirfd/name. replace=false: an existing target wins, ours is dropped, 0 is returned.
 * sync=false leaves out both fsyncs, for what can be lost (facts). */
int tempfile_commit(struct tempfile *t, int to_dirfd, const char *name, bool replace, bool sync,
		    struct varve_error *err);
void tempfile_abort(struct tempfile *t);
/* All of it for bytes in memory. */
int tempfile_write(int dirfd, const char *name, const void *data, size_t len, bool sync,
		   struct varve_error *err);
/* Fills name with a fresh random temporary name (for directories made by the caller). */
void tempfile_name(char name[40]);

#endif
