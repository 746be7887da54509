/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_beside.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_name.h"

static int by_project(const void *a, const void *b)
{
	return strcmp(((const struct python_pin *)a)->project,
		      ((const struct python_pin *)b)->project);
}

static bool has(const struct python_pins *pins, const char *project)
{
	size_t i;

	for (i = 0; i < pins->count; i++)
		if (strcmp(pins->items[i].project, project) == 0)
			return true;
	return false;
}

static void add_all(const struct lock_source *source, struct python_pins *ret)
{
	size_t i;

	for (i = 0; i < source->count; i++) {
		const struct lock_artifact *artifact = &source->artifacts[i];
		CLEANUP(free_ptr) char *project = python_project(artifact->name);

		if (!lock_artifact_is_content(artifact) || has(ret, project))
			continue;
		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		ret->items[ret->count++] =
			(struct python_pin){steal_ptr(&project), xstrdup(artifact->version)};
	}
}

int python_beside_read(const json_t *spec, const struct lock *lock, struct python_pins *ret,
		       struct varve_error *err)
{
	const json_t *list = json_object_get(spec, "beside");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const char *name = json_optional_string(entry, "name", "");
		const struct lock_source *source;
		struct varve_digest digest;
		int r = json_get_digest(entry, "spec", &digest, err);

		if (r < 0)
			return r;
		source = lock_find(lock, name, &digest);
		if (!source)
			return varve_error_set(err, -VARVE_E_LOCK,
					       "source \"%s\" beside it is not locked", name);
		add_all(source, ret);
	}
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_project);
	return 0;
}

void python_beside_remove(const struct python_pins *beside, struct python_pins *pins)
{
	size_t i, kept = 0;

	for (i = 0; i < pins->count; i++) {
		if (!has(beside, pins->items[i].project)) {
			pins->items[kept++] = pins->items[i];
			continue;
		}
		free(pins->items[i].project);
		free(pins->items[i].version);
	}
	pins->count = kept;
}
