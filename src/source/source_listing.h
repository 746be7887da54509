/* SPDX-License-Identifier: Apache-2.0
 * What a local source holds. A listing is a JSON object, its digest (of the canonical form) is the
 * source's:
 *	member = path ":" ( "100644:" sha256 | "100755:" sha256 | "120000:" target | "040000:" )
 * A file is 100755 where its owner may execute it. Directories are members only where nothing below
 * them is one. Names and targets are UTF-8. */
#ifndef SOURCE_SOURCE_LISTING_H
#define SOURCE_SOURCE_LISTING_H

#include <stddef.h>
#include "base/json.h"

struct source_ignore;
struct source_stat;

enum {
	SOURCE_LISTING_ENTRIES = 4000000,
	SOURCE_LISTING_DEPTH = 512,
	SOURCE_LISTING_PATH = 4096, /* bytes of a path, with the NUL */
};

struct source_listing {
	const struct source_ignore *ignore; /* borrowed, may be NULL */
	const char *without; /* a path that is left out, or NULL; borrowed */
	struct source_stat *cache; /* borrowed */
	json_t *files; /* the listing; owned by the caller */
};

/* Adds what lies in the directory fd. -VARVE_E_FORMAT for what no image can be given from a source:
 * sockets, fifos, devices, names that are not UTF-8; -VARVE_E_LIMIT; -ESTALE when it changes under
 * the walk. All name the path. */
int source_listing_add_directory(struct source_listing *listing, int fd, struct varve_error *err);
/* Adds the file dirfd/name (not followed) as path. */
int source_listing_add_file(struct source_listing *listing, int dirfd, const char *name,
			    const char *path, struct varve_error *err);

#endif
