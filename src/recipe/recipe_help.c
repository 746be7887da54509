/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_scope.h"

#include <inttypes.h>

#include "base/buf.h"

static void add_metavar(const struct recipe_option *option, struct buf *out)
{
	if (option->type == OPTION_INTEGER)
		buf_addstr(out, "N");
	else if (option->type == OPTION_JOBS)
		buf_addstr(out, "N|" RECIPE_JOBS_AUTO);
	else if (option->type == OPTION_BOOLEAN)
		buf_addstr(out, "true|false");
	else if (option->type == OPTION_STRING)
		buf_addstr(out, "VALUE");
	for (size_t i = 0; option->type == OPTION_CHOICE && i < option->choices.count; i++)
		buf_addf(out, "%s%s", i ? "|" : "", option->choices.items[i].text);
}

static void add_range(const struct recipe_option *option, struct buf *out)
{
	if (option->has_minimum && option->has_maximum)
		buf_addf(out, "%" PRId64 " to %" PRId64 ", ", option->minimum, option->maximum);
	else if (option->has_minimum)
		buf_addf(out, "%" PRId64 " or more, ", option->minimum);
	else if (option->has_maximum)
		buf_addf(out, "%" PRId64 " or less, ", option->maximum);
}

static void add_default(const struct recipe_option *option, struct buf *out)
{
	buf_addc(out, '(');
	add_range(option, out);
	if (!option->value.text)
		buf_addstr(out, "required)");
	else if (option->value.text[0] == '\0')
		buf_addstr(out, "default: empty)");
	else
		buf_addf(out, "default %s)", option->value.text);
}

void option_add_help(const struct recipe_option *option, struct buf *out)
{
	for (const char *help = option->help.text; help && *help; help++) {
		if (*help == '\n' || *help == '\t')
			buf_addc(out, ' ');
		else
			buf_addc(out, *help);
	}
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

void recipe_options_help(const struct recipe *recipe, struct buf *out)
{
	for (size_t i = 0; i < recipe->option_count; i++) {
		const struct recipe_option *option = &recipe->options[i];

		buf_addf(out, "--%s ", option->name.text);
		add_metavar(option, out);
		buf_addc(out, '\t');
		if (option->help.text && option->help.text[0] != '\0') {
			option_add_help(option, out);
			buf_addc(out, ' ');
		}
		add_default(option, out);
		buf_addc(out, '\n');
	}
}
