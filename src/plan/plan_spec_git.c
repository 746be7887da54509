/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_spec.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

static int set_subdirectory(struct compiler *c, json_t *spec, const struct recipe_value *value,
			    struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *clean = NULL;
	int r = spec_text(c, value, "", &text, err);

	if (r < 0)
		return r;
	clean = path_clean(text);
	if (!clean)
		return recipe_error(&value->at, err, "\"%s\" must not contain \"..\"", text);
	json_set(spec, "subdirectory", json_text(clean));
	return 0;
}

static int set_exclude(struct compiler *c, json_t *spec, const struct recipe_values *values,
		       struct varve_error *err)
{
	CLEANUP(strv_release) struct strv texts = STRV_INIT;
	CLEANUP(strv_release) struct strv patterns = STRV_INIT;
	size_t i;
	int r = spec_add_texts(c, values, &texts, err);

	for (i = 0; r == 0 && i < texts.count; i++) {
		char *clean = path_clean(texts.items[i]);

		if (!clean || *clean == '\0') {
			free(clean);
			return recipe_error(&values->items[0].at, err,
					    "\"%s\" is no pattern of paths", texts.items[i]);
		}
		strv_take(&patterns, clean);
	}
	strv_sort(&patterns);
	json_set(spec, "exclude", json_of_strv(&patterns));
	return r;
}

int spec_git(struct compiler *c, const struct recipe_source *source, json_t *spec,
	     struct varve_error *err)
{
	int r = spec_set_checked(c, spec, "url", &source->url, GRAMMAR_GIT_URL, err);

	if (r == 0 && *json_optional_string(spec, "url", "") == '\0')
		r = recipe_error(&source->url.at, err, "the url of source \"%s\" is empty",
				 source->name.text);
	if (r == 0)
		r = spec_set_checked(c, spec, "ref", &source->ref, GRAMMAR_GIT_REF, err);
	if (r == 0)
		r = spec_set_boolean(c, spec, "track", &source->track, err);
	if (r == 0)
		r = spec_set_boolean(c, spec, "submodules", &source->submodules, err);
	if (r == 0)
		r = set_subdirectory(c, spec, &source->subdirectory, err);
	return r < 0 ? r : set_exclude(c, spec, &source->exclude, err);
}
