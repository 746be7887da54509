/* SPDX-License-Identifier: Apache-2.0
 * The graph of stages: cycles, and stages that nothing needs. */
#include "recipe/recipe_check.h"

#include "base/buf.h"
#include "base/cleanup.h"

enum mark { UNSEEN, OPEN, DONE };

struct search {
	const struct check *check;
	enum mark *marks;
	size_t *path; /* the open stages, outermost first */
	size_t depth;
};

static const char *stage_name(const struct search *search, size_t stage)
{
	return search->check->recipe->stages[stage].name.text;
}

static int cycle_error(const struct search *search, const struct edge *closing,
		       struct varve_error *err)
{
	CLEANUP(buf_release) struct buf cycle = BUF_INIT;
	size_t first = 0;

	while (search->path[first] != closing->to)
		first++;
	for (size_t i = first; i < search->depth; i++)
		buf_addf(&cycle, "%s -> ", stage_name(search, search->path[i]));
	buf_addstr(&cycle, stage_name(search, closing->to));
	return recipe_error(&closing->at, err, "stage \"%s\" needs itself: %s",
			    stage_name(search, closing->to), buf_text(&cycle));
}

static int visit_stage(struct search *search, size_t stage, struct varve_error *err)
{
	const struct edges *edges = &search->check->edges[stage];
	int r = 0;

	search->marks[stage] = OPEN;
	search->path[search->depth++] = stage;
	for (size_t i = 0; r == 0 && i < edges->count; i++) {
		const struct edge *edge = &edges->items[i];

		if (search->marks[edge->to] == OPEN)
			r = cycle_error(search, edge, err);
		else if (search->marks[edge->to] == UNSEEN)
			r = visit_stage(search, edge->to, err);
	}
	search->depth--;
	search->marks[stage] = DONE;
	return r;
}

/* From the images first: what is unseen after them, no image needs. Cycles among those come first
 * all the same. */
static int check_all(struct search *search, struct varve_error *err)
{
	const struct recipe *recipe = search->check->recipe;
	size_t unused = recipe->stage_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->image_count; i++) {
		const struct recipe_stage *stage =
			recipe_find_stage(recipe, recipe->images[i].stage.text);

		if (search->marks[stage - recipe->stages] == UNSEEN)
			r = visit_stage(search, (size_t)(stage - recipe->stages), err);
	}
	for (size_t i = 0; r == 0 && i < recipe->stage_count; i++) {
		if (search->marks[i] != UNSEEN)
			continue;
		if (unused == recipe->stage_count)
			unused = i;
		r = visit_stage(search, i, err);
	}
	if (r == 0 && unused < recipe->stage_count)
		r = recipe_error(&recipe->stages[unused].name.at, err,
				 "no image and no other stage uses stage \"%s\"",
				 recipe->stages[unused].name.text);
	return r;
}

int check_graph(const struct check *check, struct varve_error *err)
{
	size_t count = check->recipe->stage_count + 1;
	CLEANUP(free_ptr) enum mark *marks = xcalloc(count, sizeof(*marks));
	CLEANUP(free_ptr) size_t *path = xcalloc(count, sizeof(*path));
	struct search search = {check, marks, path, 0};

	return check_all(&search, err);
}
