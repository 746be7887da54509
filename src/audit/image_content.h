/* SPDX-License-Identifier: Apache-2.0
 * What an image's file system holds once all its layers are laid on each other, file by file, and
 *which layer each comes from.
 *
 *	layers' blobs -> image_content_read -> struct image_content
 *
 * Texts of package databases (image_content_keeps) are kept, all other data is only passed over. */
#ifndef AUDIT_IMAGE_CONTENT_H
#define AUDIT_IMAGE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "audit/image_diff.h"
#include "base/digest.h"

struct content_file {
	char *path; /* clean; owned */
	char *link; /* target, "" where there is none; owned */
	char type; /* enum tar_type */
	unsigned layer; /* that it comes from, from 0 */
	unsigned order; /* place in that layer's tar */
	uint64_t size; /* bytes; 0 for further names of a file */
	char *text; /* kept content, ends with a NUL; NULL: not kept; owned */
	struct varve_digest sha256; /* of a file's data, when asked for */
	unsigned char sha1[SHA1_SIZE];
};

struct image_content {
	struct content_file *items; /* by path, bytewise; each path once */
	size_t count, alloc;
};

/* Every layer is read to its end; digest, size and diff id are verified. hash: with sums of all
 * files. -VARVE_E_DIGEST, -VARVE_E_FORMAT, -VARVE_E_LIMIT. */
int image_content_read(const struct image_side *side, bool hash, struct image_content *ret,
		       struct varve_error *err);
void image_content_release(struct image_content *content); /* usable with CLEANUP */

/* A file of a package database, or one that tells of a package. */
bool image_content_keeps(const char *path);

/* The same path, links not followed; NULL: there is none. */
const struct content_file *image_content_find(const struct image_content *content,
					      const char *path);
/* Links of directories on the way are followed, a link at the end is not. */
const struct content_file *image_content_resolve(const struct image_content *content,
						 const char *path);

/* --- for image_content.c ------------------------------------------------------------------------
 */
void content_file_release(struct content_file *file); /* what it owns */
/* Lays a layer's entries (in the order of its tar; taken over) on what is below. */
void image_content_lay(struct image_content *below, struct image_content *take_layer);

#endif
