/* SPDX-License-Identifier: Apache-2.0
 * Two passes: the first finds the recipe, the second reads all options, the recipe's own included.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"

struct scan {
	struct cli *cli;
	int argc, at;
	char **argv;
	bool strict; /* second pass: what is unknown is an error */
	struct varve_error *err;
};

const struct cli_command *cli_find_command(const char *name)
{
	size_t i;

	for (i = 0; cli_commands[i]; i++)
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	return NULL;
}

static const struct cli_option *find_option(const struct cli_command *command, const char *name,
					    size_t len, char letter)
{
	const struct cli_option *const *group, *option;

	for (group = command->options; *group; group++)
		for (option = *group; option->name; option++)
			if (letter ? option->letter == letter
				   : strlen(option->name) == len &&
					     strncmp(option->name, name, len) == 0)
				return option;
	return NULL;
}

static void store_value(struct cli_values *values, const struct cli_option *option,
			const char *value)
{
	void *at = (char *)values + option->offset;

	switch (option->kind) {
	case CLI_FLAG:
		*(bool *)at = true;
		break;
	case CLI_TEXT:
		free(*(char **)at);
		*(char **)at = xstrdup(value);
		break;
	case CLI_LIST:
		strv_add(at, value);
		break;
	}
}

static int unknown_option(const struct scan *scan, const char *name)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	const struct cli_option *const *group, *option;
	const struct recipe *recipe = scan->cli->recipe;
	const char *nearest;
	size_t i;

	for (group = scan->cli->command->options; *group; group++)
		for (option = *group; option->name; option++)
			strv_add(&names, option->name);
	for (i = 0; recipe && i < recipe->option_count; i++)
		strv_add(&names, recipe->options[i].name.text);
	nearest = str_nearest(name, (const char *const *)names.items);
	varve_error_set(scan->err, -VARVE_E_USAGE, "unknown option --%s", name);
	if (nearest)
		varve_error_hint(scan->err, "did you mean --%s?", nearest);
	else
		varve_error_hint(scan->err, "varve %s --help lists the options",
				 scan->cli->command->name);
	return -VARVE_E_USAGE;
}

/* The value after an option: "=VALUE" or the next argument. NULL where there is none. */
static const char *take_value(struct scan *scan, const char *inline_value)
{
	if (inline_value)
		return inline_value;
	return scan->at + 1 < scan->argc ? scan->argv[++scan->at] : NULL;
}

static int set_option(struct scan *scan, const struct cli_option *option, const char *inline_value)
{
	const char *value = NULL;

	if (option->kind != CLI_FLAG) {
		value = take_value(scan, inline_value);
		if (!value)
			return varve_error_set(scan->err, -VARVE_E_USAGE, "--%s needs a value (%s)",
					       option->name, option->metavar);
	} else if (inline_value) {
		return varve_error_set(scan->err, -VARVE_E_USAGE, "--%s takes no value",
				       option->name);
	}
	if (scan->strict)
		store_value(&scan->cli->values, option, value);
	return 0;
}

static int set_recipe_option(struct scan *scan, const char *name, size_t len,
			     const char *inline_value)
{
	CLEANUP(free_ptr) char *own = xstrndup(name, len);
	const struct recipe_option *option =
		scan->cli->recipe ? recipe_find_option(scan->cli->recipe, own) : NULL;
	const char *value;

	if (!option)
		return unknown_option(scan, own);
	if (option->type == OPTION_BOOLEAN && !inline_value)
		value = "true";
	else
		value = take_value(scan, inline_value);
	if (!value)
		return varve_error_set(scan->err, -VARVE_E_USAGE, "--%s needs a value", own);
	strv_addf(&scan->cli->values.set, "%s=%s", own, value);
	return 0;
}

static int scan_long(struct scan *scan, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	const struct cli_option *option = find_option(scan->cli->command, text, len, 0);

	if (option)
		return set_option(scan, option, equals ? equals + 1 : NULL);
	if (!scan->strict)
		return 0;
	if (scan->cli->values.help && !scan->cli->recipe)
		return 0;
	return set_recipe_option(scan, text, len, equals ? equals + 1 : NULL);
}

static int scan_short(struct scan *scan, const char *letters)
{
	const struct cli_option *option;
	int r = 0;

	for (; *letters && r == 0; letters++) {
		option = find_option(scan->cli->command, NULL, 0, *letters);
		if (!option)
			return scan->strict ? varve_error_set(scan->err, -VARVE_E_USAGE,
							      "unknown option -%c", *letters)
					    : 0;
		if (option->kind != CLI_FLAG)
			return set_option(scan, option, letters[1] ? letters + 1 : NULL);
		r = set_option(scan, option, NULL);
	}
	return r;
}

/* True when all further arguments belong to the command that is to be run inside. */
static bool is_rest(const struct scan *scan, const struct strv *positional)
{
	size_t own = scan->cli->command->has_recipe ? 2 : 1;

	return scan->cli->command->rest_is_command && positional->count >= own;
}

static int scan_all(struct scan *scan, struct strv *positional)
{
	int r = 0;

	for (scan->at = 0; scan->at < scan->argc && r == 0; scan->at++) {
		const char *text = scan->argv[scan->at];

		if (strcmp(text, "--") == 0 || is_rest(scan, positional)) {
			scan->at += strcmp(text, "--") == 0;
			while (scan->at < scan->argc)
				strv_add(positional, scan->argv[scan->at++]);
		} else if (str_starts(text, "--")) {
			r = scan_long(scan, text + 2);
		} else if (text[0] == '-' && text[1] != '\0') {
			r = scan_short(scan, text + 1);
		} else {
			strv_add(positional, text);
		}
	}
	return r;
}

static bool looks_like_recipe(const char *path)
{
	return (str_ends(path, ".yaml") || str_ends(path, ".yml") || str_ends(path, ".json")) &&
	       access(path, F_OK) == 0;
}

/* In the first pass values of the recipe's options cannot be told from arguments: a file is taken.
 */
static const char *find_recipe(const struct strv *positional)
{
	size_t i;

	for (i = 0; i < positional->count; i++)
		if (looks_like_recipe(positional->items[i]))
			return positional->items[i];
	for (i = 0; i < positional->count; i++)
		if (access(positional->items[i], F_OK) == 0)
			return positional->items[i];
	return positional->count > 0 ? positional->items[0] : NULL;
}

static bool wants_help(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int load_recipe(struct scan *scan)
{
	CLEANUP(strv_release) struct strv positional = STRV_INIT;
	const char *path;
	int r;

	r = scan_all(scan, &positional);
	if (r < 0)
		return r;
	path = find_recipe(&positional);
	if (!path && access("varve.yaml", R_OK) == 0)
		path = "varve.yaml";
	if (!path) {
		varve_error_set(scan->err, -VARVE_E_USAGE, "varve %s needs a recipe",
				scan->cli->command->name);
		varve_error_hint(scan->err, "usage: varve %s [OPTION]... %s",
				 scan->cli->command->name, scan->cli->command->arguments);
		return -VARVE_E_USAGE;
	}
	scan->cli->recipe_path = xstrdup(path);
	return session_load_recipe(path, &scan->cli->recipe, scan->err);
}

/* Leaves what is not the recipe's path in cli->arguments, and checks their number. */
static int take_arguments(struct cli *cli, const struct strv *positional, struct varve_error *err)
{
	bool dropped = cli->recipe_path == NULL;
	int count;
	size_t i;

	for (i = 0; i < positional->count; i++) {
		if (!dropped && strcmp(positional->items[i], cli->recipe_path) == 0)
			dropped = true;
		else
			strv_add(&cli->arguments, positional->items[i]);
	}
	count = (int)cli->arguments.count;
	if (count >= cli->command->minimum &&
	    (cli->command->maximum < 0 || count <= cli->command->maximum))
		return 0;
	if (count > cli->command->maximum && cli->command->maximum >= 0)
		varve_error_set(err, -VARVE_E_USAGE, "unexpected argument \"%s\"",
				cli->arguments.items[cli->command->maximum]);
	else
		varve_error_set(err, -VARVE_E_USAGE, "an argument is missing");
	varve_error_hint(err, "usage: varve %s [OPTION]... %s", cli->command->name,
			 cli->command->arguments);
	return -VARVE_E_USAGE;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *ret,
	      struct varve_error *err)
{
	CLEANUP(strv_release) struct strv positional = STRV_INIT;
	struct scan scan = {.cli = ret, .argc = argc, .argv = argv, .err = err};
	bool help = !command->rest_is_command && wants_help(argc, argv);
	int r = 0;

	*ret = (struct cli){.command = command};
	for (int i = 0; i < argc; i++)
		strv_add(&ret->words, argv[i]);
	if (command->rest_is_command && argc > 0)
		help = strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0;
	if (command->has_recipe)
		r = load_recipe(&scan);
	if (help) {
		ret->values.help = true;
		return 0;
	}
	if (r < 0)
		return r;
	scan.strict = true;
	r = scan_all(&scan, &positional);
	return r < 0 ? r : take_arguments(ret, &positional, err);
}

void cli_release(struct cli *cli)
{
	const struct cli_option *const *group, *option;

	for (group = cli->command ? cli->command->options : NULL; group && *group; group++)
		for (option = *group; option->name; option++) {
			void *at = (char *)&cli->values + option->offset;

			if (option->kind == CLI_TEXT) {
				free(*(char **)at);
				*(char **)at = NULL;
			} else if (option->kind == CLI_LIST) {
				strv_release(at);
			}
		}
	strv_release(&cli->values.set);
	strv_release(&cli->arguments);
	strv_release(&cli->words);
	free(cli->recipe_path);
	recipe_free(cli->recipe);
	*cli = (struct cli){0};
}
