/* SPDX-License-Identifier: Apache-2.0
 * A bundle is proved by what it is for: a build elsewhere. That one is another run of this program
 * as root of a user namespace that has no network but its own loopback, which is down. */
#include "cli/cmd_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/network.h"
#include "base/path.h"
#include "base/process.h"
#include "cli/session_lock.h"
#include "store/store.h"

enum { RESULT_LIMIT = 16 << 20, RUN_FAILED = 126 };

#define SELF "/proc/self/exe"

/* The second run. */
struct rerun {
	const struct strv *argv;
	int output; /* takes its stdout; -1: stderr */
};

static int run_cut_off(void *cookie)
{
	const struct rerun *rerun = cookie;

	if (network_cut(NULL) < 0 ||
	    dup2(rerun->output < 0 ? STDERR_FILENO : rerun->output, STDOUT_FILENO) < 0)
		return RUN_FAILED;
	(void)execv(SELF, rerun->argv->items);
	return RUN_FAILED;
}

/* With one id only the program can do from inside a namespace what it does outside, but as itself.
 */
static int start_as_ourselves(void *cookie, pid_t *ret, struct varve_error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return varve_error_set(err, -errno, "start a process");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? run_cut_off(cookie) : RUN_FAILED);
	}
	*ret = pid;
	return 0;
}

static int rerun(const struct sandbox_host *host, const struct strv *argv, int output,
		 struct varve_error *err)
{
	struct rerun cookie = {argv, output};
	pid_t pid = -1;
	bool has_ids = host->owners.mode != OWNER_ONE;
	int r, status;

	r = has_ids ? sandbox_spawn(host, run_cut_off, &cookie, -1, &pid, err)
		    : start_as_ourselves(&cookie, &pid, err);
	if (r < 0)
		return r;
	status = process_wait(pid);
	if (status == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_COMPARE,
			       "without network, varve %s from the bundle fails (exit status %d)",
			       argv->items[1], status);
}

/* --- the two builds ----------------------------------------------------------------------------
 */

/* One check: the bundle, unpacked, and the values of options that are tried. */
struct check {
	const struct session *session;
	const char *place; /* a directory of the job's */
	const char *recipe; /* of the bundle, below its directory */
	const struct strv *combination; /* "NAME=VALUE", in place of the session's values */
	int output; /* for the result of the second build */
};

static bool is_set(const struct strv *combination, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < combination->count; i++)
		if (strncmp(combination->items[i], name, len) == 0 &&
		    combination->items[i][len] == '=')
			return true;
	return false;
}

/* The choices that make the plan, as options. */
static void add_choices(const struct check *check, struct strv *argv)
{
	const struct session *session = check->session;
	const struct cli_values *values = &session->cli->values;
	const struct recipe *recipe = session->cli->recipe;

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;

		if (!is_set(check->combination, name))
			strv_addf(argv, "--set=%s=%s", name,
				  recipe_scope_get(session->scope, name));
	}
	for (size_t i = 0; i < check->combination->count; i++)
		strv_addf(argv, "--set=%s", check->combination->items[i]);
	for (size_t i = 0; i < values->secrets.count; i++)
		strv_addf(argv, "--secret=%s", values->secrets.items[i]);
	if (values->isolation)
		strv_addf(argv, "--isolation=%s", values->isolation);
	for (size_t i = 0; i < values->images.count; i++)
		strv_addf(argv, "--image=%s", values->images.items[i]);
	strv_addf(argv, "--platform=%s", session->plan->platform);
	if (session->plan_options.registry)
		strv_addf(argv, "--registry=%s", session->plan_options.registry);
	strv_addf(argv, "--progress=%s", values->progress ? values->progress : "plain");
	strv_add(argv, "--json");
}

static int build_here(const struct check *check, struct buf *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(free_ptr) char *self = realpath(SELF, NULL);

	strv_add(&argv, self ? self : SELF);
	strv_add(&argv, "build");
	strv_add(&argv, check->session->cli->recipe_path);
	strv_add(&argv, "--locked");
	strv_addf(&argv, "--store=%s", store_path(check->session->store));
	add_choices(check, &argv);
	return process_capture((const char *const *)argv.items, RESULT_LIMIT, ret, err);
}

static int import_there(const struct session *session, const struct image_target *target,
			const char *place, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;

	strv_add(&argv, "varve");
	strv_add(&argv, "bundle");
	strv_add(&argv, "import");
	strv_add(&argv, target->path);
	strv_addf(&argv, "%s/recipe", place);
	strv_addf(&argv, "--store=%s/store", place);
	return rerun(&session->host, &argv, -1, err);
}

static int build_there(const struct check *check, struct buf *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int r;

	strv_add(&argv, "varve");
	strv_add(&argv, "build");
	strv_addf(&argv, "%s/recipe/%s", check->place, check->recipe);
	strv_add(&argv, "--offline");
	strv_addf(&argv, "--store=%s/store", check->place);
	add_choices(check, &argv);
	if (ftruncate(check->output, 0) < 0 || lseek(check->output, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "empty the result of the last build");
	r = rerun(&check->session->host, &argv, check->output, err);
	if (r == 0 && lseek(check->output, 0, SEEK_SET) < 0)
		r = varve_error_set(err, -errno, "read the result of the build");
	return r < 0 ? r : fd_read_all(check->output, RESULT_LIMIT, ret);
}

static int read_result(const char *text, size_t len, json_t **ret, struct varve_error *err)
{
	return json_parse(text, len, "the result of varve build", ret, err);
}

static int compare(const struct buf *here, const struct buf *there, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *a = NULL;
	CLEANUP(json_decrefp) json_t *b = NULL;
	int r = read_result(buf_text(here), here->len, &a, err);

	if (r == 0)
		r = read_result(buf_text(there), there->len, &b, err);
	if (r < 0 || json_equal(a, b))
		return r;
	return varve_error_set(err, -VARVE_E_COMPARE,
			       "the bundle builds other images than the recipe:\n%.400s\n%.400s",
			       buf_text(here), buf_text(there));
}

/* --- the place ---------------------------------------------------------------------------------
 */

static int remove_place(void *cookie)
{
	return fd_remove_tree(AT_FDCWD, cookie) < 0 ? 1 : 0;
}

static void clean_up(const struct session *session, char *place, struct store_job *job)
{
	pid_t pid = -1;

	/* What ids of the namespace own in there can be removed in it only. */
	if (sandbox_spawn(&session->host, remove_place, place, -1, &pid, NULL) == 0)
		(void)process_wait(pid);
	(void)store_job_remove(session->store, job);
}

static int check_one(const struct check *check, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf here = BUF_INIT;
	CLEANUP(buf_release) struct buf there = BUF_INIT;
	CLEANUP(free_ptr) char *words = NULL;
	int r = build_here(check, &here, err);

	if (r == 0)
		r = build_there(check, &there, err);
	if (r == 0)
		r = compare(&here, &there, err);
	if (r < 0 && check->combination->count > 0) {
		words = strv_join(check->combination, " ");
		varve_error_hint(err, "with %s", words);
	}
	return r;
}

static int read_recipe_name(const struct image_target *target, char **ret, struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	int r = layout_open(target->path, &layout, err);

	if (r == 0)
		r = bundle_open(&layout, &bundle, err);
	if (r == 0)
		*ret = xstrdup(json_optional_string(bundle.config, "recipe", ""));
	return r;
}

static int check_in(const struct session *session, const struct image_target *target,
		    const char *place, const struct combinations *combinations,
		    struct varve_error *err)
{
	const struct strv as_given = STRV_INIT;
	CLEANUP(free_ptr) char *result = path_join(place, "result");
	CLEANUP(free_ptr) char *recipe = NULL;
	CLEANUP(fd_close) int output = open(result, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct check check = {.session = session, .place = place, .output = output};
	size_t i, count = combinations->count;
	int r;

	if (output < 0)
		return varve_error_set(err, -errno, "make %s", result);
	r = read_recipe_name(target, &recipe, err);
	if (r == 0)
		r = import_there(session, target, place, err);
	check.recipe = recipe;
	for (i = 0; r == 0 && i < (count > 0 ? count : 1); i++) {
		check.combination = count > 0 ? &combinations->items[i] : &as_given;
		r = check_one(&check, err);
	}
	return r;
}

int bundle_check(struct session *session, const struct image_target *target,
		 const struct combinations *combinations, struct varve_error *err)
{
	CLEANUP(free_ptr) char *place = NULL;
	struct store_job job = STORE_JOB_INIT;
	int r = store_job_begin(session->store, &job, err);

	if (r < 0)
		return r;
	place = path_join(job.path, "check");
	if (mkdirat(job.dirfd, "check", 0755) < 0)
		r = varve_error_set(err, -errno, "make %s", place);
	if (r == 0)
		r = check_in(session, target, place, combinations, err);
	clean_up(session, place, &job);
	if (r < 0)
		varve_error_prefix(err, "check of the bundle");
	return r;
}
