/* SPDX-License-Identifier: Apache-2.0
 * `varve validate`: the checks that an image carries, run inside it. */
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
#include "cli/gpu.h"
#include "cli/in_image.h"
#include "cli/remote.h"
#include "cli/verdict.h"

enum { CHECK_OUTPUT = 64 << 10 };

struct validation {
	struct session *session;
	struct verdicts verdicts;
	struct gpu gpu;
	bool use_gpu; /* asked for, and there */
	const char *why_not; /* what is said of checks that need one, else */
};

/* --- one check ---------------------------------------------------------------------------------
 */

static bool needs_gpu(const json_t *check)
{
	return json_is_true(json_object_get(check, "gpu"));
}

static void enter_check(const struct validation *v, const struct image *image, const json_t *check,
			struct enter *enter, struct strv *environment)
{
	const char *user = json_optional_string(check, "user", "");

	in_image_enter(image, enter);
	in_image_environment(json_object_get(image->config, "config"), false, environment);
	if (v->use_gpu) {
		gpu_environment(&v->gpu, environment);
		enter->binds = v->gpu.binds;
		enter->bind_count = v->gpu.count;
	}
	enter->environment = environment;
	enter->user = *user ? user : enter->user;
}

static int run_check(struct validation *v, const struct image *image, const json_t *check,
		     struct verdict_row *row, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(buf_release) struct buf output = BUF_INIT;
	CLEANUP(fd_close) int file = memfd_create("check", MFD_CLOEXEC);
	struct build build = {.store = v->session->store, .host = &v->session->host};
	struct enter enter;
	int r;

	if (file < 0)
		return varve_error_set(err, -errno, "make a buffer");
	enter_check(v, image, check, &enter, &environment);
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-ec");
	strv_add(&argv, json_optional_string(check, "run", "false"));
	enter.argv = &argv;
	enter.output = file;
	r = enter_run(&build, &enter, &row->status, err);
	if (r < 0)
		return r;
	if (lseek(file, 0, SEEK_SET) == 0)
		(void)fd_read_all(file, CHECK_OUTPUT, &output);
	row->verdict = row->status == 0 ? VERDICT_OK : VERDICT_FAILED;
	row->output = buf_text(&output);
	verdict_add(&v->verdicts, row);
	return 0;
}

static int take_check(struct validation *v, const struct image *image, const char *name,
		      const json_t *check, struct varve_error *err)
{
	struct verdict_row row = {.image = name, .check = json_optional_string(check, "name", "?")};

	if (!needs_gpu(check) || v->use_gpu)
		return run_check(v, image, check, &row, err);
	row.verdict = VERDICT_SKIPPED;
	row.output = v->why_not;
	verdict_add(&v->verdicts, &row);
	return 0;
}

/* --- images ------------------------------------------------------------------------------------
 */

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
		r = take_check(v, &image, name, json_array_get(checks, i), err);
	return r;
}

/* Brings an image from its registry into the store, which has it under the name *ret then. */
static int pull(struct session *session, const char *text, char **ret, struct varve_error *err)
{
	CLEANUP(endpoint_release) struct endpoint from = {.kind = ENDPOINT_REGISTRY};
	CLEANUP(endpoint_release) struct endpoint to = {.kind = ENDPOINT_STORE};
	struct remote remote = {.uploads = -1};
	struct copy_result unused;
	int r = reference_parse(text, &from.reference, err);

	if (r < 0)
		return r;
	if (!from.reference.tag && varve_digest_is_none(&from.reference.digest))
		from.reference.tag = xstrdup("latest");
	to.name = reference_text(&from.reference);
	r = remote_begin(&remote, session->cli, session->store, false, err);
	/* Borrowed from this command's session. */
	remote.session.progress = session->progress;
	if (r == 0)
		r = remote_platform(&remote, session->cli, err);
	if (r == 0)
		r = copy_run(&remote.copy, &from, &to, 1, &unused, err);
	remote_end(&remote);
	if (r == 0)
		*ret = xstrdup(to.name);
	return r;
}

static int validate_named(struct cli *cli, struct validation *v, struct varve_error *err)
{
	const char *given = cli->arguments.items[0];
	CLEANUP(free_ptr) char *name = NULL;
	int r = 0;

	if (str_starts(given, "docker://"))
		r = pull(v->session, given, &name, err);
	else
		name = xstrdup(given);
	return r < 0 ? r : validate_image(v, name, err);
}

static int validate_recipe(struct validation *v, struct varve_error *err)
{
	const struct plan *plan = v->session->plan;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < plan->image_count; i++)
		if (json_array_size(plan->images[i].checks) > 0)
			r = validate_image(v, plan->images[i].name, err);
	return r;
}

/* --- the command -------------------------------------------------------------------------------
 */

static int open_recipe(struct cli *cli, struct session *session, struct varve_error *err)
{
	int r;

	cli->recipe_path = xstrdup(cli->arguments.items[0]);
	r = session_load_recipe(cli->recipe_path, &cli->recipe, err);
	return r < 0 ? r : session_open(session, cli, SESSION_PREVIEW, err);
}

/* Who asks for a GPU wants those checks run: none at all is no success then. */
static int find_gpu(struct validation *v, const struct cli_values *values, struct varve_error *err)
{
	bool found = false;
	int r;

	if (!values->gpu && !values->cdi) {
		v->why_not = access("/dev/nvidiactl", F_OK) == 0 ? "a GPU is there, --gpu uses it"
								 : "no GPU";
		return 0;
	}
	if (v->session->host.isolation == SANDBOX_CHROOT)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--gpu: --isolation chroot cannot give a command devices");
	r = gpu_find(values->cdi, &v->gpu, &found, err);
	if (r < 0)
		return r;
	if (!found)
		return varve_error_set(
			err, -VARVE_E_HOST,
			"--gpu: no GPU here: there is neither a description in "
			"/etc/cdi nor /dev/nvidiactl\nwithout --gpu the checks that need "
			"one are skipped");
	v->use_gpu = true;
	return 0;
}

static int finish(const struct validation *v, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const unsigned *counts = v->verdicts.counts;
	unsigned run = counts[VERDICT_OK] + counts[VERDICT_FAILED];

	if (v->verdicts.rows) {
		json_canonical(v->verdicts.rows, &text);
		puts(buf_text(&text));
	} else if (counts[VERDICT_FAILED] == 0) {
		verdict_summary(&v->verdicts, &text);
		fprintf(stderr, "%s\n", buf_text(&text));
	}
	if (counts[VERDICT_FAILED] == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_CHECK, "%u of %u checks failed%s",
			       counts[VERDICT_FAILED], run,
			       counts[VERDICT_SKIPPED] > 0 ? "; others were skipped" : "");
}

static bool is_recipe(const char *name)
{
	return (str_ends(name, ".yaml") || str_ends(name, ".yml")) && access(name, R_OK) == 0;
}

int cmd_validate(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *rows = cli->values.json ? json_array() : NULL;
	struct validation v = {.session = &session, .verdicts = {.rows = rows}};
	bool recipe = is_recipe(cli->arguments.items[0]);
	int r;

	r = recipe ? open_recipe(cli, &session, err) : session_open_store(&session, cli, err);
	if (r == 0)
		r = session_need_host(&session, err);
	if (r == 0)
		r = find_gpu(&v, &cli->values, err);
	if (r == 0)
		r = recipe ? validate_recipe(&v, err) : validate_named(cli, &v, err);
	gpu_release(&v.gpu);
	return r < 0 ? r : finish(&v, err);
}
