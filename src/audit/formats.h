/* SPDX-License-Identifier: Apache-2.0
 * The formats that are looked into; one file each. All take two contents of that format that differ
 * and return false when one of them is malformed (what was added until then stays true), so that
 * the bytes are compared instead. */
#ifndef AUDIT_FORMATS_H
#define AUDIT_FORMATS_H

#include "audit/findings.h"

/* Sections by name, build id, compiler, debug link; strings in them. */
bool format_elf(struct findings *f, const struct content *a, const struct content *b);
/* Members (GNU and BSD names): dates, owners, modes, order, contents. */
bool format_ar(struct findings *f, const struct content *a, const struct content *b);
bool format_tar(struct findings *f, const struct content *a, const struct content *b);
bool format_zip(struct findings *f, const struct content *a, const struct content *b);
/* Header, and the data inside. */
bool format_gzip(struct findings *f, const struct content *a, const struct content *b);
bool format_zstd(struct findings *f, const struct content *a, const struct content *b);
/* PEP 552: magic, flags, then the source's time and size, or its hash. */
bool format_pyc(struct findings *f, const struct content *a, const struct content *b);
/* Packages and fields. */
bool format_dpkg(struct findings *f, const struct content *a, const struct content *b);
/* Values by their path. */
bool format_json(struct findings *f, const struct content *a, const struct content *b);
/* Header, and rows by table. */
bool format_sqlite(struct findings *f, const struct content *a, const struct content *b);
/* Lines. */
bool format_text(struct findings *f, const struct content *a, const struct content *b);
/* The first byte, and the words around it. Always true. */
bool format_bytes(struct findings *f, const struct content *a, const struct content *b);

/* The printable runs around the first byte that differs, NUL-terminated; "" where there is none.
 * False: one is a beginning of the other. */
enum { AROUND_MAX = 200 };
struct around {
	size_t offset; /* of the first byte that differs */
	char a[AROUND_MAX + 1], b[AROUND_MAX + 1];
};
bool around_difference(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len,
		       struct around *ret);

#endif
