/* SPDX-License-Identifier: Apache-2.0
 * Base64 (RFC 4648, section 4): credentials travel in it. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <varve/error.h>

struct buf;

/* Appends the padded text. */
void base64_encode(const void *data, size_t len, struct buf *out);
/* Appends the bytes; padding may be missing, white space at the end is allowed. -VARVE_E_FORMAT for
 * anything else, then out may hold a part. */
int base64_decode(const char *text, struct buf *out);

#endif
