/* SPDX-License-Identifier: Apache-2.0
 * Compressed data in memory, decompressed: what members of archives and files in layers hold. */
#ifndef AUDIT_INFLATED_H
#define AUDIT_INFLATED_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

enum inflated_form {
	INFLATED_GZIP, /* all members one after the other */
	INFLATED_RAW, /* deflate without a header, as in a zip */
	INFLATED_ZSTD,
};

enum { INFLATED_LIMIT = 64 << 20 }; /* bytes that come out */

/* False: malformed, cut off, or more than the limit. */
bool inflated(enum inflated_form form, const unsigned char *data, size_t len, struct buf *ret);

#endif
