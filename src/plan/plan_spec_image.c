/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_spec.h"

#include "base/buf.h"
#include "base/cleanup.h"

int spec_image(struct compiler *c, const struct recipe_source *source, json_t *spec,
	       struct varve_error *err)
{
	int r = spec_set_checked(c, spec, "reference", &source->reference, GRAMMAR_IMAGE, err);

	if (r == 0 && *json_optional_string(spec, "reference", "") == '\0')
		r = recipe_error(&source->reference.at, err,
				 "the reference of source \"%s\" is empty", source->name.text);
	if (r == 0)
		r = spec_set_checked(c, spec, "platform", &source->platform, GRAMMAR_PLATFORM, err);
	if (r == 0 && *json_optional_string(spec, "platform", "") == '\0')
		json_set(spec, "platform", json_text(c->plan->platform));
	return r;
}
