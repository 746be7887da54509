/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

void strv_release(struct strv *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++)
		free_ptr(&v->items[i]);
	free_ptr(&v->items);
	v->count = 0;
	v->alloc = 0;
}

void strv_take(struct strv *v, char *take_text)
{
	v->items = array_grow(v->items, v->count + 1, &v->alloc, sizeof(*v->items));
	v->items[v->count++] = take_text;
	v->items[v->count] = NULL;
}

void strv_add(struct strv *v, const char *text)
{
	strv_take(v, xstrdup(text));
}

void strv_addf(struct strv *v, const char *format, ...)
{
	struct buf buf = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&buf, format, args);
	va_end(args);
	strv_take(v, buf_steal(&buf));
}

void strv_extend(struct strv *v, const struct strv *other)
{
	size_t count = other->count; /* other may be v */

	for (size_t i = 0; i < count; i++)
		strv_add(v, other->items[i]);
}

bool strv_contains(const struct strv *v, const char *text)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->items[i], text) == 0)
			return true;
	return false;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *v)
{
	if (v->count > 1)
		qsort(v->items, v->count, sizeof(*v->items), compare_items);
}

/* The value where item is NAME=VALUE, else NULL. */
static const char *value_of(const char *item, const char *name)
{
	size_t len = strlen(name);

	return strncmp(item, name, len) == 0 && item[len] == '=' ? item + len + 1 : NULL;
}

void strv_setenv(struct strv *v, const char *name, const char *value)
{
	CLEANUP(free_ptr) char *item = xasprintf("%s=%s", name, value);

	for (size_t i = 0; i < v->count; i++) {
		if (!value_of(v->items[i], name))
			continue;
		free(v->items[i]);
		v->items[i] = steal_ptr(&item);
		return;
	}
	strv_take(v, steal_ptr(&item));
}

const char *strv_getenv(const struct strv *v, const char *name)
{
	for (size_t i = 0; i < v->count; i++) {
		const char *value = value_of(v->items[i], name);

		if (value)
			return value;
	}
	return NULL;
}

char *strv_join(const struct strv *v, const char *separator)
{
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < v->count; i++) {
		if (i)
			buf_addstr(&buf, separator);
		buf_addstr(&buf, v->items[i]);
	}
	return buf_steal(&buf);
}
