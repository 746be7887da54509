/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/cli_options.h"
#include "cli/in_image.h"
#include "cli/session.h"

enum { CHECK_OUTPUT = 64 << 10 };

struct validation {
	struct session *session;
	json_t *rows; /* NULL: text */
	unsigned failed, passed;
};

static void print_row(struct validation *v, const char *image, const char *name, int status,
		      const char *output)
{
	json_t *row;

	if (!v->rows) {
		printf("%-6s  %s  %s\n", status == 0 ? "ok" : "FAILED", image, name);
		if (status != 0 && *output)
			printf("        %s\n", output);
		return;
	}
	row = json_object();
	json_set(row, "image", json_text(image));
	json_set(row, "check", json_text(name));
	json_set(row, "status", json_integer(status));
	json_set(row, "verdict", json_text(status == 0 ? "ok" : "failed"));
	json_set(row, "output", json_text(output));
	json_append(v->rows, row);
}

/* The last line that is not empty: what a failing check usually says. */
static const char *last_line(struct buf *output)
{
	char *newline;

	while (output->len > 0 && output->data[output->len - 1] == '\n')
		output->data[--output->len] = '\0';
	newline = output->len > 0 ? strrchr(output->data, '\n') : NULL;
	return newline ? newline + 1 : buf_text(output);
}

static int run_check(struct validation *v, const struct image *image, const char *image_name,
		     const json_t *check, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(buf_release) struct buf output = BUF_INIT;
	CLEANUP(fd_close) int file = memfd_create("check", MFD_CLOEXEC);
	struct build build = {.store = v->session->store, .host = &v->session->host};
	const char *user = json_optional_string(check, "user", "");
	struct enter enter;
	int status, r;

	if (file < 0)
		return varve_error_set(err, -errno, "make a buffer");
	in_image_enter(image, &enter);
	in_image_environment(json_object_get(image->config, "config"), false, &environment);
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-ec");
	strv_add(&argv, json_optional_string(check, "run", "false"));
	enter.environment = &environment;
	enter.argv = &argv;
	enter.user = *user ? user : enter.user;
	enter.output = file;
	r = enter_run(&build, &enter, &status, err);
	if (r < 0)
		return r;
	if (lseek(file, 0, SEEK_SET) == 0)
		(void)fd_read_all(file, CHECK_OUTPUT, &output);
	print_row(v, image_name, json_optional_string(check, "name", "?"), status,
		  last_line(&output));
	*(status == 0 ? &v->passed : &v->failed) += 1;
	return 0;
}

/* The checks travel with the image, as a label. */
static int checks_of(const struct image *image, const char *name, json_t **ret,
		     struct varve_error *err)
{
	const json_t *config = json_object_get(image->config, "config");
	const char *text =
		json_optional_string(json_object_get(config, "Labels"), "dev.varve.checks", NULL);

	if (!text)
		return varve_error_set(err, -VARVE_E_CHECK, "%s carries no checks", name);
	return json_parse(text, strlen(text), "label dev.varve.checks", ret, err);
}

static int validate_image(struct validation *v, const char *name, struct varve_error *err)
{
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(json_decrefp) json_t *checks = NULL;
	size_t i;
	int r;

	r = image_open(v->session->store, name, &image, err);
	if (r == 0)
		r = session_complete(v->session, &image.manifest_descriptor, err);
	if (r == 0)
		r = checks_of(&image, name, &checks, err);
	for (i = 0; i < json_array_size(checks) && r == 0; i++)
		r = run_check(v, &image, name, json_array_get(checks, i), err);
	return r;
}

static int finish(struct validation *v, struct varve_error *err)
{
	if (v->rows) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		json_canonical(v->rows, &text);
		puts(buf_text(&text));
	}
	if (v->failed > 0)
		return varve_error_set(err, -VARVE_E_CHECK, "%u of %u checks failed", v->failed,
				       v->failed + v->passed);
	return 0;
}

static int validate_recipe(struct cli *cli, struct validation *v, struct varve_error *err)
{
	const struct plan *plan;
	size_t i;
	int r;

	cli->recipe_path = xstrdup(cli->arguments.items[0]);
	r = session_load_recipe(cli->recipe_path, &cli->recipe, err);
	if (r == 0)
		r = session_open(v->session, cli, SESSION_PREVIEW, err);
	if (r == 0)
		r = session_need_host(v->session, err);
	plan = v->session->plan;
	for (i = 0; r == 0 && i < plan->image_count; i++)
		if (json_array_size(plan->images[i].checks) > 0)
			r = validate_image(v, plan->images[i].name, err);
	return r;
}

int cmd_validate(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *rows = cli->values.json ? json_array() : NULL;
	struct validation v = {.session = &session, .rows = rows};
	const char *name = cli->arguments.items[0];
	int r;

	if ((str_ends(name, ".yaml") || str_ends(name, ".yml")) && access(name, R_OK) == 0) {
		r = validate_recipe(cli, &v, err);
	} else {
		r = session_open_store(&session, cli, err);
		if (r == 0)
			r = session_need_host(&session, err);
		if (r == 0)
			r = validate_image(&v, name, err);
	}
	return r < 0 ? r : finish(&v, err);
}
