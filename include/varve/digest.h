/* SPDX-License-Identifier: Apache-2.0
 * A sha256 digest as a value (image-spec 1.1, descriptor.md, "Digests"). Inside the library digests
 * never travel as strings; text is made at the edges only. */
#ifndef VARVE_DIGEST_H
#define VARVE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	VARVE_DIGEST_SIZE = 32,
	VARVE_DIGEST_HEX = 65, /* 64 digits and NUL */
	VARVE_DIGEST_TEXT = 72, /* "sha256:", 64 digits and NUL */
};

struct varve_digest {
	unsigned char bytes[VARVE_DIGEST_SIZE]; /* all zero: no digest */
};

/* Reads "sha256:<64 lower-case digits>"; -VARVE_E_FORMAT for anything else. */
int varve_digest_parse(const char *text, struct varve_digest *ret);
/* Reads the 64 digits alone; -VARVE_E_FORMAT for anything else. */
int varve_digest_parse_hex(const char *hex, struct varve_digest *ret);
/* Writes text ("sha256:...") or the digits alone; both return the buffer. */
const char *varve_digest_text(const struct varve_digest *d, char buffer[VARVE_DIGEST_TEXT]);
const char *varve_digest_hex(const struct varve_digest *d, char buffer[VARVE_DIGEST_HEX]);
bool varve_digest_equal(const struct varve_digest *a, const struct varve_digest *b);
/* Total order by bytes, for sorting. */
int varve_digest_compare(const struct varve_digest *a, const struct varve_digest *b);
bool varve_digest_is_none(const struct varve_digest *d);

#endif
