/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <varve/error.h>
#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli.h"

/* Exit codes of errors, by code; what is not listed is 1. */
static const struct {
	int code, status;
} exit_codes[] = {
	{VARVE_E_USAGE, 2},   {VARVE_E_RECIPE, 2},  {VARVE_E_LOCK, 2},    {VARVE_E_HOST, 3},
	{VARVE_E_NETWORK, 4}, {VARVE_E_COMPARE, 5}, {VARVE_E_RESOLVE, 2}, {VARVE_E_CANCELLED, 130},
};

int cli_exit_code(int error_code)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(exit_codes); i++)
		if (exit_codes[i].code == -error_code)
			return exit_codes[i].status;
	return 1;
}

static int print(struct buf *text, FILE *to, int status)
{
	fputs(buf_text(text), to);
	return fflush(to) == 0 ? status : 1;
}

static int complain(const struct varve_error *err, int r)
{
	fprintf(stderr, "varve: %s\n", *err->text ? err->text : strerror(-r));
	return cli_exit_code(r);
}

static int unknown_command(const char *name)
{
	const char *names[64] = {NULL}, *nearest;
	size_t i;

	for (i = 0; cli_commands[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = cli_commands[i]->name;
	nearest = str_nearest(name, names);
	fprintf(stderr, "varve: unknown command \"%s\"\n", name);
	if (nearest)
		fprintf(stderr, "did you mean \"%s\"?\n", nearest);
	else
		fprintf(stderr, "varve --help lists the commands\n");
	return 2;
}

/* A command of one word or of two ("bundle create"); words: how many it took. */
static const struct cli_command *find_command(int argc, char **argv, int *ret_words)
{
	const struct cli_command *command = cli_find_command(argv[0]);
	CLEANUP(free_ptr) char *both = argc >= 2 ? xasprintf("%s %s", argv[0], argv[1]) : NULL;

	*ret_words = 1;
	if (command || !both)
		return command;
	*ret_words = 2;
	return cli_find_command(both);
}

/* The first word of commands that have two: which second ones there are. */
static int incomplete_command(const char *name)
{
	CLEANUP(free_ptr) char *start = xasprintf("%s ", name);
	CLEANUP(buf_release) struct buf seconds = BUF_INIT;

	for (size_t i = 0; cli_commands[i]; i++)
		if (str_starts(cli_commands[i]->name, start))
			buf_addf(&seconds, "%s%s", seconds.len ? ", " : "",
				 cli_commands[i]->name + strlen(start));
	if (seconds.len == 0)
		return unknown_command(name);
	fprintf(stderr, "varve: varve %s needs one of: %s\n", name, buf_text(&seconds));
	return 2;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
	CLEANUP(cli_release) struct cli cli = {0};
	CLEANUP(buf_release) struct buf help = BUF_INIT;
	struct varve_error err = {0};
	int r;

	r = cli_parse(command, argc, argv, &cli, &err);
	if (r < 0)
		return complain(&err, r);
	if (cli.values.help) {
		cli_print_help(command, cli.recipe, &help);
		return print(&help, stdout, 0);
	}
	r = command->run(&cli, &err);
	if (fflush(stdout) != 0 && r >= 0)
		r = varve_error_set(&err, -VARVE_E_FORMAT, "standard output cannot be written");
	return r < 0 ? complain(&err, r) : cli.status;
}

/* A standard descriptor that the caller closed must not become a file of the store. Opened for
 * reading, the outputs still fail as closed ones do. */
static int hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? fd : close(fd);
}

int main(int argc, char **argv)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct cli_command *command;
	int words;

	if (hold_standard_descriptors() < 0)
		return 1;
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		buf_addf(&text, "varve %s\n", varve_version());
		return print(&text, stdout, 0);
	}
	if (argc >= 3 && strcmp(argv[1], "help") == 0) {
		command = find_command(argc - 2, argv + 2, &words);
		if (!command)
			return incomplete_command(argv[2]);
		cli_print_help(command, NULL, &text);
		return print(&text, stdout, 0);
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		cli_print_overview(&text);
		return argc < 2 ? print(&text, stderr, 2) : print(&text, stdout, 0);
	}
	command = find_command(argc - 1, argv + 1, &words);
	if (!command)
		return incomplete_command(argv[1]);
	return run_command(command, argc - 1 - words, argv + 1 + words);
}
