/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock_check.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

int lock_check_text(const char *what, const char *text, struct varve_error *err)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return varve_error_set(err, -VARVE_E_LOCK, "%s holds a control character",
					       what);
	return 0;
}

int lock_check_name(const char *what, const char *name, struct varve_error *err)
{
	int r = lock_check_text(what, name, err);

	if (r == 0 && (!path_is_clean(name) || strchr(name, '/')))
		r = varve_error_set(err, -VARVE_E_LOCK, "%s \"%.100s\" is no name of a file", what,
				    name);
	return r;
}

int lock_check_from(const char *from, struct varve_error *err)
{
	const char *colon = strchr(from, ':');
	int r = lock_check_text("\"from\"", from, err);

	if (r < 0)
		return r;
	if (!colon || colon == from || strcspn(from, "/") < (size_t)(colon - from))
		return varve_error_set(err, -VARVE_E_LOCK,
				       "\"from\" is neither MIRROR:PATH nor a URL: \"%.100s\"",
				       from);
	if (str_starts(colon, "://"))
		return 0;
	if (!path_is_clean(colon + 1))
		return varve_error_set(err, -VARVE_E_LOCK, "\"from\" leaves its mirror: \"%.100s\"",
				       from);
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct lock_artifact *a = *(const struct lock_artifact *const *)left;
	const struct lock_artifact *b = *(const struct lock_artifact *const *)right;
	int r = strcmp(a->name, b->name);

	if (r == 0)
		r = strcmp(a->version, b->version);
	if (r == 0)
		r = strcmp(a->architecture, b->architecture);
	return r ? r : strcmp(a->from, b->from);
}

int lock_check_duplicates(const struct lock_source *source, long *ret_index,
			  struct varve_error *err)
{
	CLEANUP(free_ptr)
	const struct lock_artifact **sorted =
		xcalloc(source->count, sizeof(struct lock_artifact *));

	for (size_t i = 0; i < source->count; i++)
		sorted[i] = &source->artifacts[i];
	if (source->count)
		qsort(sorted, source->count, sizeof(struct lock_artifact *), compare);
	for (size_t i = 1; i < source->count; i++) {
		if (compare(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		*ret_index =
			(sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1]) - source->artifacts;
		return varve_error_set(err, -VARVE_E_LOCK, "the artifact \"%.100s\" is there twice",
				       sorted[i]->name);
	}
	return 0;
}
