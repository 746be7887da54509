/* SPDX-License-Identifier: Apache-2.0
 * Contents that are known since they were copied from a local source. */
#include "build/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "layer/layer_walk.h"

void step_copied_release(struct step_copied *c)
{
	free(c->at);
	free(c->file);
	json_decrefp(&c->listing);
}

/* The name in the listing of what lies at path; NULL: it is not of the source. */
static const char *name_in_listing(const struct step_copied *c, const char *path)
{
	size_t len = strlen(c->at);

	if (strncmp(path, c->at, len) != 0)
		return NULL;
	if (c->file)
		return path[len] == '\0' ? c->file : NULL;
	if (len == 0)
		return path;
	return path[len] == '/' ? path + len + 1 : NULL;
}

static bool digest_of(void *cookie, const struct walk_entry *file, struct varve_digest *ret)
{
	const struct step_copied *c = cookie;
	const char *name = name_in_listing(c, file->path);
	const char *value = name ? json_optional_string(c->listing, name, "") : "";

	if (str_ends(file->path, ".pyc") ||
	    !(str_starts(value, "100644:") || str_starts(value, "100755:")))
		return false;
	return varve_digest_parse_hex(value + strlen("100644:"), ret) == 0;
}

bool step_copied_vouch(struct step *step, struct layer_vouch *ret)
{
	struct step_copied *c = &step->copied;

	if (c->source && !c->listing)
		(void)source_local_listing(step->build->sources, c->source->spec,
					   &c->source->content, &c->listing, NULL);
	*ret = (struct layer_vouch){digest_of, c};
	return c->listing != NULL;
}
