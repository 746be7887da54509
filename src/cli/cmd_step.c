/* SPDX-License-Identifier: Apache-2.0
 * varve step run: one step of a shipped plan, made where this process is. What a cluster's job, or
 * a job of a CI pipeline, runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/tempfile.h"
#include "cli/cli_options.h"
#include "cli/session_jobs.h"
#include "cli/session_space.h"
#include "cli/shared_cache.h"
#include "cli/shipped_plan.h"
#include "cli/stop_signals.h"

/* The number of a step that it needs and that is not known; -1: none. */
static int find_missing(const struct session *session)
{
	const struct build *build = &session->build;

	for (size_t i = 0; i < build->plan->step_count; i++)
		if (build_wants(build, i) && !build->known[i].known && (int)i != session->only_step)
			return (int)i;
	return -1;
}

/* Whoever starts this sees to the order. What another node made a moment ago may have to be looked
 * for twice. */
static int check_needs(struct session *session, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = NULL;
	int missing = find_missing(session), r;

	if (missing >= 0) {
		store_refresh(session->store);
		r = build_assess(&session->build, err);
		if (r < 0)
			return r;
		missing = find_missing(session);
	}
	if (missing < 0)
		return 0;
	name = plan_step_name(session->plan, missing);
	varve_error_set(err, -VARVE_E_NOT_FOUND, "step %s, which it needs, is not in the store%s",
			name, session->cache ? ", nor in a cache" : "");
	varve_error_hint(err, "run that one first, on the same store%s",
			 session->cache ? " or with --cache-to" : ", or share a cache");
	return -VARVE_E_NOT_FOUND;
}

static int make(struct session *session, struct varve_error *err)
{
	int r = check_needs(session, err);

	if (r < 0 || session->build.known[session->only_step].known)
		return r < 0 ? r : build_run(&session->build, NULL, err);
	session_find_host(session);
	if (session->plan->steps[session->only_step].action != ACTION_COPY)
		r = session_need_host(session, err);
	if (r == 0)
		r = session_check_space(session, true, err);
	if (r == 0)
		session_settle_jobs(session);
	return r < 0 ? r : build_run(&session->build, NULL, err);
}

/* The reader knows whose result it is. */
static const char *without_name(const char *text, const char *step)
{
	CLEANUP(free_ptr) char *prefix = xasprintf("step %s: ", step);

	return str_starts(text, prefix) ? text + strlen(prefix) : text;
}

enum { RESULT_ROOM = 8192 };

/* --result: room for it is taken at the start, since a full disk must not hide that it was one. */
struct result_file {
	const char *path; /* NULL: nobody asked */
	char *part; /* its name until it is whole; owned */
	int fd;
};

static void result_file_release(struct result_file *file)
{
	if (file->part)
		(void)unlink(file->part);
	free(file->part);
	fd_close(&file->fd);
}

/* Two processes may be at the same step, and each says how it ended. */
static int reserve_result(const char *path, struct result_file *ret, struct varve_error *err)
{
	char own[40];

	*ret = (struct result_file){.path = path, .fd = -1};
	if (!path)
		return 0;
	tempfile_name(own);
	ret->part = xasprintf("%s.part%s", path, own);
	ret->fd = open(ret->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (ret->fd < 0 || posix_fallocate(ret->fd, 0, RESULT_ROOM) != 0)
		return varve_error_set(err, ret->fd < 0 ? -errno : -ENOSPC, "write %s", ret->part);
	return 0;
}

/* Who was stopped leaves none: it may be started again. */
static int write_result(const struct cli *cli, struct result_file *file, int r, const char *text,
			struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *result = json_object();
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (!file->path || r == -VARVE_E_CANCELLED)
		return 0;
	json_set(result, "result", json_integer(r));
	if (r < 0)
		json_set(result, "error", json_text(without_name(text, cli->arguments.items[1])));
	json_canonical(result, &line);
	buf_addc(&line, '\n');
	if (fd_write_all(file->fd, buf_text(&line), line.len) < 0 ||
	    ftruncate(file->fd, (off_t)line.len) < 0 || rename(file->part, file->path) < 0)
		return varve_error_set(err, -errno, "write %s", file->path);
	free(file->part);
	file->part = NULL;
	return 0;
}

static int run(struct cli *cli, const json_t *shipped, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {.shipped = shipped};
	CLEANUP(shared_cache_release) struct shared_cache cache = {.remote = {.uploads = -1}};
	int r = shared_cache_init(&cache, &session, cli, err);

	if (cli->values.cache_from.count > 0)
		session.cache = &cache.hook;
	session.only = cli->arguments.items[1];
	if (r == 0)
		r = session_open(&session, cli, SESSION_BUILD, err);
	if (r < 0)
		return r;
	session.options.stop = stop_signals_catch();
	r = make(&session, err);
	if (r == 0)
		r = shared_cache_save(&cache, err);
	progress_free(session.progress);
	session.progress = NULL;
	session.build.report = NULL;
	return r;
}

int cmd_step_run(struct cli *cli, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *shipped = NULL;
	CLEANUP(result_file_release) struct result_file result = {.fd = -1};
	struct varve_error own = {0};
	int r, written;

	r = reserve_result(cli->values.result, &result, err);
	if (r < 0)
		return r;
	r = shipped_plan_read(cli->arguments.items[0], cli, &shipped, &own);
	if (r == 0)
		r = run(cli, shipped, &own);
	written = write_result(cli, &result, r, own.text, err);
	if (r < 0 && err)
		*err = own;
	return r < 0 ? r : written;
}
