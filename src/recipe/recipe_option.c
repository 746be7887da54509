/* SPDX-License-Identifier: Apache-2.0
 * One value of one option. */
#include "recipe/recipe_scope.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_text.h"

/* NAMES: "a, b or c". */
static void list_choices(const struct recipe_values *choices, struct buf *out)
{
	for (size_t i = 0; i < choices->count; i++) {
		if (i > 0)
			buf_addstr(out, i + 1 < choices->count ? ", " : " or ");
		buf_addstr(out, choices->items[i].text);
	}
}

static int settle_choice(const struct recipe_option *option, const char *text,
			 struct varve_error *err)
{
	CLEANUP(buf_release) struct buf list = BUF_INIT;
	CLEANUP(free_ptr) const char **names = NULL;
	CLEANUP(free_ptr) char *suggestion = NULL;

	names = xcalloc(option->choices.count + 1, sizeof(const char *));
	for (size_t i = 0; i < option->choices.count; i++) {
		names[i] = option->choices.items[i].text;
		if (str_equal(names[i], text))
			return 0;
	}
	list_choices(&option->choices, &list);
	suggestion = suggest(text, names);
	return varve_error_set(err, -VARVE_E_USAGE, "option \"%s\" is %s, not \"%s\"%s",
			       option->name.text, buf_text(&list), text, suggestion);
}

/* What the typed readings say, which know no option. */
static int bad_value(const struct recipe_option *option, struct varve_error *err)
{
	varve_error_prefix(err, "option \"%s\"", option->name.text);
	if (err)
		err->code = -VARVE_E_USAGE;
	return -VARVE_E_USAGE;
}

static int settle_integer(const struct recipe_option *option, const char *text, char **ret,
			  struct varve_error *err)
{
	const struct recipe_value nowhere = {NULL, {NULL, 0, 0}};
	int64_t number;
	int r;

	r = recipe_integer(&nowhere, text, option->has_minimum ? option->minimum : INT64_MIN,
			   option->has_maximum ? option->maximum : INT64_MAX, &number, err);
	if (r < 0)
		return bad_value(option, err);
	*ret = xasprintf("%" PRId64, number);
	return 0;
}

static int settle_boolean(const struct recipe_option *option, const char *text, char **ret,
			  struct varve_error *err)
{
	const struct recipe_value nowhere = {NULL, {NULL, 0, 0}};
	bool value;
	int r = recipe_boolean(&nowhere, text, &value, err);

	if (r < 0)
		return bad_value(option, err);
	*ret = xstrdup(value ? "true" : "false");
	return 0;
}

static int settle_jobs(const struct recipe_option *option, const char *text, char **ret,
		       struct varve_error *err)
{
	const struct recipe_value nowhere = {NULL, {NULL, 0, 0}};
	int64_t number;

	if (recipe_jobs(&nowhere, text, &number, err) < 0)
		return bad_value(option, err);
	*ret = number == 0 ? xstrdup(RECIPE_JOBS_AUTO) : xasprintf("%" PRId64, number);
	return 0;
}

int option_settle(const struct recipe_option *option, const char *text, char **ret,
		  struct varve_error *err)
{
	int r = 0;

	if (strlen(text) > TEXT_LIMIT || !text_is_valid(text, strlen(text)))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "option \"%s\": a value that is not UTF-8 or too long",
				       option->name.text);
	if (option->type == OPTION_INTEGER)
		return settle_integer(option, text, ret, err);
	if (option->type == OPTION_BOOLEAN)
		return settle_boolean(option, text, ret, err);
	if (option->type == OPTION_JOBS)
		return settle_jobs(option, text, ret, err);
	if (option->type == OPTION_CHOICE)
		r = settle_choice(option, text, err);
	if (r == 0)
		*ret = xstrdup(text);
	return r;
}
