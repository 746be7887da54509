/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

void free_ptr(void *pointer_to_pointer)
{
	void **pointer = pointer_to_pointer;
	int saved = errno;

	if (!pointer)
		return;
	free(*pointer);
	*pointer = NULL;
	errno = saved;
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *xreallocarray(void *pointer, size_t count, size_t size)
{
	void *p = reallocarray(pointer, count ? count : 1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
	size_t n = strnlen(text, len);
	char *copy = xmalloc(n + 1);

	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	struct buf buf = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&buf, format, args);
	va_end(args);
	return buf_steal(&buf);
}

void *array_grow(void *array, size_t count, size_t *alloc, size_t item_size)
{
	size_t old = *alloc, wanted;

	if (count < old)
		return array;
	wanted = old < 4 ? 8 : old * 2;
	if (wanted <= count)
		wanted = count + 1;
	array = xreallocarray(array, wanted, item_size);
	memset((char *)array + old * item_size, 0, (wanted - old) * item_size);
	*alloc = wanted;
	return array;
}

void buf_release(struct buf *buf)
{
	if (!buf)
		return;
	free_ptr(&buf->data);
	buf->len = 0;
	buf->alloc = 0;
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_reserve(struct buf *buf, size_t extra)
{
	size_t wanted;

	if (extra > SIZE_MAX / 2 - buf->len - 1)
		abort();
	if (buf->data && buf->len + extra < buf->alloc)
		return;
	wanted = buf->len + extra + 1;
	if (wanted < buf->alloc * 2)
		wanted = buf->alloc * 2;
	if (wanted < 32)
		wanted = 32;
	buf->data = xreallocarray(buf->data, wanted, 1);
	buf->alloc = wanted;
	buf->data[buf->len] = '\0';
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	buf_reserve(buf, len);
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_addstr(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_addc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_addv(buf, format, args);
	va_end(args);
}

void buf_addv(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	size_t room;
	int n;

	buf_reserve(buf, 64);
	room = buf->alloc - buf->len;
	va_copy(again, args);
	n = vsnprintf(buf->data + buf->len, room, format, again);
	va_end(again);
	if (n < 0)
		abort();
	if ((size_t)n >= room) {
		buf_reserve(buf, (size_t)n);
		(void)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, args);
	}
	buf->len += (size_t)n;
}

char *buf_steal(struct buf *buf)
{
	char *text;

	buf_reserve(buf, 0);
	text = steal_ptr(&buf->data);
	buf->len = 0;
	buf->alloc = 0;
	return text;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

bool str_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

bool str_to_u64(const char *text, unsigned long long maximum, unsigned long long *ret)
{
	unsigned long long value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';

		if (digit > 9 || digit > maximum || value > (maximum - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

enum { NEAREST_LENGTH = 64 }; /* longer names are not compared */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t n = a < b ? a : b;

	return n < c ? n : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][NEAREST_LENGTH + 1];

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = smallest(above[j] + 1, row[j - 1] + 1,
					  above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smallest(row[j], twice[j - 2] + 1, row[j]);
		}
	}
	return rows[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word), best = len / 3 > 1 ? len / 3 : 1;
	const char *nearest = NULL;

	if (len > NEAREST_LENGTH)
		return NULL;
	for (; *candidates; candidates++) {
		size_t other = strlen(*candidates), distance;

		if (other > NEAREST_LENGTH)
			continue;
		distance = edit_distance(word, len, *candidates, other);
		if (nearest ? distance < best : distance <= best) {
			best = distance;
			nearest = *candidates;
		}
	}
	return nearest;
}
