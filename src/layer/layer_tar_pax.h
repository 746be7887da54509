/* SPDX-License-Identifier: Apache-2.0
 * The records of a pax extended header, read (grammar: layer_tar.h). */
#ifndef LAYER_LAYER_TAR_PAX_H
#define LAYER_LAYER_TAR_PAX_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <varve/error.h>
#include "base/buf.h"
#include "layer/layer_xattr.h"

/* What one entry's extended headers say; has_ members tell which. */
struct tar_pax {
	struct buf path, link; /* empty: not said */
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
	struct timespec mtime;
	struct layer_xattrs xattrs;
};

void tar_pax_release(struct tar_pax *p);
/* -VARVE_E_FORMAT for records that are malformed or say what we do not support. */
int tar_pax_parse(struct tar_pax *p, const char *records, size_t len, struct varve_error *err);

#endif
