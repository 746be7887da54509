/* SPDX-License-Identifier: Apache-2.0
 * The files of an image layout, wherever it lies: a directory, or one uncompressed tar. Nothing is
 * unpacked: an archive's members are found once, then read in place. Members are named by clean
 * paths ("index.json", "blobs/sha256/HEX"); no link of a directory is followed. */
#ifndef SOURCE_LAYOUT_H
#define SOURCE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct buf;
struct strv;
struct varve_store;

enum {
	LAYOUT_DOCUMENT_LIMIT = 8 << 20, /* bytes of a manifest or index */
	LAYOUT_MEMBER_LIMIT = 200000, /* members of an archive */
};

struct layout_member {
	char *path; /* clean */
	bool is_link;
	char *link; /* of a link: the member that it stands for; NULL: it leads out */
	uint64_t offset, size;
};

struct layout {
	char *path; /* of the directory or archive, for errors; owned */
	int fd;
	bool is_archive;
	struct layout_member *members; /* of an archive, sorted by path */
	size_t count, alloc;
};

#define LAYOUT_INIT                                                                                \
	{                                                                                          \
		NULL, -1, false, NULL, 0, 0                                                        \
	}

void layout_release(struct layout *layout); /* for CLEANUP */

/* Opens a directory, or an archive: whichever lies at path. A compressed archive is refused. */
int layout_open(const char *path, struct layout *ret, struct varve_error *err);

bool layout_has(const struct layout *layout, const char *member);
/* The paths of all files, sorted; in a directory those of the layout's own places only: the top,
 * blobs and blobs/sha256. */
int layout_list(const struct layout *layout, struct strv *ret, struct varve_error *err);
/* Reads a small file whole. -ENOENT names the missing one. */
int layout_read(const struct layout *layout, const char *member, size_t limit, struct buf *ret,
		struct varve_error *err);
/* Opens a file at its first byte: a descriptor of its own, and its size. */
int layout_open_member(const struct layout *layout, const char *member, int *ret_fd,
		       uint64_t *ret_size, struct varve_error *err);
/* Reads a file to its end and compares; -VARVE_E_DIGEST names it and both digests. */
int layout_verify(const struct layout *layout, const char *member,
		  const struct varve_descriptor *want, struct varve_error *err);
/* Brings a file into the store as a blob. want (may be NULL): what it must be, else -VARVE_E_DIGEST
 * naming the member and both digests. Nothing is read where the store has want already. */
int layout_import(const struct layout *layout, const char *member, struct varve_store *store,
		  const struct varve_digest *want, struct varve_descriptor *ret,
		  struct varve_error *err);
/* "blobs/sha256/HEX"; returns the buffer. */
enum { LAYOUT_BLOB = 13 + VARVE_DIGEST_HEX };
const char *layout_blob(const struct varve_digest *digest, char name[LAYOUT_BLOB]);

#endif
