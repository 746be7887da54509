/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_explain.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { FILES_NAMED = 20 };

/* --- artifacts --- */
/* Several architectures, or a package twice, make a name appear more than once: match in order. */
static const json_t *find_named(const json_t *list, const json_t *like, const json_t *among)
{
	const char *name = json_optional_string(like, "name", "");
	const char *architecture = json_optional_string(like, "architecture", "");
	size_t i, skip = 0;

	for (i = 0; i < json_array_size(among) && json_array_get(among, i) != like; i++)
		if (str_equal(json_optional_string(json_array_get(among, i), "name", ""), name) &&
		    str_equal(json_optional_string(json_array_get(among, i), "architecture", ""),
			      architecture))
			skip++;
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);

		if (str_equal(json_optional_string(entry, "name", ""), name) &&
		    str_equal(json_optional_string(entry, "architecture", ""), architecture) &&
		    skip-- == 0)
			return entry;
	}
	return NULL;
}

static void add_presence(struct explain *e, const char *path, char sign, const json_t *entry)
{
	const char *version = json_optional_string(entry, "version", "");

	strv_addf(e->lines, "%s: %c %s%s%s", path, sign, json_optional_string(entry, "name", ""),
		  *version ? " " : "", version);
}

static void compare_entries(struct explain *e, const char *path, const json_t *before,
			    const json_t *after)
{
	const char *name = json_optional_string(after, "name", "");
	const char *old = json_optional_string(before, "version", "");
	const char *new = json_optional_string(after, "version", "");

	if (json_equal(before, after))
		return;
	if (!str_equal(old, new))
		strv_addf(e->lines, "%s: %s %s -> %s", path, name, old, new);
	else if (!str_equal(json_optional_string(before, "sha256", ""),
			    json_optional_string(after, "sha256", "")))
		strv_addf(e->lines, "%s: %s%s%s has other bytes", path, name, *new ? " " : "", new);
	else
		explain_change(e, path, before, after);
}

void explain_artifacts(struct explain *e, const char *path, const json_t *before,
		       const json_t *after)
{
	size_t i, lines = e->lines->count;

	for (i = 0; i < json_array_size(before); i++) {
		const json_t *old = json_array_get(before, i);
		const json_t *new = find_named(after, old, before);

		if (new)
			compare_entries(e, path, old, new);
		else
			add_presence(e, path, '-', old);
	}
	for (i = 0; i < json_array_size(after); i++) {
		const json_t *new = json_array_get(after, i);

		if (!find_named(before, new, after))
			add_presence(e, path, '+', new);
	}
	if (e->lines->count == lines)
		strv_addf(e->lines, "%s: order changed", path);
}

/* --- local directories --- */
static json_t *fetch_listing(struct explain *e, const char *text)
{
	struct varve_digest digest;

	if (!e->listing || varve_digest_parse(text, &digest) < 0)
		return NULL;
	return e->listing(e->cookie, &digest);
}

static void sorted_paths(const json_t *before, const json_t *after, struct strv *ret)
{
	const char *path;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)before, path,
			    value) if (!json_equal(value, json_object_get(after, path)))
		strv_add(ret, path);
	json_object_foreach((json_t *)(uintptr_t)after, path,
			    value) if (!json_object_get(before, path)) strv_add(ret, path);
	strv_sort(ret);
}

static const char *what_happened(const json_t *before, const json_t *after)
{
	const char *old = json_string_value(before), *new = json_string_value(after);
	const char *old_sum = old ? strchr(old, ':') : NULL;
	const char *new_sum = new ? strchr(new, ':') : NULL;

	if (!before)
		return "added";
	if (!after)
		return "removed";
	return old_sum && new_sum && strcmp(old_sum, new_sum) == 0 ? "changed its mode" : "changed";
}

bool explain_listing(struct explain *e, const char *path, const char *before, const char *after)
{
	CLEANUP(json_decrefp) json_t *old = NULL;
	CLEANUP(json_decrefp) json_t *new = NULL;
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	size_t i;

	if (*before == '\0' || strcmp(before, after) == 0)
		return false;
	old = fetch_listing(e, before);
	new = old ? fetch_listing(e, after) : NULL;
	if (!new)
		return false;
	sorted_paths(old, new, &paths);
	for (i = 0; i < paths.count && i < FILES_NAMED; i++)
		strv_addf(e->lines, "%s: %s %s", path, paths.items[i],
			  what_happened(json_object_get(old, paths.items[i]),
					json_object_get(new, paths.items[i])));
	if (paths.count > FILES_NAMED)
		strv_addf(e->lines, "%s: %zu more files differ", path, paths.count - FILES_NAMED);
	return paths.count > 0;
}
