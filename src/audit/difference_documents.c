/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/difference.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { DEPTH_MAX = 64 };

/* What the parts of a config and a manifest do; the first that fits a field counts. */
static const struct {
	const char *field; /* this one, and all below it */
	enum difference_class class;
} classes[] = {
	{"config.created", DIFFERENCE_TIME},
	{"config.history", DIFFERENCE_HISTORY},
	{"index.annotations", DIFFERENCE_HISTORY},
	{"index.mediaType", DIFFERENCE_HISTORY},
	{"manifest.annotations", DIFFERENCE_HISTORY},
	{"manifest.mediaType", DIFFERENCE_HISTORY},
	{"manifest.config.mediaType", DIFFERENCE_HISTORY},
};

static enum difference_class class_of(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		size_t len = strlen(classes[i].field);

		if (str_starts(field, classes[i].field) &&
		    (!field[len] || strchr(".[", field[len])))
			return classes[i].class;
	}
	return DIFFERENCE_CONFIG;
}

/* The value in one line; NULL where there is none. Caller frees. */
static char *text_of(const json_t *value)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!value)
		return NULL;
	if (json_has_real(value))
		return xstrdup("(a real number)");
	json_canonical(value, &text);
	return buf_steal(&text);
}

static void add(struct differences *all, const char *field, const json_t *a, const json_t *b)
{
	CLEANUP(free_ptr) char *left = text_of(a);
	CLEANUP(free_ptr) char *right = text_of(b);

	differences_add(all,
			&(struct difference){
				.class = class_of(field), .field = field, .a = left, .b = right});
}

static void compare(struct differences *all, const char *field, const json_t *a, const json_t *b,
		    int depth);

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All keys of both, each once, sorted. Borrowed; caller frees the array. */
static const char **keys_of(const json_t *a, const json_t *b, size_t *ret_count)
{
	const char **keys = xcalloc(json_object_size(a) + json_object_size(b) + 1, sizeof(*keys));
	const char *key;
	json_t *value;
	size_t count = 0;

	json_object_foreach((json_t *)(uintptr_t)a, key, value) keys[count++] = key;
	json_object_foreach((json_t *)(uintptr_t)b, key, value) if (!json_object_get(a, key))
		keys[count++] = key;
	qsort((void *)keys, count, sizeof(*keys), by_text);
	*ret_count = count;
	return keys;
}

static void compare_objects(struct differences *all, const char *field, const json_t *a,
			    const json_t *b, int depth)
{
	size_t count;
	const char **keys = keys_of(a, b, &count);

	for (size_t i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *name = xasprintf("%s.%s", field, keys[i]);

		compare(all, name, json_object_get(a, keys[i]), json_object_get(b, keys[i]), depth);
	}
	free((void *)keys);
}

static void compare_arrays(struct differences *all, const char *field, const json_t *a,
			   const json_t *b, int depth)
{
	size_t left = json_array_size(a), right = json_array_size(b);

	for (size_t i = 0; i < left || i < right; i++) {
		CLEANUP(free_ptr) char *name = xasprintf("%s[%zu]", field, i);

		compare(all, name, json_array_get(a, i), json_array_get(b, i), depth);
	}
}

static void compare(struct differences *all, const char *field, const json_t *a, const json_t *b,
		    int depth)
{
	if (a && b && json_equal(a, b))
		return;
	if (depth < DEPTH_MAX && json_is_object(a) && json_is_object(b))
		compare_objects(all, field, a, b, depth + 1);
	else if (depth < DEPTH_MAX && json_is_array(a) && json_is_array(b))
		compare_arrays(all, field, a, b, depth + 1);
	else
		add(all, field, a, b);
}

void difference_documents(struct differences *all, const char *prefix, const json_t *a,
			  const json_t *b)
{
	compare(all, prefix, a, b, 0);
}
