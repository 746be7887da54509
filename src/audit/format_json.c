/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <stdlib.h>
#include <string.h>
#include "audit/cause.h"
#include "audit/difference.h"
#include "base/cleanup.h"

enum { DEPTH_MAX = 64 };

struct element {
	char *text; /* canonical; owned */
	json_t *value; /* owned */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct element *)a)->text, ((const struct element *)b)->text);
}

static json_t *with_sorted_arrays(const json_t *value, int depth);

static json_t *sorted_array(const json_t *array, int depth)
{
	size_t count = json_array_size(array), i;
	struct element *elements = xcalloc(count + 1, sizeof(*elements));
	json_t *result = json_array(), *one;

	json_array_foreach(array, i, one)
	{
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		elements[i].value = with_sorted_arrays(one, depth + 1);
		json_canonical(elements[i].value, &text);
		elements[i].text = buf_steal(&text);
	}
	qsort(elements, count, sizeof(*elements), by_text);
	for (i = 0; i < count; i++) {
		json_append(result, elements[i].value);
		free(elements[i].text);
	}
	free(elements);
	return result;
}

/* A copy in which the order of arrays tells nothing any more. */
static json_t *with_sorted_arrays(const json_t *value, int depth)
{
	json_t *result, *one;
	const char *key;

	if (depth > DEPTH_MAX || (!json_is_array(value) && !json_is_object(value)))
		return json_deep_copy(value);
	if (json_is_array(value))
		return sorted_array(value, depth);
	result = json_object();
	json_object_foreach((json_t *)(uintptr_t)value, key, one)
		json_set(result, key, with_sorted_arrays(one, depth + 1));
	return result;
}

static bool same_but_for_arrays(const json_t *a, const json_t *b)
{
	CLEANUP(json_decrefp) json_t *left = NULL;
	CLEANUP(json_decrefp) json_t *right = NULL;

	if (json_has_real(a) || json_has_real(b))
		return false;
	left = with_sorted_arrays(a, 0);
	right = with_sorted_arrays(b, 0);
	return json_equal(left, right);
}

static void add_values(struct findings *f, const json_t *a, const json_t *b)
{
	CLEANUP(differences_release) struct differences all = {0};
	size_t i;
	json_t *one;

	differences_init(&all, false);
	difference_documents(&all, "$", a, b);
	json_array_foreach(all.list, i, one)
	{
		const char *left = json_optional_string(one, "a", NULL),
			   *right = json_optional_string(one, "b", NULL);

		findings_add(f, &(struct finding){.where = json_optional_string(one, "field", ""),
						  .a = left,
						  .b = right,
						  .rule = left && right
								  ? cause_of(left, strlen(left),
									     right, strlen(right))
								  : CURE_NONE});
	}
}

bool format_json(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(json_decrefp) json_t *left = NULL;
	CLEANUP(json_decrefp) json_t *right = NULL;
	struct varve_error unused;

	if (a->len == 0 || b->len == 0 ||
	    json_parse((const char *)a->data, a->len, a->name, &left, &unused) < 0 ||
	    json_parse((const char *)b->data, b->len, b->name, &right, &unused) < 0)
		return false;
	if (json_equal(left, right))
		findings_add(f, &(struct finding){.where = "order of members, or spaces",
						  .stamp = true,
						  .rule = CURE_JSON_ORDER});
	else if (same_but_for_arrays(left, right))
		findings_add(f, &(struct finding){.where = "order of elements of arrays",
						  .rule = CURE_LINE_ORDER});
	else
		add_values(f, left, right);
	return true;
}
