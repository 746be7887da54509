/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_slurm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/settings.h"
#include "cli/shipped_plan.h"
#include "cli/stop_signals.h"

static const char *const own_settings[] = {"program", "node-store", "scratch", NULL};

static bool is_in(const char *name, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int check_settings(const json_t *config, struct varve_error *err)
{
	const json_t *settings = json_object_get(config, "slurm"), *value;
	const char *key, *nearest;

	json_object_foreach((json_t *)(uintptr_t)settings, key, value)
	{
		if (is_in(key, own_settings) || is_in(key, recipe_slurm_names))
			continue;
		nearest = str_nearest(key, recipe_slurm_names);
		varve_error_set(err, -VARVE_E_USAGE, "settings: slurm knows no \"%s\"", key);
		if (nearest)
			varve_error_hint(err, "did you mean \"%s\"?", nearest);
		return -VARVE_E_USAGE;
	}
	return 0;
}

static const char *node_store(const struct cli *cli, const json_t *config)
{
	const json_t *settings = json_object_get(config, "slurm");

	return cli->values.node_store ? cli->values.node_store
				      : json_optional_string(settings, "node-store", NULL);
}

const char *session_slurm_scratch(const struct cli *cli, const json_t *config)
{
	const json_t *settings = json_object_get(config, "slurm");

	return cli->values.scratch ? cli->values.scratch
				   : json_optional_string(settings, "scratch", NULL);
}

int session_wants_slurm(const struct cli *cli, const json_t *config, bool *ret,
			struct varve_error *err)
{
	const struct cli_values *values = &cli->values;
	const char *kind = values->executor ? values->executor : "local";
	bool shared = values->cache_from.count > 0 && values->cache_to.count > 0;

	*ret = strcmp(kind, "slurm") == 0;
	if (!*ret && strcmp(kind, "local") != 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--executor %s: local or slurm is needed", kind);
	if (!*ret && (values->detach || values->node_store))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--%s makes sense with --executor slurm",
				       values->detach ? "detach" : "node-store");
	if (!*ret)
		return 0;
	if (node_store(cli, config) && *node_store(cli, config) != '/')
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--node-store %s: an absolute path is needed",
				       node_store(cli, config));
	if (node_store(cli, config) && !shared)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "nodes with stores of their own hand layers over through a "
				       "registry: --cache-from and --cache-to are needed");
	return check_settings(config, err);
}

/* --- the command line of jobs --------------------------------------------------------------------
 */

static void add_list(const char *option, const struct strv *values, struct strv *ret)
{
	for (size_t i = 0; i < values->count; i++)
		strv_addf(ret, "--%s=%s", option, values->items[i]);
}

static void add_text(const char *option, const char *value, struct strv *ret)
{
	if (value)
		strv_addf(ret, "--%s=%s", option, value);
}

static void build_command(const struct session *session, struct strv *ret)
{
	const struct cli_values *values = &session->cli->values;
	const json_t *settings = json_object_get(session->config, "slurm");
	const char *program = json_optional_string(settings, "program", NULL);
	const char *store = node_store(session->cli, session->config);
	CLEANUP(free_ptr) char *self = realpath("/proc/self/exe", NULL);

	strv_add(ret, program ? program : self ? self : "varve");
	strv_add(ret, "step");
	strv_add(ret, "run");
	strv_add(ret, "--progress=json");
	add_text("store", store ? store : store_path(session->store), ret);
	add_text("scratch", session_slurm_scratch(session->cli, session->config), ret);
	add_text("isolation", values->isolation, ret);
	add_list("mirror", &session->mirrors, ret);
	add_list("cache-from", &values->cache_from, ret);
	add_list("cache-to", &values->cache_to, ret);
	add_text("authfile", values->authfile, ret);
	add_text("cert-dir", values->cert_dir, ret);
	add_text("tls-verify", values->tls_verify, ret);
	add_list("trust-realm", &values->trust_realms, ret);
	if (values->plain_http)
		strv_add(ret, "--plain-http");
}

/* --- leaving -------------------------------------------------------------------------------------
 */

/* Without a terminal nobody can answer, and what was begun is ended. */
static bool ask_to_leave(void *cookie)
{
	char answer[16];

	(void)cookie;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	stop_signals_clear();
	fputs("\nend the jobs, or leave them running? [e/l] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'l' || *answer == 'L');
}

int session_slurm_init(struct session_slurm *ret, struct session *session, struct varve_error *err)
{
	int r;

	settings_pairs(session->config, "slurm", &ret->fields);
	build_command(session, &ret->command);
	r = shipped_plan_write(session, &ret->plan, err);
	ret->options = (struct slurm_options){
		.fields = &ret->fields,
		.command = &ret->command,
		.plan = buf_text(&ret->plan),
		.shared = node_store(session->cli, session->config) == NULL,
		.detach = session->cli->values.detach,
		.leaves = ask_to_leave,
	};
	ret->slurm = (struct slurm_executor){.options = &ret->options};
	ret->executor = executor_of_slurm(&ret->slurm);
	return r;
}

void session_slurm_release(struct session_slurm *slurm)
{
	slurm_executor_release(&slurm->slurm);
	strv_release(&slurm->fields);
	strv_release(&slurm->command);
	buf_release(&slurm->plan);
}

void session_slurm_print(const struct session_slurm *slurm, struct buf *ret)
{
	char job[SLURM_JOB_TEXT];

	for (size_t i = 0; i < slurm->slurm.count; i++)
		buf_addf(ret, "%s %s\n", slurm_job_text(&slurm->slurm.watches[i].job, job),
			 slurm->slurm.watches[i].name);
}
