/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "cli/attest.h"
#include "cli/build_choices.h"
#include "cli/build_report.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "cli/session_jobs.h"
#include "cli/session_slurm.h"
#include "cli/session_space.h"
#include "cli/shared_cache.h"
#include "cli/stop_signals.h"

static int parse_targets(const struct strv *texts, struct image_target *ret,
			 struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < texts->count; i++) {
		r = image_target_parse(texts->items[i], &ret[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void print_result(const struct session *session, const struct varve_descriptor *manifests)
{
	CLEANUP(json_decrefp) json_t *all = json_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char digest[VARVE_DIGEST_TEXT];
	size_t i;

	for (i = 0; i < session->plan->image_count; i++) {
		json_t *one = descriptor_to_json(&manifests[i]);

		json_set(one, "name", json_text(session->plan->images[i].name));
		json_append(all, one);
		if (!session->cli->values.json)
			printf("%s %s\n", varve_digest_text(&manifests[i].digest, digest),
			       session->plan->images[i].name);
	}
	if (session->cli->values.json) {
		json_canonical(all, &text);
		puts(buf_text(&text));
	}
}

static int export_all(struct session *session, const struct image_target *targets,
		      struct varve_error *err)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) struct image *images = xcalloc(plan->image_count + 1, sizeof(*images));
	CLEANUP(free_ptr)
	struct image_export *exports = xcalloc(plan->image_count + 1, sizeof(*exports));
	size_t i, opened;
	int r = 0;

	for (opened = 0; opened < plan->image_count && r == 0; opened++) {
		r = image_open(session->store, plan->images[opened].name, &images[opened], err);
		if (r == 0)
			r = session_complete(session, &images[opened].manifest_descriptor, err);
		exports[opened] = (struct image_export){&images[opened], plan->images[opened].name};
	}
	for (i = 0; i < session->cli->values.outputs.count && r == 0; i++)
		r = image_export(session->store, exports, plan->image_count, &targets[i],
				 layer_unpack_stream, err);
	for (i = 0; i < opened; i++)
		image_release(&images[i]);
	return r;
}

/* Elsewhere. 1: the jobs go on without us. */
static int run_on_slurm(struct session *session, struct varve_error *err)
{
	CLEANUP(session_slurm_release) struct session_slurm slurm = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = session_slurm_init(&slurm, session, err);

	if (r == 0)
		r = build_run(&session->build, &slurm.executor, err);
	if (r != 1)
		return r;
	session_slurm_print(&slurm, &text);
	fputs(buf_text(&text), stdout);
	return r;
}

/* What this host can do may have changed since it was tried. */
static int run(struct session *session, struct varve_error *err)
{
	struct varve_error first = {0};
	int r = build_run(&session->build, NULL, &first);

	if (r == -VARVE_E_HOST && session_doubt_host(session)) {
		r = session_need_host(session, err);
		return r < 0 ? r : build_run(&session->build, NULL, err);
	}
	if (r < 0 && err)
		*err = first;
	return r;
}

/* --- push ----------------------------------------------------------------------------------------
 */

/* Asked before anything is built. */
static int check_push_names(const struct session *session, struct varve_error *err)
{
	for (size_t i = 0; session->cli->values.push && i < session->plan->image_count; i++) {
		CLEANUP(reference_release) struct reference reference = {0};
		int r = reference_parse(session->plan->images[i].name, &reference, err);

		if (r < 0) {
			varve_error_hint(err, "or set --registry HOST[/PREFIX] for all names");
			return r;
		}
	}
	return 0;
}

static int push_one(struct remote *remote, const struct attest *attest, size_t image,
		    struct varve_error *err)
{
	CLEANUP(endpoint_release) struct endpoint from = {.kind = ENDPOINT_STORE};
	CLEANUP(endpoint_release) struct endpoint to = {.kind = ENDPOINT_REGISTRY};
	const struct session *session = attest->session;
	struct copy_result result;
	int r = reference_parse(session->plan->images[image].name, &to.reference, err);

	from.name = xstrdup(session->plan->images[image].name);
	if (r == 0)
		r = copy_run(&remote->copy, &from, &to, 1, &result, err);
	if (r == 0 && session->cli->values.attest)
		r = attest_in_registry(attest, image, &result.root, remote, &to.reference, err);
	if (r < 0)
		varve_error_prefix(err, "push");
	return r;
}

static int push_all(struct session *session, const struct attest *attest, struct varve_error *err)
{
	struct remote remote = {.uploads = -1};
	int r = remote_begin(&remote, session->cli, session->store, true, err);

	/* Borrowed from the build's session. */
	remote.session.progress = session->progress;
	remote.settings.stop = session->options.stop;
	for (size_t i = 0; i < session->plan->image_count && r == 0; i++)
		r = push_one(&remote, attest, i, err);
	remote_end(&remote);
	return r;
}

/* A build that failed is told of too; that its report cannot be written is not what went wrong. */
static int report(struct session *session, const struct timeline *timeline,
		  const struct varve_descriptor *manifests, int r, struct varve_error *err)
{
	struct varve_error ignored;

	if (!session->cli->values.report)
		return r;
	if (r == 0)
		return build_report_write(session, timeline, manifests, NULL, err);
	(void)build_report_write(session, timeline, NULL, err ? err->text : "", &ignored);
	return r;
}

/* --- attestations --------------------------------------------------------------------------------
 */

/* Asked before anything is built. */
static int check_attest(const struct cli_values *values, const struct image_target *targets,
			struct varve_error *err)
{
	size_t i;

	if (!values->attest)
		return 0;
	for (i = 0; i < values->outputs.count; i++)
		if (targets[i].transport != IMAGE_OCI)
			return varve_error_set(err, -VARVE_E_USAGE,
					       "--attest: %.300s has no room for what refers to an "
					       "image; oci:DIR has",
					       values->outputs.items[i]);
	if (i == 0 && !values->push)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--attest is for -o oci:DIR and --push; in the store images "
				       "are attested anyway");
	return 0;
}

static int attest_exports(const struct attest *attest, const struct image_target *targets,
			  const struct varve_descriptor *manifests, struct varve_error *err)
{
	const struct session *session = attest->session;
	int r = 0;

	for (size_t i = 0; i < session->cli->values.outputs.count; i++)
		for (size_t k = 0; k < session->plan->image_count && r == 0; k++)
			r = attest_in_layout(attest, k, &manifests[k], targets[i].path, err);
	return r;
}

static int build_all(struct session *session, struct shared_cache *cache,
		     const struct image_target *targets, struct varve_error *err)
{
	CLEANUP(timeline_release) struct timeline timeline = {.next = NULL};
	CLEANUP(attest_release) struct attest attest = {.started = 0};
	CLEANUP(free_ptr)
	struct varve_descriptor *manifests =
		xcalloc(session->plan->image_count + 1, sizeof(*manifests));
	int r;

	attest_begin(&attest, session);
	session->options.stop = stop_signals_catch();
	if (session->cli->values.report) {
		timeline_begin(&timeline, session->build.report);
		session->build.report = &timeline.report;
	}
	r = session->on_cluster ? run_on_slurm(session, err) : run(session, err);
	if (r == 1) {
		session->build.report = NULL;
		return 0;
	}
	if (r == 0)
		r = build_images(&session->build, manifests, err);
	if (r == 0)
		r = attest_in_store(&attest, manifests, err);
	if (r == 0 && session->cli->values.outputs.count > 0)
		r = export_all(session, targets, err);
	if (r == 0 && session->cli->values.attest)
		r = attest_exports(&attest, targets, manifests, err);
	if (r == 0 && session->cli->values.push)
		r = push_all(session, &attest, err);
	if (r == 0)
		r = shared_cache_save(cache, err);
	r = report(session, &timeline, manifests, r, err);
	progress_free(session->progress);
	session->progress = NULL;
	session->build.report = NULL;
	if (r == 0)
		print_result(session, manifests);
	return r;
}

/* Said once, by who is not surrounded as usual. */
static void tell_isolation(const struct session *session)
{
	if (session->host.isolation == SANDBOX_CHROOT)
		build_tell(
			&session->build, VARVE_EVENT_NOTICE, NULL,
			"--isolation chroot: commands have no pid, ipc, uts, mount or network "
			"namespace of their own and no /proc; they can see and stop processes of "
			"this host");
}

/* A host that cannot run commands is told so before anything is downloaded, unless all that is left
 * to do needs none. */
static int check_host(struct session *session, struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < session->plan->step_count; i++) {
		if (session->build.known[i].known || session->options.expect_cached)
			continue;
		session_find_host(session);
		if (session->plan->steps[i].action == ACTION_COPY)
			continue;
		r = session_need_host(session, err);
		if (r == 0)
			tell_isolation(session);
		return r;
	}
	return 0;
}

/* Of steps that are made here. */
static int prepare_host(struct session *session, struct varve_error *err)
{
	int r = check_host(session, err);

	if (r == 0 && !session->cli->values.expect_cached)
		r = session_check_space(session, true, err);
	if (r == 0)
		session_settle_jobs(session);
	return r;
}

int cmd_build(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(shared_cache_release) struct shared_cache cache = {.remote = {.uploads = -1}};
	CLEANUP(free_ptr) struct image_target *targets = NULL;
	size_t i;
	int r;

	if (cli->values.all_of.count > 0)
		return build_choices(cli, err);
	targets = xcalloc(cli->values.outputs.count + 1, sizeof(*targets));
	r = parse_targets(&cli->values.outputs, targets, err);
	if (r == 0)
		r = check_attest(&cli->values, targets, err);
	if (r == 0)
		r = shared_cache_init(&cache, &session, cli, err);
	if (cli->values.cache_from.count > 0)
		session.cache = &cache.hook;
	if (r == 0)
		r = session_open(&session, cli, SESSION_BUILD, err);
	if (r == 0)
		r = check_push_names(&session, err);
	if (r == 0)
		r = session_wants_slurm(cli, session.config, &session.on_cluster, err);
	if (r == 0 && !session.on_cluster)
		r = prepare_host(&session, err);
	if (r == 0)
		r = build_all(&session, &cache, targets, err);
	for (i = 0; i < cli->values.outputs.count; i++)
		image_target_release(&targets[i]);
	return r;
}
