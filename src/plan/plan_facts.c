/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char *lookup_environment(const struct compiler *c, const char *name)
{
	const char *value = c->environment ? strv_getenv(c->environment, name) : NULL;

	return value ? value : plan_environment_default(name);
}

static const char *keep(struct compiler *c, char *take_text)
{
	strv_take(&c->facts, take_text);
	return take_text;
}

static const char *fact_text(struct compiler *c, const struct plan_source *source, const char *fact)
{
	const json_t *value = source->locked ? json_object_get(source->locked->facts, fact) : NULL;

	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		return keep(c, xasprintf("%" PRId64, (int64_t)json_integer_value(value)));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return NULL;
}

static int find_by_name(const struct compiler *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->plan->sources.count; i++)
		if (str_equal(c->plan->sources.items[i].name, name))
			return (int)i;
	return PLAN_NONE;
}

/* A source whose facts are read before any step uses it joins the plan here. A debian source does
 * not: what it is locked to depends on the base that it is installed on. */
static const char *lookup_fact(struct compiler *c, const char *source, const char *fact)
{
	const struct recipe_source *from = recipe_find_source(c->recipe, source);
	int index = find_by_name(c, source);

	if (!from)
		return NULL;
	if (index == PLAN_NONE && from->kind == SOURCE_DEBIAN) {
		c->lookup_code = recipe_error(
			c->at, &c->lookup_error,
			"facts of \"%s\" are used before any step installs it", source);
		return NULL;
	}
	if (index == PLAN_NONE)
		c->lookup_code =
			compile_source(c, &from->name, source, PLAN_NONE, &index, &c->lookup_error);
	if (c->lookup_code < 0)
		return NULL;
	return c->lock ? fact_text(c, &c->plan->sources.items[index], fact) : PLAN_UNKNOWN_FACT;
}

const char *compile_lookup(void *cookie, const char *name)
{
	struct compiler *c = cookie;
	const char *dot = strchr(name, '.');
	CLEANUP(free_ptr) char *first = dot ? xstrndup(name, (size_t)(dot - name)) : NULL;

	if (!first)
		return NULL;
	if (strcmp(first, "env") == 0)
		return lookup_environment(c, dot + 1);
	return lookup_fact(c, first, dot + 1);
}
