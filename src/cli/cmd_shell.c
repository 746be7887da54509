/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/step.h"
#include "build/enter.h"
#include "cli/cli_options.h"
#include "cli/session.h"

/* Path of what the failed step left, in failed/KEYHEX. */
static int find_failed(struct session *session, int step, const char *name, char **ret,
		       struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	char *path;

	if (!session->build.steps[step].has_key)
		return varve_error_set(err, -VARVE_E_NOT_FOUND, "the steps below %s are not built",
				       name);
	path = xasprintf("%s/failed/%s", store_path(store_work(session->store)),
			 varve_digest_hex(&session->build.steps[step].key, hex));
	if (access(path, F_OK) < 0) {
		free(path);
		varve_error_set(err, -VARVE_E_NOT_FOUND, "%s has not failed as it is now", name);
		varve_error_hint(err,
				 "without --failed the shell is in the file system below the step");
		return -VARVE_E_NOT_FOUND;
	}
	*ret = path;
	return 0;
}

static void environment_of(const struct plan_step *step, struct strv *ret)
{
	const char *term = getenv("TERM");

	strv_extend(ret, &step->environment);
	strv_extend(ret, &step->unkeyed_environment);
	if (term)
		strv_setenv(ret, "TERM", term);
}

static void command_of(const struct cli *cli, struct strv *ret)
{
	size_t i;

	for (i = 1; i < cli->arguments.count; i++)
		strv_add(ret, cli->arguments.items[i]);
	if (ret->count > 0)
		return;
	strv_add(ret, "/bin/sh");
	strv_add(ret, "-i");
}

/* Everything below has to be there; it is not built here. */
static int check_below(struct session *session, int step, struct varve_error *err)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) int *needs = xcalloc(plan_needs_room(plan, step), sizeof(*needs));
	size_t count = plan_needs(plan, step, needs, plan->step_count), i;

	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, needs[i]);

		if (session->build.known[needs[i]].known)
			continue;
		varve_error_set(err, -VARVE_E_NOT_FOUND,
				"%s, which the step stands on, is not built", name);
		varve_error_hint(err, "varve build %s builds it", session->cli->recipe_path);
		return -VARVE_E_NOT_FOUND;
	}
	return 0;
}

/* The layers of an image below: the build may not have needed them. */
static int fetch_base(struct session *session, int below, struct varve_error *err)
{
	const struct lock_source *base = plan_base_locked(session->plan, below);
	int r;

	if (!base)
		return 0;
	r = session_fetch(session, &base, 1, err);
	return r < 0 ? r : 0;
}

static int enter_step(struct session *session, int step, const char *failed,
		      struct varve_error *err)
{
	const struct plan_step *plan = &session->plan->steps[step];
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(free_ptr)
	struct varve_layer *layers = xcalloc(
		plan_chain_room(session->plan, session->build.known, plan->below), sizeof(*layers));
	struct enter enter = {.layers = layers, .failed = failed, .step = step};
	int r;

	r = fetch_base(session, plan->below, err);
	if (r < 0)
		return r;
	environment_of(plan, &environment);
	command_of(session->cli, &argv);
	enter.layer_count = step_chain_layers(&session->build, plan->below, layers);
	if (enter.layer_count == 0 && !failed)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "nothing is below this step: no shell there");
	enter.environment = &environment;
	enter.argv = &argv;
	enter.workdir = plan->workdir;
	enter.user = plan->user;
	enter.network = session->cli->values.network || plan->network;
	enter.terminal = true;
	enter.output = -1;
	return enter_run(&session->build, &enter, &session->cli->status, err);
}

int cmd_shell(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(free_ptr) char *name = NULL;
	CLEANUP(free_ptr) char *failed = NULL;
	int step, r;

	r = session_open(&session, cli, SESSION_PREVIEW, err);
	if (r == 0)
		r = session_need_host(&session, err);
	if (r < 0)
		return r;
	step = plan_find_step(session.plan, cli->arguments.items[0], err);
	if (step < 0)
		return step;
	name = plan_step_name(session.plan, step);
	r = check_below(&session, step, err);
	if (r == 0 && cli->values.failed)
		r = find_failed(&session, step, name, &failed, err);
	return r < 0 ? r : enter_step(&session, step, failed, err);
}
