/* SPDX-License-Identifier: Apache-2.0
 * How the files of a step are shared out among layers: resolved here, done by layer_divide. Wheels
 * are plan_install.c's. */
#include "plan/plan_compile.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

static int add_directory(struct compiler *c, const struct recipe_value *value,
			 struct plan_step *step, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	char *path;
	int r = compile_expand(c, value, &text, err);

	if (r < 0)
		return r;
	path = path_clean(text ? text : "");
	if (!path)
		return recipe_error(&value->at, err, "\"%s\" leads out of the image", text);
	if (strpbrk(path, "*?[") || *path == '\0')
		r = recipe_error(&value->at, err, "\"%s\" is no single directory below /", path);
	else if (strv_contains(&step->split, path))
		r = recipe_error(&value->at, err, "/%s is split off twice", path);
	strv_take(&step->split, path);
	return r;
}

int compile_split(struct compiler *c, const struct recipe_step *from, struct plan_step *step,
		  struct varve_error *err)
{
	const struct recipe_split *split = &from->split;
	CLEANUP(free_ptr) char *maximum = NULL;
	int r = compile_expand(c, &split->maximum, &maximum, err);

	if (r == 0 && maximum && *maximum)
		r = recipe_size(&split->maximum, maximum, &step->split_maximum, err);
	for (size_t i = 0; r == 0 && i < split->directories.count; i++)
		r = add_directory(c, &split->directories.items[i], step, err);
	/* The rest is a layer, too. */
	if (r == 0 && step->split.count >= PLAN_PARTS_MAX)
		r = recipe_error(&split->directories.items[0].at, err,
				 "a step can have %d layers, and these are %zu directories",
				 PLAN_PARTS_MAX, step->split.count);
	strv_sort(&step->split);
	return r;
}
