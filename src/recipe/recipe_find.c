/* SPDX-License-Identifier: Apache-2.0
 * Finding by name, and errors at a place. */
#include "recipe/recipe.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/cleanup.h"

bool recipe_is_image(const char *text)
{
	static const char *const transports[] = {"docker://",
						 "oci:", "oci-archive:", "docker-archive:"};

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(text, transports[i]))
			return true;
	return false;
}

const struct recipe_source *recipe_find_source(const struct recipe *recipe, const char *name)
{
	for (size_t i = 0; i < recipe->source_count; i++)
		if (str_equal(recipe->sources[i].name.text, name))
			return &recipe->sources[i];
	return NULL;
}

const struct recipe_stage *recipe_find_stage(const struct recipe *recipe, const char *name)
{
	for (size_t i = 0; i < recipe->stage_count; i++)
		if (str_equal(recipe->stages[i].name.text, name))
			return &recipe->stages[i];
	return NULL;
}

const struct recipe_option *recipe_find_option(const struct recipe *recipe, const char *name)
{
	for (size_t i = 0; i < recipe->option_count; i++)
		if (str_equal(recipe->options[i].name.text, name))
			return &recipe->options[i];
	return NULL;
}

int recipe_error(const struct recipe_place *at, struct varve_error *err, const char *format, ...)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	if (at->line > 0)
		varve_error_at(err, at->file, at->line, at->column, "%s", buf_text(&text));
	else
		varve_error_set(err, -VARVE_E_RECIPE, "%s", buf_text(&text));
	if (err)
		err->code = -VARVE_E_RECIPE;
	return -VARVE_E_RECIPE;
}
