/* SPDX-License-Identifier: Apache-2.0
 * Data of some of a layer's files: read in one pass over the blob that ends at the last of them,
 * kept in a file without a name and mapped. Each file's digest is compared with the index's, so
 * nothing else is hashed.
 *
 *	layer_data_want* -> layer_data_read -> layer_data_get */
#ifndef AUDIT_LAYER_DATA_H
#define AUDIT_LAYER_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include <varve/error.h>
#include "audit/findings.h"

struct layer_file;

#define LAYER_DATA_FILE_MAX (256ULL << 20) /* bytes of a file that is looked into */
#define LAYER_DATA_MAX (1ULL << 30) /* of all of one layer */

struct layer_want {
	const struct layer_file *file; /* borrowed */
	uint64_t at; /* offset in the map */
	bool kept; /* false: over a limit */
};

struct layer_data {
	struct layer_want *items; /* in the order of wanting; owned */
	size_t count, alloc;
	uint64_t size; /* bytes of all that are kept */
	unsigned char *map; /* owned; NULL: nothing was read */
};

void layer_data_release(struct layer_data *data); /* usable with CLEANUP */
/* file: of an index, a regular file. */
void layer_data_want(struct layer_data *data, const struct layer_file *file);
/* Reads the blob, open as fd; dirfd: where the nameless file goes. May run in a thread.
 * -VARVE_E_DIGEST: the data is not what the index says. */
int layer_data_read(struct layer_data *data, int fd, const struct varve_descriptor *blob, int dirfd,
		    struct varve_error *err);
/* The i-th that was wanted; false: it was too large. Borrowed. */
bool layer_data_get(const struct layer_data *data, size_t i, struct content *ret);

#endif
