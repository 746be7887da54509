/* SPDX-License-Identifier: Apache-2.0
 * What this host can do, tried once per boot and kept in the store's facts:
 *
 *	facts/host/HEX = {"surroundings":{...},"tried":{...},"varve-host":1}, canonical
 *
 * HEX is over the surroundings. A file that is damaged, or was made for others, counts as absent.
 */
#include "cli/session.h"
#include "cli/session_scratch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/sandbox_probe.h"
#include "sandbox/sandbox_surroundings.h"
#include "sandbox/sandbox_tried.h"

enum { HOST_FORMAT = 1 };

static bool recall(struct session *session, const json_t *surroundings, struct sandbox_tried *ret)
{
	CLEANUP(free_ptr) char *name = sandbox_surroundings_name(surroundings);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *fact = NULL;

	return store_fact_read(session->store, name, &text) == 0 &&
	       json_parse(buf_text(&text), text.len, name, &fact, NULL) == 0 &&
	       json_integer_value(json_object_get(fact, "varve-host")) == HOST_FORMAT &&
	       json_equal(json_object_get(fact, "surroundings"), surroundings) &&
	       sandbox_tried_from_json(json_object_get(fact, "tried"), ret);
}

/* A store that cannot be written has its own messages. */
static void remember(struct session *session, json_t *surroundings,
		     const struct sandbox_tried *tried)
{
	CLEANUP(free_ptr) char *name = sandbox_surroundings_name(surroundings);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *fact = json_object();

	json_set(fact, "varve-host", json_integer(HOST_FORMAT));
	json_set(fact, "surroundings", json_incref(surroundings));
	json_set(fact, "tried", sandbox_tried_to_json(tried));
	json_canonical(fact, &text);
	(void)store_fact_write(session->store, name, text.data, text.len);
}

static void set_host(struct session *session, const struct sandbox_tried *tried, bool remembered)
{
	if (session->has_host)
		sandbox_host_release(&session->host);
	sandbox_decide(tried, &session->host);
	/* Less is never chosen silently. */
	if (str_equal(session->cli->values.isolation, "chroot"))
		sandbox_use_chroot(&session->host);
	sandbox_need_proc(&session->host);
	session->has_host = true;
	session->host_remembered = remembered;
	session->build.host = &session->host;
}

/* What can be done where steps work now: the store, or a scratch directory. */
static void look(struct session *session, bool anew, struct sandbox_tried *ret)
{
	int directory = store_dirfd(store_work(session->store));
	CLEANUP(json_decrefp) json_t *surroundings = sandbox_surroundings(directory);
	bool remembered = !anew && recall(session, surroundings, ret);

	if (!remembered) {
		sandbox_probe(directory, ret);
		remember(session, surroundings, ret);
	}
	set_host(session, ret, remembered);
}

static const char *why_not_the_store(const struct sandbox_tried *tried)
{
	return tried->xattrs != 0 ? "the store's file system keeps no user xattrs"
				  : "the store's file system can hold no overlay";
}

static void find(struct session *session, bool anew, struct sandbox_tried *ret)
{
	const char *why;
	size_t at = 0;

	look(session, anew, ret);
	if (!session_may_choose_scratch(session, ret))
		return;
	why = why_not_the_store(ret);
	while (session_next_scratch(session, &at)) {
		look(session, anew, ret);
		if (session->host.overlay) {
			session->scratch_chosen = true;
			session_tell_scratch(session, why);
			return;
		}
	}
	look(session, false, ret);
}

void session_probe_host(struct session *session, struct sandbox_tried *ret)
{
	/* Chosen, not named: that choice is looked at again as well. */
	if (session->scratch_chosen)
		store_drop_scratch(session->store);
	find(session, true, ret);
}

void session_find_host(struct session *session)
{
	struct sandbox_tried tried;

	if (!session->has_host)
		find(session, false, &tried);
}

/* Where they agree a command that failed would fail again. */
static bool agree(const struct sandbox_host *a, const struct sandbox_host *b)
{
	return a->isolation == b->isolation && a->owners.mode == b->owners.mode &&
	       a->owners.file_whiteouts == b->owners.file_whiteouts && a->overlay == b->overlay &&
	       a->listener == b->listener && a->uids.first == b->uids.first &&
	       a->gids.first == b->gids.first && str_equal(a->bwrap, b->bwrap);
}

bool session_doubt_host(struct session *session)
{
	CLEANUP(sandbox_host_release) struct sandbox_host before = {0};
	struct sandbox_tried tried;

	if (!session->has_host || !session->host_remembered)
		return false;
	before = session->host;
	session->has_host = false;
	session_probe_host(session, &tried);
	return !agree(&before, &session->host);
}

int session_need_host(struct session *session, struct varve_error *err)
{
	session_find_host(session);
	/* Since then something may have been cured that the surroundings do not show. */
	if (session->host.isolation == SANDBOX_NONE)
		(void)session_doubt_host(session);
	if (session->host.isolation != SANDBOX_NONE)
		return 0;
	if (err)
		*err = session->host.cause;
	if (!session->cli->values.isolation && sandbox_can_chroot())
		varve_error_hint(err, "or, with less isolation: --isolation chroot");
	return session->host.cause.code;
}
