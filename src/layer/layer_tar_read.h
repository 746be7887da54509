/* SPDX-License-Identifier: Apache-2.0
 * Reading the tar of a layer, whoever wrote it: v7, ustar, pax, GNU (long names, base-256 numbers).
 * Own code: libarchive converts names by the locale and normalises their Unicode, and the names of
 * a layer are bytes. Sparse files and other extensions are refused (image-spec: SHOULD NOT be
 * used). Nothing is trusted: sizes are limited, checksums verified. */
#ifndef LAYER_LAYER_TAR_READ_H
#define LAYER_LAYER_TAR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <varve/digest.h>
#include <varve/error.h>
#include "layer/layer_tar.h"
#include "layer/layer_xattr.h"

/* Where the bytes come from; fills data, less than len only at the end. */
typedef ssize_t (*tar_read_fn)(void *cookie, void *data, size_t len, struct varve_error *err);

struct layer_ahead;
struct tar_reader;

struct tar_item {
	enum tar_type type;
	const char *path; /* as written: to be cleaned; valid until the next item, as the others */
	const char *link; /* "" where there is none */
	unsigned mode;
	uint64_t uid, gid;
	uint64_t size; /* 0 for all but files */
	struct timespec mtime;
	uint64_t major, minor; /* of a device; 0 for all others */
	const struct layer_xattrs *xattrs;
	const char *oddity; /* what other readers read otherwise; NULL: nothing */
};

struct buf;
struct tar_pax;
/* What one header block, after the extended one before it, says; for those who cut a stream
 * themselves. names: two, which hold path and link, the caller's. */
int tar_item_parse(const unsigned char block[TAR_BLOCK], const struct tar_pax *pax,
		   struct buf *names, struct tar_item *ret, struct varve_error *err);
/* Whether it is a pax header of the next entry, and how long its records are. */
bool tar_block_is_extended(const unsigned char block[TAR_BLOCK], uint64_t *ret_size);

struct tar_reader *tar_reader_new(tar_read_fn read, void *cookie);
/* Before anything is read: nobody asks for the digest, and tar_reader_finish is not called. */
void tar_reader_leave_digest(struct tar_reader *t);
/* From a layer's blob; ahead is borrowed. */
struct tar_reader *tar_reader_new_ahead(struct layer_ahead *ahead);
/* 1: an item; 0: the end of the archive. Data not taken is skipped. */
int tar_reader_next(struct tar_reader *t, struct tar_item *ret, struct varve_error *err);
/* Where in the archive the item's data begins; before any of it was taken. */
uint64_t tar_reader_offset(const struct tar_reader *t);
/* The next part of the item's data, borrowed until the next call; 0 at its end. */
ssize_t tar_reader_data(struct tar_reader *t, const void **ret_data, struct varve_error *err);
/* After the end: reads what follows (padding) and gives digest and size of all bytes. */
int tar_reader_finish(struct tar_reader *t, struct varve_digest *ret_digest, uint64_t *ret_size,
		      struct varve_error *err);
/* After that: something else than zeros followed the end. */
bool tar_reader_has_trailer(const struct tar_reader *t);
void tar_reader_freep(struct tar_reader **t);

#endif
