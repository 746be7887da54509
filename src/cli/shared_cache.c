/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shared_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "build/destination.h"
#include "layer/layer.h"

static void tell(const struct shared_cache *cache, const char *text)
{
	const struct varve_report *report;

	if (!cache->session->progress)
		return;
	report = progress_report(cache->session->progress);
	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_NOTICE,
							    .step = "shared cache",
							    .text = text});
}

static int open_one(struct shared_cache *cache, const char *text, bool push,
		    struct remote_cache *ret, struct varve_error *err)
{
	CLEANUP(reference_release) struct reference reference = {0};
	int r = reference_parse(text, &reference, err);

	remote_cache_init(ret, cache->session->store, cache->remote.uploads, layer_unpack_stream);
	if (r == 0)
		r = remote_cache_open(ret, &cache->remote.settings, &reference, push, err);
	return r;
}

static int open_remote(struct shared_cache *cache, struct varve_error *err)
{
	int r;

	if (cache->remote.uploads >= 0)
		return 0;
	r = remote_begin(&cache->remote, cache->session->cli, cache->session->store, false, err);
	/* Borrowed from the build's session. */
	cache->remote.session.progress = NULL;
	return r;
}

/* A cache that cannot be reached only costs time. */
static void open_sources(struct shared_cache *cache)
{
	const struct strv *names = &cache->session->cli->values.cache_from;
	struct varve_error err = {0};

	cache->opened = true;
	cache->from = xcalloc(names->count + 1, sizeof(*cache->from));
	if (open_remote(cache, &err) < 0) {
		tell(cache, err.text);
		return;
	}
	for (size_t i = 0; i < names->count; i++) {
		err = (struct varve_error){0};
		if (open_one(cache, names->items[i], false, &cache->from[cache->count], &err) == 0)
			cache->count++;
		else
			tell(cache, err.text);
	}
}

/* One that fails once is not asked again in this build. */
static void drop_source(struct shared_cache *cache, size_t index)
{
	remote_cache_close(&cache->from[index]);
	cache->count--;
	for (size_t i = index; i < cache->count; i++)
		cache->from[i] = cache->from[i + 1];
}

static int find(void *cookie, const struct varve_digest *key)
{
	struct shared_cache *cache = cookie;

	if (digest_set_has(&cache->absent, key))
		return 0;
	if (!cache->opened)
		open_sources(cache);
	for (size_t i = 0; i < cache->count;) {
		struct varve_error err = {0};
		int r = remote_cache_get(&cache->from[i], key, &err);

		if (r == 1)
			return 1;
		if (r < 0)
			tell(cache, err.text);
		if (r == -VARVE_E_NETWORK)
			drop_source(cache, i);
		else
			i++;
	}
	digest_set_add(&cache->absent, key);
	return 0;
}

/* Names end with the digits of a digest, which stands for them among what is absent. */
static int find_fact(void *cookie, const char *name, struct buf *ret)
{
	struct shared_cache *cache = cookie;
	const char *hex = strrchr(name, '-');
	struct varve_digest digest;

	if (!hex || varve_digest_parse_hex(hex + 1, &digest) < 0 ||
	    digest_set_has(&cache->absent, &digest))
		return 0;
	if (!cache->opened)
		open_sources(cache);
	for (size_t i = 0; i < cache->count; i++) {
		struct varve_error err = {0};
		int r = remote_cache_get_fact(&cache->from[i], name, ret, &err);

		if (r == 1)
			return 1;
		if (r < 0)
			tell(cache, err.text);
	}
	digest_set_add(&cache->absent, &digest);
	return 0;
}

static void renew(void *cookie)
{
	struct shared_cache *cache = cookie;

	digest_set_release(&cache->absent);
	cache->absent = (struct digest_set){0};
}

static int check_names(const struct strv *names, const char *option, struct varve_error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		CLEANUP(reference_release) struct reference reference = {0};
		int r = reference_parse(names->items[i], &reference, err);

		if (r == 0 && (reference.tag || !varve_digest_is_none(&reference.digest)))
			r = varve_error_set(err, -VARVE_E_USAGE,
					    "\"%.200s\": a repository is needed, without a tag",
					    names->items[i]);
		if (r < 0) {
			varve_error_prefix(err, "--%s", option);
			return r;
		}
	}
	return 0;
}

int shared_cache_init(struct shared_cache *cache, struct session *session, struct cli *cli,
		      struct varve_error *err)
{
	const struct cli_values *values = &cli->values;
	int r;

	*cache = (struct shared_cache){.session = session, .remote = {.uploads = -1}};
	cache->hook = (struct build_cache){cache, find, find_fact, renew};
	r = check_names(&values->cache_from, "cache-from", err);
	if (r == 0)
		r = check_names(&values->cache_to, "cache-to", err);
	if (r == 0 && values->offline && (values->cache_from.count || values->cache_to.count))
		r = varve_error_set(err, -VARVE_E_USAGE,
				    "--offline forbids a cache that lies elsewhere");
	return r;
}

static int save_fact(const struct build *build, int step, struct remote_cache *to,
		     struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[DESTINATION_FACT];

	if (!build_destination_fact(build, step, name, &text))
		return 0;
	return remote_cache_put_fact(to, name, buf_text(&text), err);
}

static int save_to(struct shared_cache *cache, const char *name, struct varve_error *err)
{
	const struct build *build = &cache->session->build;
	struct remote_cache to = {0};
	int r = open_one(cache, name, true, &to, err);

	for (size_t i = 0; i < build->plan->step_count && r >= 0; i++) {
		/* Who makes one step has found the others there. */
		if (build->wanted && (int)i != cache->session->only_step)
			continue;
		if (build->steps[i].has_key)
			r = remote_cache_put(&to, &build->steps[i].key, err);
		if (r >= 0)
			r = save_fact(build, (int)i, &to, err);
	}
	remote_cache_close(&to);
	if (r < 0)
		varve_error_prefix(err, "--cache-to %.200s", name);
	return r < 0 ? r : 0;
}

int shared_cache_save(struct shared_cache *cache, struct varve_error *err)
{
	const struct strv *names = &cache->session->cli->values.cache_to;
	int r = names->count > 0 ? open_remote(cache, err) : 0;

	for (size_t i = 0; i < names->count && r == 0; i++)
		r = save_to(cache, names->items[i], err);
	return r;
}

void shared_cache_release(struct shared_cache *cache)
{
	while (cache->count > 0)
		drop_source(cache, cache->count - 1);
	free(cache->from);
	digest_set_release(&cache->absent);
	remote_end(&cache->remote);
}
