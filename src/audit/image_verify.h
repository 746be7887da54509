/* SPDX-License-Identifier: Apache-2.0
 * Proving one image: documents, blobs, diff ids, and the names in its layers.
 *
 *	place + descriptor -> image_verify -> rows */
#ifndef AUDIT_IMAGE_VERIFY_H
#define AUDIT_IMAGE_VERIFY_H

#include <stdbool.h>
#include "audit/image_diff.h"

/* What was checked, in order. */
struct verify_rows {
	json_t *list; /* array of {"failure": WHY or null, "what": WHAT}; owned */
	bool failed; /* any row did */
	char *context; /* before each WHAT: of which image of several; NULL: none; owned */
};

void verify_rows_init(struct verify_rows *rows);
void verify_rows_release(struct verify_rows *rows); /* usable with CLEANUP */
/* why: NULL where it is in order. */
void verify_rows_add(struct verify_rows *rows, const char *what, const char *why);
/* One line each; control characters are escaped. */
void verify_rows_print(const struct verify_rows *rows, struct buf *out);
void verify_rows_print_json(const struct verify_rows *rows, struct buf *out);

/* The parts, pure: why it is not in order, or NULL. Caller frees. */
struct layer_files;
char *verify_manifest(const json_t *manifest);
char *verify_config(const json_t *config);
const char *verify_config_type(const json_t *manifest); /* not to be freed */
char *verify_entries(const struct layer_files *files);
char *verify_index_document(const json_t *index);
/* The config is of the platform that the index says. */
char *verify_platform(const json_t *entry, const json_t *config);

/* Adds a row for each check of manifest, config and layers, also after failures. ret_layers: room
 * for the entries of each layer, zeroed; NULL: they are not kept. True where each could be read. */
bool image_verify(const struct image_side *side, struct layer_files *ret_layers,
		  struct verify_rows *rows);

#endif
