/* SPDX-License-Identifier: Apache-2.0
 * What the store already knows of a plan's steps. */
#include "build/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "build/destination.h"

static int adopt_record(struct build *build, int step, struct store_record *record)
{
	struct plan_known *known = &build->known[step];

	known->known = true;
	layer_list_release(&known->layers);
	known->layers = record->layers;
	record->layers = (struct layer_list){0};
	memcpy(build->steps[step].compression, record->compression, sizeof(record->compression));
	build->status[step].verdict = PLAN_HIT;
	build->status[step].size = layer_list_size(&known->layers);
	return 1;
}

/* The first difference from the last build's input, as the reason of a miss. */
static void reason_of_miss(struct build *build, int step)
{
	CLEANUP(free_ptr) char *name = plan_step_name(build->plan, step);
	CLEANUP(json_decrefp) json_t *before = build_recall(build, name);
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	struct plan_status *status = &build->status[step];

	if (!before) {
		snprintf(status->why, sizeof(status->why), "not built before");
		return;
	}
	plan_explain(before, build->steps[step].input, NULL, NULL, &lines);
	if (lines.count == 0)
		snprintf(status->why, sizeof(status->why), "its layer is no longer in the store");
	else if (lines.count == 1)
		snprintf(status->why, sizeof(status->why), "%.150s", lines.items[0]);
	else
		snprintf(status->why, sizeof(status->why), "%.120s (+%zu more)", lines.items[0],
			 lines.count - 1);
}

static void depends(struct build *build, int step, int on)
{
	build->status[step].verdict = PLAN_DEPENDS;
	build->status[step].depends_on = on;
}

/* Takes the new input over when it differs from the one in hand. */
static void set_input(struct build_step *state, json_t *take_input)
{
	json_decref(state->input);
	state->input = take_input;
	state->has_key = true;
	json_digest(take_input, &state->key);
}

enum sandbox_loss build_loss(const struct build *build, const struct plan_step *step)
{
	if (!build->host || step->action == ACTION_COPY)
		return SANDBOX_LOSES_NOTHING;
	return sandbox_loss(build->host, step->ownership_fast);
}

/* Where owners get lost the layer may be another one, under a key of its own. An exact one, made
 * elsewhere, is as good. */
static int look_up_lossy(struct build *build, int step, struct store_record *ret,
			 struct varve_error *err)
{
	static const char *const names[] = {
		[SANDBOX_HIDES_OWNERS] = "fast", [SANDBOX_LOSES_OWNERS] = "flat"};
	enum sandbox_loss loss = build_loss(build, &build->plan->steps[step]);
	struct build_step *state = &build->steps[step];

	if (loss == SANDBOX_LOSES_NOTHING)
		return -VARVE_E_NOT_FOUND;
	json_set(state->input, "owners", json_text(names[loss]));
	json_digest(state->input, &state->key);
	build->status[step].key = state->key;
	return store_record_read(build->store, &state->key, ret, err);
}

int build_look_up(struct build *build, int step, struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	struct build_step *state = &build->steps[step];
	json_t *input = NULL;
	int unknown = PLAN_NONE, r;

	if (build->known[step].known)
		return 1;
	r = build_destination(build, step, err);
	if (r < 0 && r != -EAGAIN)
		return r;
	r = plan_input(build->plan, step, build->known, &input, &unknown);
	if (r < 0) {
		depends(build, step, unknown);
		return r == -EAGAIN ? 0 : varve_error_set(err, r, "compute the key of a step");
	}
	set_input(state, input);
	build->status[step].key = state->key;
	r = store_record_read(build->store, &state->key, &record, err);
	if (r == -VARVE_E_NOT_FOUND && build->cache &&
	    build->cache->find(build->cache->cookie, &state->key) == 1)
		r = store_record_read(build->store, &state->key, &record, err);
	if (r == -VARVE_E_NOT_FOUND)
		r = look_up_lossy(build, step, &record, err);
	if (r == 0)
		return adopt_record(build, step, &record);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	build->status[step].verdict = PLAN_MISS;
	reason_of_miss(build, step);
	return 0;
}

int build_assess(struct build *build, struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < build->plan->step_count; i++) {
		if (!build_wants(build, i))
			continue;
		r = build_look_up(build, (int)i, err);
		if (r < 0)
			return r;
		build->steps[i].cached = r == 1;
	}
	return 0;
}
