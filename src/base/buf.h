/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer that always ends in a NUL, and the allocators. Running out of memory aborts
 * (sizes that come from input are checked against a limit before they reach this file). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL while empty, else NUL-terminated */
	size_t len; /* bytes without the NUL */
	size_t alloc; /* bytes allocated */
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void buf_release(struct buf *buf); /* frees the contents; usable with CLEANUP */
void buf_reset(struct buf *buf); /* length 0, memory kept */
void buf_reserve(struct buf *buf, size_t extra);
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_addstr(struct buf *buf, const char *text);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
char *buf_steal(struct buf *buf); /* the text ("" if empty); caller frees, buf is empty after */
const char *buf_text(const struct buf *buf); /* never NULL */

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *pointer, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Grows *array so that one more element fits: doubles, zeroes the new part. Use:
 *	list->items = array_grow(list->items, list->count, &list->alloc, sizeof(*list->items)); */
void *array_grow(void *array, size_t count, size_t *alloc, size_t item_size);

bool str_equal(const char *a, const char *b); /* both may be NULL; NULL equals only NULL */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
/* Reads a whole decimal number 0..maximum; false for empty text, signs, spaces, overflow. */
bool str_to_u64(const char *text, unsigned long long maximum, unsigned long long *ret);
/* The candidate nearest to word within an edit distance of a third of its length (at least 1), or
 * NULL: for "did you mean". candidates ends with NULL. */
const char *str_nearest(const char *word, const char *const *candidates);

#endif
