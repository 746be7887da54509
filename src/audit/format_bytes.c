/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <stdio.h>
#include <string.h>
#include "audit/cause.h"
#include "base/cleanup.h"

enum { BYTES_SHOWN = 8, BYTES_TEXT = 3 * BYTES_SHOWN, RUN_LEAST = 4 };

static bool is_printable(unsigned char c)
{
	return c >= ' ' && c < 0x7f;
}

/* The printable run that the byte at offset is in, or ends. */
static void run_around(const unsigned char *data, size_t len, size_t offset,
		       char text[AROUND_MAX + 1])
{
	size_t start = offset, stop = offset;

	while (start > 0 && offset - start < AROUND_MAX / 2 && is_printable(data[start - 1]))
		start--;
	while (stop < len && stop - start < AROUND_MAX && is_printable(data[stop]))
		stop++;
	if (stop - start < RUN_LEAST)
		stop = start;
	memcpy(text, data + start, stop - start);
	text[stop - start] = '\0';
}

bool around_difference(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len,
		       struct around *ret)
{
	size_t least = a_len < b_len ? a_len : b_len, at = 0;

	while (at < least && a[at] == b[at])
		at++;
	ret->offset = at;
	ret->a[0] = ret->b[0] = '\0';
	if (at == least)
		return false;
	run_around(a, a_len, at, ret->a);
	run_around(b, b_len, at, ret->b);
	return true;
}

static void bytes_text(const struct content *c, size_t at, char text[BYTES_TEXT + 1])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = at; i < c->len && i < at + BYTES_SHOWN; i++)
		used += (size_t)snprintf(text + used, 4, "%02x ", c->data[i]);
	if (used)
		text[used - 1] = '\0';
}

bool format_bytes(struct findings *f, const struct content *a, const struct content *b)
{
	struct around around;
	bool inside = around_difference(a->data, a->len, b->data, b->len, &around);
	bool words = inside && around.a[0] && around.b[0];
	char left[BYTES_TEXT + 1], right[BYTES_TEXT + 1], where[48];

	(void)snprintf(where, sizeof(where), "byte %zu", around.offset);
	bytes_text(a, around.offset, left);
	bytes_text(b, around.offset, right);
	findings_add(f, &(struct finding){.where = where,
					  .a = words     ? around.a
					       : left[0] ? left
							 : NULL,
					  .b = words      ? around.b
					       : right[0] ? right
							  : NULL,
					  .rule = words ? cause_of(around.a, strlen(around.a),
								   around.b, strlen(around.b))
							: CURE_NONE});
	return true;
}
