/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/as_owner.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "base/size_text.h"
#include "registry/remote_cache.h"

enum { GC_DAYS = 14, GC_DAY = 86400 };

struct collection {
	struct session *session;
	struct store_gc_options options;
};

/* What the collecting process found out. */
struct outcome {
	int code;
	struct store_gc_result result;
	struct varve_error err;
};

static void collect(void *cookie, void *result)
{
	const struct collection *c = cookie;
	struct outcome *ret = result;

	ret->code = store_gc(c->session->store, &c->options, &ret->result, &ret->err);
}

static void print_result(const struct cli *cli, const struct store_gc_result *result)
{
	char size[16];

	if (cli->values.json)
		printf("{\"blobs\":%ju,\"bytes\":%ju,\"records\":%ju,\"trees\":%ju}\n",
		       (uintmax_t)result->blobs, (uintmax_t)result->bytes,
		       (uintmax_t)result->records, (uintmax_t)result->trees);
	else
		printf("%s %s: %ju blobs, %ju trees, %ju records\n",
		       cli->values.dry_run ? "would free" : "freed", size_text(result->bytes, size),
		       (uintmax_t)result->blobs, (uintmax_t)result->trees,
		       (uintmax_t)result->records);
}

/* --- a shared cache ------------------------------------------------------------------------------
 */

static int prune(struct cli *cli, unsigned days, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(reference_release) struct reference reference = {0};
	CLEANUP(remote_cache_close) struct remote_cache cache = {0};
	struct remote_cache_pruned pruned = {0};
	int r = reference_parse(cli->values.remote, &reference, err);

	if (r == 0)
		r = remote_open(&remote, cli, false, err);
	if (r == 0) {
		remote_cache_init(&cache, remote.session.store, remote.uploads, NULL);
		r = remote_cache_open(&cache, &remote.settings, &reference, true, err);
	}
	if (r == 0)
		r = remote_cache_prune(&cache, days, cli->values.dry_run, &pruned, err);
	if (r < 0)
		return r;
	if (cli->values.json)
		printf("{\"kept\":%zu,\"records\":%zu}\n", pruned.kept, pruned.records);
	else
		printf("%s %zu records, %zu stay\n",
		       cli->values.dry_run ? "would remove" : "removed", pruned.records,
		       pruned.kept);
	return 0;
}

int cmd_gc(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	struct collection c = {.session = &session};
	struct outcome outcome = {0};
	unsigned long long days = GC_DAYS;
	int r;

	if (cli->values.keep && !str_to_u64(cli->values.keep, 36500, &days))
		return varve_error_set(err, -VARVE_E_USAGE, "--keep %s: a number of days is needed",
				       cli->values.keep);
	if (cli->values.remote)
		return prune(cli, (unsigned)days, err);
	c.options = (struct store_gc_options){
		.dry_run = cli->values.dry_run,
		.keep_seconds = days * GC_DAY,
		.trees = cli->values.trees,
		.caches = cli->values.caches,
		.logs = cli->values.logs,
	};
	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = as_owner(&session, &(struct owner_work){collect, &c, &outcome, sizeof(outcome)},
			     err);
	if (r < 0)
		return r;
	if (outcome.code < 0) {
		*err = outcome.err;
		return outcome.code;
	}
	print_result(cli, &outcome.result);
	return 0;
}
