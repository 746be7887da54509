/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

void session_lock_release(struct session *session)
{
	lock_release(&session->lock);
	strv_release(&session->lock_changes);
}

static bool must_refresh(const struct session *session, const char *name)
{
	const struct cli_values *values = &session->cli->values;

	return values->all || strv_contains(&values->upgrade, name);
}

/* A misspelt name would else upgrade nothing and say nothing. */
static int check_upgrade(const struct session *session, struct varve_error *err)
{
	const struct recipe *recipe = session->cli->recipe;
	const struct strv *names = &session->cli->values.upgrade;
	CLEANUP(free_ptr) const char **known = xcalloc(recipe->source_count + 1, sizeof(*known));
	const char *nearest;
	size_t i;

	for (i = 0; i < recipe->source_count; i++)
		known[i] = recipe->sources[i].name.text;
	for (i = 0; i < names->count; i++) {
		if (recipe_find_source(recipe, names->items[i]))
			continue;
		nearest = str_nearest(names->items[i], known);
		varve_error_set(err, -VARVE_E_USAGE, "--upgrade: the recipe has no source \"%s\"",
				names->items[i]);
		if (nearest)
			varve_error_hint(err, "did you mean \"%s\"?", nearest);
		return -VARVE_E_USAGE;
	}
	return 0;
}

static int refuse(const struct session *session, const struct plan_source *source,
		  struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_LOCK, "source \"%s\" is not locked in %s", source->name,
			session->lock_path);
	varve_error_hint(err, "varve lock %s resolves it (--%s forbids that here)",
			 session->cli->recipe_path,
			 session->cli->values.offline ? "offline" : "locked");
	return -VARVE_E_LOCK;
}

static void tell_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	struct session *session = cookie;
	const struct varve_report *report = progress_report(session->progress);

	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_FETCH,
							    .step = what,
							    .done = done,
							    .total = total});
}

static int resolve(struct session *session, const struct plan_source *source,
		   struct varve_error *err)
{
	const struct varve_report *report = progress_report(session->progress);
	struct lock_source locked = {0};
	int r;

	report->event(report->cookie,
		      &(struct varve_event){.kind = VARVE_EVENT_RESOLVE, .step = source->name});
	session->sources.progress = tell_progress;
	session->sources.cookie = session;
	r = source_resolve(&session->sources, source->name, source->spec, &session->lock, &locked,
			   err);
	session->sources.progress = NULL;
	if (r < 0) {
		varve_error_prefix(err, "source \"%s\"", source->name);
		return r;
	}
	lock_put(&session->lock, &locked);
	return 0;
}

static void tell_commit(struct session *session, const struct plan_source *source)
{
	const struct varve_report *report = progress_report(session->progress);
	const struct lock_source *locked = lock_find(&session->lock, source->name, &source->digest);
	const char *fact = json_optional_string(locked->facts, "ref", "");
	/* A commit has no name but the one it was asked for by. */
	const char *ref = *fact ? fact : json_optional_string(source->spec, "ref", "");
	CLEANUP(free_ptr)
	char *text = xasprintf("%s: %s -> %s", source->name,
			       str_starts(ref, "refs/heads/") ? ref + strlen("refs/heads/") : ref,
			       json_optional_string(locked->facts, "commit", ""));

	report->event(report->cookie,
		      &(struct varve_event){.kind = VARVE_EVENT_LOCKED, .text = text});
}

static bool is_tracked(const struct plan_source *source)
{
	return json_is_true(json_object_get(source->spec, "track"));
}

/* Looks a source up that the recipe wants to follow, and says what it stands for. */
static int follow(struct session *session, const struct plan_source *source, bool *ret_current,
		  struct varve_error *err)
{
	const struct lock_source *locked = lock_find(&session->lock, source->name, &source->digest);
	int r = source_is_current(&session->sources, locked, ret_current, err);

	if (r < 0)
		varve_error_prefix(err, "source \"%s\"", source->name);
	return r;
}

/* How a source is to be locked. */
struct wish {
	bool fresh; /* resolved anew, whatever the lock says */
	bool needs_host; /* in vain where this host cannot run steps */
};

static int complete_one(struct session *session, const struct plan_source *source,
			const struct wish *wish, struct varve_error *err)
{
	const struct cli_values *values = &session->cli->values;
	bool is_locked = lock_find(&session->lock, source->name, &source->digest) != NULL;
	bool fixed = values->locked || values->offline;
	int r = 0;

	if (is_locked && !wish->fresh && is_tracked(source) && !fixed)
		r = follow(session, source, &is_locked, err);
	if (r < 0)
		return r;
	if (!is_locked || wish->fresh) {
		if (fixed)
			return refuse(session, source, err);
		r = wish->needs_host ? session_need_host(session, err) : 0;
		if (r == 0)
			r = resolve(session, source, err);
	}
	if (r == 0 && is_tracked(source) && !fixed)
		tell_commit(session, source);
	return r;
}

static int complete(struct session *session, const struct plan_sources *wanted,
		    enum session_locking locking, struct varve_error *err)
{
	bool needs_host = locking == SESSION_BUILD && wanted->commands;
	size_t i;
	int r = 0;

	for (i = 0; i < wanted->count && r == 0; i++) {
		const struct plan_source *source = &wanted->items[i];
		bool fresh = locking == SESSION_REFRESH && must_refresh(session, source->name);

		if (source->kind != SOURCE_LOCAL)
			r = complete_one(session, source, &(struct wish){fresh, needs_host}, err);
	}
	return r;
}

/* complete: these are all the specs that the recipe can have, and what is not among them is out of
 * date. Else the entries of other option values are kept. */
static void prune(struct session *session, const struct plan_sources *wanted, bool complete)
{
	struct lock kept = LOCK_INIT;
	size_t i, j;

	if (!complete || session->cli->values.images.count > 0)
		return;
	for (i = 0; i < session->lock.count; i++) {
		struct lock_source *entry = &session->lock.sources[i];
		bool used = false;

		for (j = 0; j < wanted->count; j++)
			used = used || varve_digest_equal(&entry->digest, &wanted->items[j].digest);
		if (used)
			lock_put(&kept, entry);
		else
			lock_source_release(entry);
	}
	free(session->lock.sources);
	session->lock = kept;
}

static void tell_changes(struct session *session)
{
	const struct varve_report *report = progress_report(session->progress);
	size_t i;

	for (i = 0; i < session->lock_changes.count; i++)
		report->event(report->cookie,
			      &(struct varve_event){.kind = VARVE_EVENT_LOCKED,
						    .text = session->lock_changes.items[i]});
}

/* Writes only what differs from the file. */
static int write_back(struct session *session, const struct lock *before, bool may_write,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf old = BUF_INIT;
	CLEANUP(buf_release) struct buf new = BUF_INIT;

	lock_format(before, &old);
	lock_format(&session->lock, &new);
	if (strcmp(buf_text(&old), buf_text(&new)) == 0)
		return 0;
	lock_diff(before, &session->lock, &session->lock_changes);
	tell_changes(session);
	return may_write ? lock_write(session->lock_path, &session->lock, err) : 0;
}

/* Nothing is missing, and nothing is to be looked up again. */
static bool has_all(const struct session *session, const struct plan_sources *wanted)
{
	bool fixed = session->cli->values.locked || session->cli->values.offline;
	size_t i;

	for (i = 0; i < wanted->count; i++)
		if (wanted->items[i].kind != SOURCE_LOCAL &&
		    (!lock_find(&session->lock, wanted->items[i].name, &wanted->items[i].digest) ||
		     (is_tracked(&wanted->items[i]) && !fixed)))
			return false;
	return true;
}

static int collect(struct session *session, struct plan_sources *ret, bool *ret_complete,
		   struct varve_error *err)
{
	if (session->cli->values.all)
		return session_all_sources(session, ret, ret_complete, err);
	*ret_complete = session->cli->recipe->option_count == 0;
	return plan_collect_sources(session->cli->recipe, session->scope, &session->plan_options,
				    ret, err);
}

int session_lock(struct session *session, enum session_locking locking, struct varve_error *err)
{
	CLEANUP(plan_sources_release) struct plan_sources wanted = {0};
	CLEANUP(lock_release) struct lock before = LOCK_INIT;
	bool complete_set = false;
	int r;

	r = check_upgrade(session, err);
	if (r == 0)
		r = lock_read(session->lock_path, &session->lock, err);
	if (r == 0)
		r = collect(session, &wanted, &complete_set, err);
	if (r < 0)
		return r;
	/* The usual case: nothing to do, nothing to compare. */
	if (locking != SESSION_REFRESH && has_all(session, &wanted))
		return 0;
	r = lock_read(session->lock_path, &before, err);
	if (r == 0)
		r = complete(session, &wanted, locking, err);
	if (r < 0)
		return r;
	if (!session->cli->values.locked && !session->cli->values.offline)
		prune(session, &wanted, complete_set);
	return write_back(session, &before,
			  locking != SESSION_PREVIEW && !session->cli->values.dry_run, err);
}
