/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <string.h>
#include "base/buf.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct buf *out)
{
	const unsigned char *at = data;
	char *to;

	buf_reserve(out, (len + 2) / 3 * 4);
	to = out->data + out->len;
	out->len += (len + 2) / 3 * 4;
	for (; len > 0; at += 3, to += 4, len -= len < 3 ? len : 3) {
		unsigned group = (unsigned)at[0] << 16;

		group |= len > 1 ? (unsigned)at[1] << 8 : 0;
		group |= len > 2 ? (unsigned)at[2] : 0;
		to[0] = letters[group >> 18];
		to[1] = letters[group >> 12 & 63];
		to[2] = (char)(len > 1 ? letters[group >> 6 & 63] : '=');
		to[3] = (char)(len > 2 ? letters[group & 63] : '=');
	}
	*to = '\0';
}

int base64_decode(const char *text, struct buf *out)
{
	size_t len = strspn(text, letters);
	size_t padding = strspn(text + len, "=");
	unsigned group = 0;

	if (padding > 2 || len % 4 == 1 || (padding > 0 && (len + padding) % 4 != 0) ||
	    text[len + padding + strspn(text + len + padding, " \t\r\n")] != '\0')
		return -VARVE_E_FORMAT;
	for (size_t i = 0; i < len; i++) {
		const char *letter = memchr(letters, text[i], sizeof(letters) - 1);

		group = group << 6 | (unsigned)(letter - letters);
		/* The bits of a byte are whole after the second, third and fourth letter. */
		if (i % 4 != 0)
			buf_addc(out, (char)(group >> (6 - i % 4 * 2)));
	}
	return 0;
}
