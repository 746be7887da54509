/* SPDX-License-Identifier: Apache-2.0
 * What the files of this directory share: the open store, writing whole files, ages, sizes. */
#ifndef STORE_STORE_STATE_H
#define STORE_STORE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "store/digest_set.h"
#include "store/store.h"

enum {
	STORE_DAY = 24 * 60 * 60,
	STORE_NAME = 255, /* bytes of a file name */
	STORE_BOOT_ID = 64, /* bytes of a boot id with room */
};

struct varve_store {
	char *path; /* absolute, without symlinks */
	int dirfd; /* of path */
	int lock_fd; /* lock/store, held shared */
	int blobs_fd; /* blobs/sha256 */
	int tmp_fd; /* tmp, -1 until something is written */
	struct digest_set verified; /* blobs whose bytes this process has hashed */
	char boot[STORE_BOOT_ID]; /* the kernel's, "" when it is not told */
	bool flush_tried; /* store_tree_open has looked at flushing trees to the disk */
	struct varve_store *work; /* where trees and jobs of steps are: itself, or its scratch */
	bool is_scratch; /* one of store_scratch.c: without blobs, records and index */
};
/* One that is not open; varve_store_close frees it. */
struct varve_store *store_alloc(void);

/* --- store_file.c ------------------------------------------------------------------------------
 */
/* A temporary file in tmp/, held by a lock of its own: store_sweep removes those of the dead. */
int store_temp_begin(struct varve_store *store, mode_t mode, struct tempfile *ret,
		     struct varve_error *err);
/* tempfile_commit under that lock. */
int store_temp_commit(struct tempfile *t, int to_dirfd, const char *name, bool replace, bool sync,
		      struct varve_error *err);
/* Puts a file with these bytes to DIR/NAME, replacing what is there; DIR is made. */
struct store_file {
	const char *dir, *name;
	const void *data;
	size_t len;
	bool sync; /* false: for facts */
};
int store_put_file(struct varve_store *store, const struct store_file *file,
		   struct varve_error *err);
/* Reads the 64 digits that a file's name is up to its first dot. */
bool store_digest_of_name(const char *name, struct varve_digest *ret);
/* Sets the mtime to now when it is older than a day, so that reading costs no write. */
void store_touch(int fd, const struct stat *st);
/* Seconds since the last write; 0 for times to come. */
uint64_t store_age(const struct stat *st);
/* Adds the names in a directory of the store, sorted. Names are read before they are acted on: a
 * directory that changes while it is read shows what it likes. Returns 0 or -errno. */
int store_list(const struct varve_store *store, const char *path, struct strv *ret);
/* Moves PATH out of sight (tmp/dead-RANDOM) in one rename, then removes it: a directory never shows
 * half removed under its name. */
int store_discard(struct varve_store *store, const char *path, struct varve_error *err);

/* --- store_du.c --------------------------------------------------------------------------------
 */
/* Names already met of files that have more than one. Zero-initialised. */
struct store_seen {
	struct digest_set inodes; /* device, inode number and how many of its names, in the digest's
				     bytes */
};
void store_seen_release(struct store_seen *seen);
/* A file of several names counts under the first that is met, or (what is freed when all that is
 * counted goes) under the last of all that it has. */
enum store_counting { STORE_COUNT_USED, STORE_COUNT_FREED };
/* Adds the bytes on disk of PATH and all below; what cannot be read is left out. */
void store_count_tree(const struct varve_store *store, const char *path, enum store_counting way,
		      struct store_seen *seen, uint64_t *bytes);

/* --- store_tree.c ------------------------------------------------------------------------------
 */
/* Says whether the tree in this directory can be trusted (see there: trees and power loss). */
bool store_tree_is_sound(const struct varve_store *store, int tree_dirfd);
void store_tree_find_boot(struct varve_store *store); /* fills boot */

/* --- store_mark.c ------------------------------------------------------------------------------
 */
/* What gc keeps. */
struct store_marks {
	struct digest_set blobs;
	struct digest_set diff_ids; /* trees */
	struct digest_set keys; /* records */
};
void store_marks_release(struct store_marks *marks);
/* Marks from index.json, records and roots younger than keep_seconds. Removes nothing. */
int store_mark(struct varve_store *store, uint64_t keep_seconds, struct store_marks *ret,
	       struct varve_error *err);

#endif
