/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_choices.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/strv.h"
#include "cli/cli_options.h"
#include "cli/stop_signals.h"
#include "recipe/recipe.h"

enum { CHOICES = 256, READ_AT_ONCE = 64 << 10, TICK = 200 /* ms */ };

/* One run. */
struct choice {
	char *settings; /* "NAME=VALUE NAME=VALUE", as it is shown; owned */
	struct strv set; /* the same, one by one */
	pid_t pid; /* 0: not started, or reaped */
	int output, error; /* pipes from it; -1: ended */
	struct buf result, line; /* stdout; the begun line of stderr */
	int status;
};

struct choices {
	struct choice *items;
	size_t count;
};

static void choices_release(struct choices *choices)
{
	for (size_t i = 0; i < choices->count; i++) {
		struct choice *choice = &choices->items[i];

		free(choice->settings);
		strv_release(&choice->set);
		fd_close(&choice->output);
		fd_close(&choice->error);
		buf_release(&choice->result);
		buf_release(&choice->line);
	}
	free(choices->items);
}

/* --- which ---------------------------------------------------------------------------------------
 */

static int values_of(const struct recipe *recipe, const char *name, struct strv *ret,
		     struct varve_error *err)
{
	const struct recipe_option *option = recipe_find_option(recipe, name);

	if (!option)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--all %s: the recipe has no such option", name);
	for (size_t i = 0; i < option->choices.count; i++)
		strv_add(ret, option->choices.items[i].text);
	if (option->type == OPTION_BOOLEAN) {
		strv_add(ret, "false");
		strv_add(ret, "true");
	}
	if (ret->count == 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--all %s: the values of this option cannot be listed",
				       name);
	return 0;
}

/* Each one of before, with each value. */
static int multiply(struct choices *choices, const char *name, const struct strv *values,
		    struct varve_error *err)
{
	struct choices next = {xcalloc(choices->count * values->count + 1, sizeof(*next.items)), 0};

	if (choices->count * values->count > CHOICES) {
		free(next.items);
		return varve_error_set(err, -VARVE_E_USAGE, "--all: more than %d combinations",
				       CHOICES);
	}
	for (size_t i = 0; i < choices->count; i++)
		for (size_t k = 0; k < values->count; k++) {
			struct choice *choice = &next.items[next.count++];

			choice->output = choice->error = -1;
			strv_extend(&choice->set, &choices->items[i].set);
			strv_addf(&choice->set, "%s=%s", name, values->items[k]);
		}
	choices_release(choices);
	*choices = next;
	return 0;
}

static int list(const struct cli *cli, struct choices *ret, struct varve_error *err)
{
	const struct strv *names = &cli->values.all_of;
	int r = 0;

	ret->items = xcalloc(1, sizeof(*ret->items));
	ret->items[0].output = ret->items[0].error = -1;
	ret->count = 1;
	for (size_t i = 0; i < names->count && r == 0; i++) {
		CLEANUP(strv_release) struct strv values = STRV_INIT;

		r = values_of(cli->recipe, names->items[i], &values, err);
		if (r == 0)
			r = multiply(ret, names->items[i], &values, err);
	}
	for (size_t i = 0; i < ret->count && r == 0; i++)
		ret->items[i].settings = strv_join(&ret->items[i].set, " ");
	return r;
}

/* --- running -------------------------------------------------------------------------------------
 */

/* The same words, but for --all. */
static void arguments_of(const struct cli *cli, const struct choice *choice, struct strv *ret)
{
	CLEANUP(free_ptr) char *self = realpath("/proc/self/exe", NULL);

	strv_add(ret, self ? self : "/proc/self/exe");
	strv_add(ret, "build");
	for (size_t i = 0; i < cli->words.count; i++) {
		if (strcmp(cli->words.items[i], "--all") == 0)
			i++;
		else if (!str_starts(cli->words.items[i], "--all="))
			strv_add(ret, cli->words.items[i]);
	}
	for (size_t i = 0; i < choice->set.count; i++)
		strv_addf(ret, "--set=%s", choice->set.items[i]);
	if (!cli->values.progress)
		strv_add(ret, "--progress=plain");
}

static int start(const struct cli *cli, struct choice *choice, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int output[2] = {-1, -1}, error[2] = {-1, -1}, r;
	struct process_spec spec = {.stdin_fd = -1};

	arguments_of(cli, choice, &argv);
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	spec.argv = (const char *const *)argv.items;
	spec.stdout_fd = output[1];
	spec.stderr_fd = error[1];
	r = process_start(&spec, &choice->pid, err);
	fd_close(&output[1]);
	fd_close(&error[1]);
	choice->output = output[0];
	choice->error = error[0];
	return r;
}

/* Whole lines, with what they are of before them. */
static void show(struct choice *choice, bool all)
{
	char *at = choice->line.data, *end;
	size_t left = choice->line.len;

	while (left > 0 && (end = memchr(at, '\n', left))) {
		fprintf(stderr, "%s: %.*s\n", choice->settings, (int)(end - at), at);
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	if (all && left > 0)
		fprintf(stderr, "%s: %.*s\n", choice->settings, (int)left, at);
	if (left > 0)
		memmove(choice->line.data, at, left);
	choice->line.len = all ? 0 : left;
}

static void hear(struct choice *choice, int *fd, struct buf *into)
{
	char block[READ_AT_ONCE];
	ssize_t len = read(*fd, block, sizeof(block));

	if (len < 0 && errno == EINTR)
		return;
	if (len > 0)
		buf_add(into, block, (size_t)len);
	else
		fd_close(fd);
	show(choice, choice->error < 0);
	if (choice->output >= 0 || choice->error >= 0)
		return;
	choice->status = process_wait(choice->pid);
	choice->pid = 0;
}

/* Until the runs from first to last have ended. A signal is passed on: they end in order. */
static void follow(struct choices *choices, size_t first, size_t last,
		   const volatile sig_atomic_t *stop)
{
	CLEANUP(free_ptr) struct pollfd *fds = xcalloc(2 * (last - first) + 1, sizeof(*fds));
	bool told = false;
	size_t open;

	do {
		open = 0;
		for (size_t i = first; i < last; i++) {
			struct choice *choice = &choices->items[i];

			fds[2 * (i - first)] = (struct pollfd){choice->output, POLLIN, 0};
			fds[2 * (i - first) + 1] = (struct pollfd){choice->error, POLLIN, 0};
			open += choice->pid > 0;
			if (*stop && !told && choice->pid > 0)
				kill(choice->pid, SIGINT);
		}
		told = *stop;
		if (open == 0 || poll(fds, 2 * (last - first), TICK) <= 0)
			continue;
		for (size_t i = first; i < last; i++) {
			struct choice *choice = &choices->items[i];

			if (fds[2 * (i - first)].revents)
				hear(choice, &choice->output, &choice->result);
			if (fds[2 * (i - first) + 1].revents)
				hear(choice, &choice->error, &choice->line);
		}
	} while (open > 0);
}

/* --- results -------------------------------------------------------------------------------------
 */

static void print(const struct cli *cli, const struct choices *choices)
{
	CLEANUP(json_decrefp) json_t *all = json_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < choices->count; i++) {
		CLEANUP(json_decrefp) json_t *one = NULL;
		const struct buf *result = &choices->items[i].result;

		if (!cli->values.json)
			fputs(buf_text(result), stdout);
		else if (json_parse(buf_text(result), result->len, "result", &one, NULL) == 0)
			json_array_extend(all, one);
	}
	json_canonical(all, &text);
	if (cli->values.json)
		puts(buf_text(&text));
}

int build_choices(struct cli *cli, struct varve_error *err)
{
	CLEANUP(choices_release) struct choices choices = {0};
	const volatile sig_atomic_t *stop = stop_signals_catch();
	bool together = str_equal(cli->values.executor, "slurm");
	int r = list(cli, &choices, err);

	for (size_t i = 0; i < choices.count && r == 0 && !*stop; i++) {
		r = start(cli, &choices.items[i], err);
		if (!together)
			follow(&choices, i, i + 1, stop);
	}
	follow(&choices, 0, choices.count, stop);
	for (size_t i = 0; i < choices.count; i++)
		if (cli->status == 0)
			cli->status = choices.items[i].status;
	if (r == 0)
		print(cli, &choices);
	return r;
}
