/* SPDX-License-Identifier: Apache-2.0
 * varve lock --record STEP: one step with network through the recording proxy. Nothing of it is
 * kept but the bytes that it fetched. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "build/enter.h"
#include "build/step.h"
#include "cli/cli_options.h"
#include "cli/session.h"
#include "record/record_place.h"
#include "record/record_propose.h"
#include "source/python_index.h"

#define BUNDLE "/run/varve-record.pem"

enum { BINDS = 8 };

/* What the step is furnished with. Used in its own process, where the file system is there. */
struct furniture {
	const struct record *record;
	struct enter *enter;
	struct strv places; /* bundles of the image */
	struct sandbox_bind binds[BINDS];
};

static int write_file(const char *directory, const char *name, const struct buf *text,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_join(directory, name);
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -1 : fd_write_all(fd, buf_text(text), text->len);

	return r < 0 ? varve_error_set(err, -VARVE_E_HOST, "write %s", path) : 0;
}

static void add_bind(struct furniture *furniture, const char *source, const char *target)
{
	if (furniture->enter->bind_count < BINDS && target)
		furniture->binds[furniture->enter->bind_count++] =
			(struct sandbox_bind){.source = source, .target = target};
}

/* The image's own authorities and the run's, under a name of ours and over the image's lists, for
 * programs that ignore the variables. */
static int furnish_authorities(struct furniture *furniture, int root, const char *directory,
			       struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t i;

	record_bundles(root, &furniture->places, &text);
	buf_addstr(&text, furniture->record->certificate);
	add_bind(furniture, "record.pem", BUNDLE);
	for (i = 0; i < furniture->places.count; i++)
		add_bind(furniture, "record.pem", furniture->places.items[i]);
	return write_file(directory, "record.pem", &text, err);
}

/* Names lead to the proxy and nowhere else. */
static const struct name_file {
	const char *name, *path, *content;
} name_files[] = {
	{"record.hosts", "etc/hosts", "127.0.0.1 localhost\n"},
	{"record.resolv", "etc/resolv.conf", "nameserver 127.0.0.1\n"},
};

static int furnish_names(struct furniture *furniture, int root, const char *directory,
			 struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(name_files) && r == 0; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		/* Lives as long as the process: the bind names it. */
		add_bind(furniture, name_files[i].name, record_place(root, name_files[i].path));
		buf_addstr(&text, name_files[i].content);
		r = write_file(directory, name_files[i].name, &text, err);
	}
	return r;
}

static int furnish(void *cookie, const char *root, const char *directory, struct varve_error *err)
{
	struct furniture *furniture = cookie;
	CLEANUP(fd_close) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? varve_error_set(err, -VARVE_E_HOST, "open %s", root) : 0;

	if (r == 0)
		r = furnish_authorities(furniture, fd, directory, err);
	if (r == 0)
		r = furnish_names(furniture, fd, directory, err);
	return r < 0 ? r : record_enter_network(furniture->record, err);
}

static int run_step(struct session *session, int step, struct record *record,
		    struct varve_error *err)
{
	struct furniture furniture = {.record = record};
	const struct plan_step *plan = &session->plan->steps[step];
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(free_ptr)
	struct varve_layer *layers = xcalloc(
		plan_chain_room(session->plan, session->build.known, plan->below), sizeof(*layers));
	struct enter enter = {.layers = layers,
			      .step = step,
			      .environment = &environment,
			      .argv = &plan->argv,
			      .workdir = plan->workdir,
			      .user = plan->user,
			      .binds = furniture.binds,
			      .furnish = furnish,
			      .cookie = &furniture,
			      .own_network = true,
			      .output = STDERR_FILENO};

	furniture.enter = &enter;
	strv_extend(&environment, &plan->environment);
	strv_extend(&environment, &plan->unkeyed_environment);
	record_environment(BUNDLE, &environment);
	enter.layer_count = step_chain_layers(&session->build, plan->below, layers);
	return enter_run(&session->build, &enter, &session->cli->status, err);
}

static int propose(struct session *session, struct record_log *log)
{
	CLEANUP(record_proposal_release) struct record_proposal proposal = {0};
	CLEANUP(strv_release) struct strv settings = STRV_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(free_ptr) char *index = NULL;
	size_t i;

	strv_extend(&settings, &session->mirrors);
	if (python_index_url(&session->sources, PYTHON_MAIN_INDEX, &index, NULL) == 0)
		strv_addf(&settings, PYTHON_MAIN_INDEX "=%s", index);
	record_propose(log, &settings, &proposal);
	if (session->cli->values.json) {
		CLEANUP(json_decrefp) json_t *object = record_proposal_to_json(&proposal);

		json_canonical(object, &out);
		buf_addc(&out, '\n');
	} else {
		record_print(&proposal, &out);
	}
	fputs(buf_text(&out), stdout);
	for (i = 0; i < proposal.notes.count; i++)
		fprintf(stderr, "not recorded: %s\n", proposal.notes.items[i]);
	return 0;
}

/* What the step stands on and mounts of other stages. */
static int check_needs(const struct session *session, int step, const char *name,
		       struct varve_error *err)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) int *needs = xcalloc(plan_needs_room(plan, step), sizeof(*needs));
	size_t count = plan_needs(plan, step, needs, plan->step_count), i;

	for (i = 0; i < count; i++) {
		if (session->build.known[needs[i]].known)
			continue;
		varve_error_set(err, -VARVE_E_NOT_FOUND,
				"--record %s: what the step stands on is not built", name);
		varve_error_hint(err, "varve build %s builds it, up to the step that fails",
				 session->cli->recipe_path);
		return -VARVE_E_NOT_FOUND;
	}
	return 0;
}

static int check_step(const struct session *session, int step, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = plan_step_name(session->plan, step);

	if (session->plan->steps[step].action != ACTION_RUN)
		return varve_error_set(err, -VARVE_E_USAGE, "--record %s: only a run step fetches",
				       name);
	return check_needs(session, step, name, err);
}

/* The image below and the sources that are mounted: no build may have wanted them so far. */
static int fetch_sources(struct session *session, int step, struct varve_error *err)
{
	const struct plan_step *plan = &session->plan->steps[step];
	CLEANUP(free_ptr)
	const struct lock_source **wanted = xcalloc(plan->mount_count + 1, sizeof(const void *));
	const struct lock_source *base = plan_base_locked(session->plan, plan->below);
	size_t count = 0, i;
	int r;

	if (base)
		wanted[count++] = base;
	for (i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];

		if (mount->content == PLAN_FROM_SOURCE &&
		    session->plan->sources.items[mount->index].locked)
			wanted[count++] = session->plan->sources.items[mount->index].locked;
	}
	r = count > 0 ? session_fetch(session, wanted, count, err) : 0;
	return r < 0 ? r : 0;
}

int cmd_lock_record(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(record_release) struct record record = RECORD_INIT;
	CLEANUP(record_log_release) struct record_log log = {0};
	int step, r;

	if (cli->values.offline || cli->values.all || cli->values.upgrade.count > 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--record goes with none of --offline, --all, --upgrade");
	r = session_open(&session, cli, SESSION_PREVIEW, err);
	if (r == 0)
		r = session_need_host(&session, err);
	if (r < 0)
		return r;
	step = plan_find_step(session.plan, cli->values.record, err);
	r = step < 0 ? step : check_step(&session, step, err);
	if (r == 0)
		r = fetch_sources(&session, step, err);
	if (r == 0)
		r = record_start(session.store, &record, err);
	if (r == 0)
		r = run_step(&session, step, &record, err);
	if (r == 0)
		r = record_finish(&record, &log, err);
	if (r < 0)
		return r;
	if (cli->status != 0)
		fprintf(stderr, "the step failed with status %d; this is what it fetched before\n",
			cli->status);
	cli->status = cli->status != 0;
	return propose(&session, &log);
}
