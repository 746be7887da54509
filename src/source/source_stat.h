/* SPDX-License-Identifier: Apache-2.0
 * Digests of the files of a directory, remembered by what stat says of them: a file whose device,
 *inode, size, mtime and ctime are those of last time is not read again.
 *
 *	source_stat_open -> source_stat_digest per file -> source_stat_save | source_stat_free
 *
 * A file that was changed within the clock's granularity after it was hashed would look the same:
 *files whose mtime or ctime is less than two seconds before the moment the cache was opened, or
 *later, are hashed but not remembered. On disk (facts/stat-HEX, in this machine's byte order): fact
 *= digest magic *record ; sha256 of all that follows it magic  = "varve-stat-1" 4*NUL record = dev
 *ino size mtime-ns ctime-ns (8 bytes each) sha256 (32 bytes) ; in order of dev, ino */
#ifndef SOURCE_SOURCE_STAT_H
#define SOURCE_SOURCE_STAT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <varve/digest.h>
#include <varve/error.h>

struct source_stat;
struct varve_store;

/* path: absolute, of the directory; rules: what else tells two sources of one directory apart. A
 * fact that is absent or damaged gives an empty cache. store is borrowed. */
struct source_stat *source_stat_open(struct varve_store *store, const char *path,
				     const char *rules);
void source_stat_free(struct source_stat *cache);
void source_stat_freep(struct source_stat **cache);

/* Digest of the regular file dirfd/name, of which st was just read (not followed). Returns 0 or
 * -errno; -ESTALE where it does not hold still. */
int source_stat_digest(struct source_stat *cache, int dirfd, const char *name,
		       const struct stat *st, struct varve_digest *ret);
/* Whether the cache knows the content of a file with this stat. */
bool source_stat_find(const struct source_stat *cache, const struct stat *st,
		      struct varve_digest *ret);
bool source_stat_same(const struct stat *a, const struct stat *b);
/* Keeps what this run has seen and drops the rest; writes only where that differs from what is
 * there. A write that fails costs time at the next run only, and is no error. */
void source_stat_save(struct source_stat *cache);

/* -ESTALE: path changed while it was being read. */
int source_stat_changed(const char *path, struct varve_error *err);

#endif
