/* SPDX-License-Identifier: Apache-2.0
 * A pull from wherever this machine's settings say: mirrors in turn, then the registry. */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/pull.h"
#include "registry/registry_rules.h"
#include "registry/remote_tags.h"

enum { TAGS_SHOWN = 300 /* bytes of them in a message */ };

/* The tags that are there, when the wanted one is not. */
static void suggest(struct registry *registry, const char *tag, struct varve_error *err)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	CLEANUP(free_ptr) char *all = NULL;
	struct varve_error unused;
	const char *nearest;

	if (http_client_new(&client, &unused) < 0 ||
	    remote_tags(registry, client, &tags, &unused) < 0 || tags.count == 0 ||
	    strv_contains(&tags, tag))
		return;
	nearest = str_nearest(tag, (const char *const *)tags.items);
	all = strv_join(&tags, ", ");
	if (nearest)
		varve_error_hint(err, "did you mean \"%s\"?", nearest);
	else if (strlen(all) <= TAGS_SHOWN)
		varve_error_hint(err, "it has: %s", all);
	else
		varve_error_hint(err, "it has %zu other tags", tags.count);
}

static int try_way(const struct registry_settings *settings, const struct registry_way *way,
		   struct pull *pull, struct registry **ret_registry, struct pull_result *ret,
		   struct varve_error *err)
{
	CLEANUP(registry_closep) struct registry *registry = NULL;
	char target[REFERENCE_TARGET];
	int r = registry_open_way(settings, way, false, &registry, err);

	if (r < 0)
		return r;
	pull->registry = registry;
	r = pull_run(pull, reference_target(&way->reference, target), ret, err);
	if (r == -VARVE_E_NOT_FOUND && !way->is_mirror &&
	    varve_digest_is_none(&way->reference.digest))
		suggest(registry, target, err);
	if (r < 0)
		return r;
	*ret_registry = steal_ptr(&registry);
	return 0;
}

/* HOST/REPOSITORY. Caller frees. */
static char *name_of(const struct registry_way *way)
{
	return xasprintf("%s/%s", way->reference.host, way->reference.repository);
}

static void tell(const struct registry_settings *settings, const struct registry_way *way,
		 const struct registry_way *next, const struct varve_error *why)
{
	CLEANUP(free_ptr) char *name = name_of(way);
	CLEANUP(free_ptr) char *other = name_of(next);
	CLEANUP(free_ptr) char *text = NULL;
	bool named = str_starts(why->text, name);

	if (!settings->notice)
		return;
	text = xasprintf("mirror %s%s%.*s; asking %s", named ? "" : name, named ? "" : ": ",
			 (int)strcspn(why->text, "\n"), why->text, other);
	settings->notice(settings->cookie, text);
}

static void add_mirrors(const struct registry_ways *ways, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv hosts = STRV_INIT;
	CLEANUP(free_ptr) char *all = NULL;

	for (size_t i = 0; i + 1 < ways->count; i++)
		strv_take(&hosts, name_of(&ways->items[i]));
	all = strv_join(&hosts, ", ");
	if (hosts.count > 0)
		varve_error_hint(err, "asked before, in vain: %.400s", all);
}

int pull_from(const struct registry_settings *settings, const struct reference *from,
	      struct pull *pull, struct registry **ret_registry, struct pull_result *ret,
	      struct varve_error *err)
{
	CLEANUP(registry_ways_release) struct registry_ways ways = {0};
	int r = registry_ways_find(settings->rules, from, &ways, err);

	for (size_t i = 0; r == 0 && i < ways.count; i++) {
		r = try_way(settings, &ways.items[i], pull, ret_registry, ret, err);
		/* Another place may do better; trouble of this machine stays the same there. */
		if (r == 0 || registry_blame(r) != -VARVE_E_NETWORK)
			return r;
		if (i + 1 == ways.count)
			break;
		tell(settings, &ways.items[i], &ways.items[i + 1], err);
		*err = (struct varve_error){0};
		r = 0;
	}
	if (r < 0)
		add_mirrors(&ways, err);
	return r;
}

int pull_open_upstream(const struct registry_settings *settings, const struct reference *from,
		       struct registry **ret, struct varve_error *err)
{
	CLEANUP(registry_ways_release) struct registry_ways ways = {0};
	int r = registry_ways_find(settings->rules, from, &ways, err);

	return r < 0 ? r
		     : registry_open_way(settings, &ways.items[ways.count - 1], false, ret, err);
}
