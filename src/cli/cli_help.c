/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe.h"

enum { HELP_WIDTH = 80, HELP_COLUMN = 28 };

/* Adds text from column on, broken at spaces so that lines stay within 80 columns. */
static void add_wrapped(struct buf *out, const char *text, size_t column)
{
	size_t room = HELP_WIDTH - 1 - column;

	while (strlen(text) > room) {
		size_t cut = room;

		while (cut > 0 && text[cut] != ' ')
			cut--;
		if (cut == 0)
			break;
		buf_add(out, text, cut);
		buf_addf(out, "\n%*s", (int)column, "");
		text += cut + 1;
	}
	buf_addstr(out, text);
	buf_addc(out, '\n');
}

static void add_row(struct buf *out, const char *left, const char *right)
{
	if (strlen(left) + 2 > HELP_COLUMN)
		buf_addf(out, "%s\n%*s", left, HELP_COLUMN, "");
	else
		buf_addf(out, "%-*s", HELP_COLUMN, left);
	add_wrapped(out, right, HELP_COLUMN);
}

static void add_option(struct buf *out, const struct cli_option *option)
{
	CLEANUP(buf_release) struct buf left = BUF_INIT;

	if (option->letter)
		buf_addf(&left, "  -%c, --%s", option->letter, option->name);
	else
		buf_addf(&left, "      --%s", option->name);
	if (option->metavar)
		buf_addf(&left, " %s", option->metavar);
	add_row(out, buf_text(&left), option->help);
}

/* recipe_options_help gives "--name METAVAR<tab>help" lines. */
static void add_recipe_options(struct buf *out, const struct recipe *recipe)
{
	CLEANUP(buf_release) struct buf lines = BUF_INIT;
	char *rest, *line, *tab;

	recipe_options_help(recipe, &lines);
	if (lines.len == 0)
		return;
	buf_addf(out, "\nOptions of recipe \"%s\":\n", recipe->name.text);
	rest = lines.data;
	while ((line = strsep(&rest, "\n"))) {
		CLEANUP(free_ptr) char *left = NULL;

		if (*line == '\0')
			continue;
		tab = strchr(line, '\t');
		if (tab)
			*tab++ = '\0';
		left = xasprintf("      %s", line);
		add_row(out, left, tab ? tab : "");
	}
}

void cli_print_help(const struct cli_command *command, const struct recipe *recipe, struct buf *out)
{
	const struct cli_option *const *group, *option;

	buf_addf(out, "Usage: varve %s [OPTION]...%s%s\n\n", command->name,
		 *command->arguments ? " " : "", command->arguments);
	buf_addf(out, "%s.\n", command->summary);
	if (command->detail)
		buf_addf(out, "%s\n", command->detail);
	if (recipe)
		add_recipe_options(out, recipe);
	buf_addstr(out, "\nOptions:\n");
	for (group = command->options; *group; group++)
		for (option = *group; option->name; option++)
			add_option(out, option);
}

void cli_print_overview(struct buf *out)
{
	size_t i;

	buf_addstr(out,
		   "Usage: varve COMMAND [OPTION]... [ARGUMENT]...\n\n"
		   "Builds OCI images from recipes: no Docker, no daemon, no root.\n\nCommands:\n");
	for (i = 0; cli_commands[i]; i++)
		buf_addf(out, "  %-16s%s\n", cli_commands[i]->name, cli_commands[i]->summary);
	buf_addstr(out, "\nvarve COMMAND --help tells the options of a command; with a recipe\n"
			"(varve build RECIPE --help) also those of the recipe.\n");
}
