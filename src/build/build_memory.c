/* SPDX-License-Identifier: Apache-2.0
 * What the last build of a recipe was made of: facts/last-RECIPE.json, {"stage/step":"key", ...}.
 */
#include "build/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static char *fact_of(const struct build *build)
{
	return xasprintf("last-%s.json", build->plan->recipe_name);
}

static json_t *read_memory(const struct build *build)
{
	CLEANUP(free_ptr) char *name = fact_of(build);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *memory = NULL;

	if (store_fact_read(build->store, name, &text) < 0)
		return NULL;
	if (json_parse(buf_text(&text), text.len, name, &memory, NULL) < 0)
		return NULL;
	return memory;
}

void build_remember(const struct build *build)
{
	CLEANUP(json_decrefp) json_t *before = read_memory(build);
	CLEANUP(json_decrefp) json_t *memory = before ? json_deep_copy(before) : json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(free_ptr) char *fact = fact_of(build);
	size_t i;

	for (i = 0; i < build->plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(build->plan, (int)i);

		if (build->known[i].known && build->steps[i].has_key)
			json_set(memory, name, json_of_digest(&build->steps[i].key));
	}
	if (before && json_equal(before, memory))
		return;
	json_canonical(memory, &text);
	(void)store_fact_write(build->store, fact, buf_text(&text), text.len);
}

int build_recall_record(const struct build *build, const char *step_name, struct store_record *ret)
{
	CLEANUP(json_decrefp) json_t *memory = read_memory(build);
	struct varve_digest key;

	if (!memory || json_get_digest(memory, step_name, &key, NULL) < 0)
		return -VARVE_E_NOT_FOUND;
	return store_record_read(build->store, &key, ret, NULL);
}

json_t *build_recall(const struct build *build, const char *step_name)
{
	CLEANUP(store_record_release) struct store_record record = {0};

	return build_recall_record(build, step_name, &record) < 0 ? NULL
								  : json_incref(record.input);
}

uint64_t build_recall_size(const struct build *build, const char *step_name, uint64_t *ret_trees)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	uint64_t sum = 0, trees = 0;

	if (build_recall_record(build, step_name, &record) < 0)
		return 0;
	for (size_t i = 0; i < record.layers.count; i++) {
		const struct varve_layer *layer = &record.layers.items[i];

		if (__builtin_add_overflow(sum, layer->tar_size, &sum) ||
		    __builtin_add_overflow(sum, layer->blob.size, &sum))
			return UINT64_MAX;
		trees += layer->tar_size; /* no more than the sum */
	}
	*ret_trees = trees;
	return sum;
}
