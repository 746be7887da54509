/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/remote_cache_document.h"
#include "registry/remote_manifest.h"
#include "registry/remote_tags.h"

static int prune_one(struct remote_cache *cache, const char *tag, unsigned days, bool dry_run,
		     struct remote_cache_pruned *ret, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest m = {0};
	char digest[VARVE_DIGEST_TEXT];
	bool is_record;
	long age;
	int r = remote_manifest_get(cache->registry, cache->client, tag, &m, err);

	/* Another one prunes, too. */
	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	/* What it tells of are steps. */
	is_record = remote_cache_is_record(&m);
	age = remote_cache_age(&m, time(NULL));
	if (age < 0 || age < (long)days) {
		ret->kept += is_record;
		return 0;
	}
	ret->records += is_record;
	if (dry_run)
		return 0;
	/* By digest: not every registry removes a tag alone. */
	return remote_manifest_delete(cache->registry, cache->client,
				      varve_digest_text(&m.self.digest, digest), err);
}

int remote_cache_prune(struct remote_cache *cache, unsigned days, bool dry_run,
		       struct remote_cache_pruned *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	int r = remote_tags(cache->registry, cache->client, &tags, err);

	*ret = (struct remote_cache_pruned){0};
	for (size_t i = 0; i < tags.count && r == 0; i++) {
		if (remote_cache_is_tag(tags.items[i]))
			r = prune_one(cache, tags.items[i], days, dry_run, ret, err);
	}
	return r;
}
