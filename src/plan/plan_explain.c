/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_explain.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { VALUE_WIDTH = 200, EXPLAIN_LINES = 1000 };

/* A value in short: strings and structures as JSON, absent ones in words. */
static char *value_text(const json_t *value)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!value)
		return xstrdup("(not there)");
	json_canonical(value, &text);
	if (text.len <= VALUE_WIDTH)
		return buf_steal(&text);
	return xasprintf("%.*s...", VALUE_WIDTH, buf_text(&text));
}

void explain_change(struct explain *e, const char *path, const json_t *before, const json_t *after)
{
	CLEANUP(free_ptr) char *old = value_text(before);
	CLEANUP(free_ptr) char *new = value_text(after);

	if (e->lines->count < EXPLAIN_LINES)
		strv_addf(e->lines, "%s: %s -> %s", path, old, new);
}

/* --- lists --- */
static bool is_named_list(const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_object_get(json_array_get(list, i), "name")))
			return false;
	return json_array_size(list) > 0;
}

static bool holds(const json_t *list, const json_t *value)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

/* Lists whose elements stand for themselves: what came and what went. */
static void explain_set(struct explain *e, const char *path, const json_t *before,
			const json_t *after)
{
	size_t i, lines = e->lines->count;

	for (i = 0; i < json_array_size(before); i++) {
		CLEANUP(free_ptr) char *text = value_text(json_array_get(before, i));

		if (!holds(after, json_array_get(before, i)))
			strv_addf(e->lines, "%s: - %s", path, text);
	}
	for (i = 0; i < json_array_size(after); i++) {
		CLEANUP(free_ptr) char *text = value_text(json_array_get(after, i));

		if (!holds(before, json_array_get(after, i)))
			strv_addf(e->lines, "%s: + %s", path, text);
	}
	if (e->lines->count == lines)
		strv_addf(e->lines, "%s: order changed", path);
}

static const char *line_at(const char *text, size_t number, size_t *ret_len)
{
	for (; text && number > 0; number--) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	*ret_len = text ? strcspn(text, "\n") : 0;
	return text;
}

/* A script: the first line that differs says more than the whole. */
static void explain_script(struct explain *e, const char *path, const char *before,
			   const char *after)
{
	size_t number, old_len, new_len;

	for (number = 0;; number++) {
		const char *old = line_at(before, number, &old_len);
		const char *new = line_at(after, number, &new_len);
		CLEANUP(json_decrefp) json_t *left = NULL;
		CLEANUP(json_decrefp) json_t *right = NULL;
		CLEANUP(free_ptr) char *where = NULL;

		if (old && new &&old_len == new_len && strncmp(old, new, old_len) == 0)
			continue;
		left = old ? json_stringn(old, old_len) : NULL;
		right = new ? json_stringn(new, new_len) : NULL;
		where = xasprintf("%s line %zu", path, number + 1);
		explain_change(e, where, left, right);
		return;
	}
}

static void explain_list(struct explain *e, const char *path, const json_t *before,
			 const json_t *after)
{
	size_t i;

	if (json_array_size(before) != json_array_size(after)) {
		explain_set(e, path, before, after);
		return;
	}
	for (i = 0; i < json_array_size(after); i++) {
		CLEANUP(free_ptr) char *element = xasprintf("%s[%zu]", path, i);

		explain_value(e, element, json_array_get(before, i), json_array_get(after, i));
	}
}

/* --- objects --- */
static const char *digest_of(const json_t *object)
{
	return json_optional_string(object, "digest", "");
}

static bool has_artifacts(const json_t *before, const json_t *after)
{
	return json_object_get(before, "artifacts") && json_object_get(after, "artifacts");
}

/* Members that only repeat what another one says better. */
static bool is_repetition(const char *path, const json_t *before, const json_t *after,
			  const char *key)
{
	if (strcmp(key, "digest") == 0)
		return has_artifacts(before, after);
	return strcmp(path, "environment") == 0 && strcmp(key, "SOURCE_DATE_EPOCH") == 0;
}

static void sorted_keys(const json_t *before, const json_t *after, struct strv *ret)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)before, key, value) strv_add(ret, key);
	json_object_foreach((json_t *)(uintptr_t)after, key,
			    value) if (!json_object_get(before, key)) strv_add(ret, key);
	strv_sort(ret);
}

static void explain_object(struct explain *e, const char *path, const json_t *before,
			   const json_t *after)
{
	CLEANUP(strv_release) struct strv keys = STRV_INIT;
	size_t i;

	if (!has_artifacts(before, after) &&
	    explain_listing(e, path, digest_of(before), digest_of(after)))
		return;
	sorted_keys(before, after, &keys);
	for (i = 0; i < keys.count; i++) {
		const char *key = keys.items[i];
		CLEANUP(free_ptr) char *member = xasprintf("%s%s%s", path, *path ? "." : "", key);

		if (!is_repetition(path, before, after, key))
			explain_value(e, member, json_object_get(before, key),
				      json_object_get(after, key));
	}
}

/* Two values of one type that are better told by their parts; false for others. */
static bool explain_parts(struct explain *e, const char *path, const json_t *before,
			  const json_t *after)
{
	if (json_is_object(after))
		explain_object(e, path, before, after);
	else if (json_is_array(after) && is_named_list(before) && is_named_list(after))
		explain_artifacts(e, path, before, after);
	else if (json_is_array(after))
		explain_list(e, path, before, after);
	else if (json_is_string(after) && strchr(json_string_value(after), '\n'))
		explain_script(e, path, json_string_value(before), json_string_value(after));
	else
		return false;
	return true;
}

void explain_value(struct explain *e, const char *path, const json_t *before, const json_t *after)
{
	bool alike = before && after && json_typeof(before) == json_typeof(after);

	if (json_equal(before, after))
		return;
	if (!alike || !explain_parts(e, path, before, after))
		explain_change(e, path, before, after);
}

void plan_explain(const json_t *before, const json_t *after, plan_listing listing, void *cookie,
		  struct strv *ret_lines)
{
	struct explain e = {.listing = listing, .cookie = cookie, .lines = ret_lines};

	if (!before)
		strv_add(ret_lines, "there is no earlier record of this step");
	else
		explain_value(&e, "", before, after);
}
