/* SPDX-License-Identifier: Apache-2.0 */
#include "build/destination.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/path.h"
#include "build/interpreter.h"
#include "build/step.h"
#include "layer/layer_memo.h"

/* facts/destination-HEX: HEX of the chain's diff ids and what is asked of it. */
static void fact_name(const struct varve_layer *layers, size_t count, const struct plan_step *step,
		      char name[DESTINATION_FACT])
{
	struct hasher *h = hasher_new();
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];
	size_t i;

	for (i = 0; i < count; i++)
		hasher_update(h, layers[i].diff_id.bytes, VARVE_DIGEST_SIZE);
	hasher_update(h, step->to, strlen(step->to));
	if (step->interpreter) {
		const char *path = strv_getenv(&step->environment, "PATH");

		hasher_update(h, step->interpreter, strlen(step->interpreter) + 1);
		hasher_update(h, path ? path : "", path ? strlen(path) : 0);
	}
	hasher_final(h, &digest);
	hasher_free(h);
	snprintf(name, DESTINATION_FACT, "destination-%s", varve_digest_hex(&digest, hex));
}

/* One line, or two: the destination, then the interpreter. */
static void fact_text(const struct plan_known *known, struct buf *ret)
{
	buf_addf(ret, "%s%s%s", known->destination, known->interpreter ? "\n" : "",
		 known->interpreter ? known->interpreter : "");
}

static void keep_fact(struct build *build, const struct varve_layer *layers, size_t count, int step)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char fact[DESTINATION_FACT];

	fact_name(layers, count, &build->plan->steps[step], fact);
	fact_text(&build->known[step], &text);
	(void)store_fact_write(build->store, fact, buf_text(&text), text.len);
}

/* What others say: a clean path and, where the step names one, an interpreter. */
static bool is_sane(const char *text, const struct plan_step *step)
{
	size_t len = strcspn(text, "\n");
	CLEANUP(free_ptr) char *path = xstrndup(text, len);

	if (str_ends(path, "/"))
		path[len - 1] = '\0';
	return (*path == '\0' || path_is_clean(path)) &&
	       (step->interpreter != NULL) == (text[len] == '\n');
}

/* In a shared cache; then also here. */
static bool ask_others(struct build *build, int step, const char *fact, struct buf *ret)
{
	const struct build_cache *cache = build->cache;

	if (!cache || !cache->find_fact || cache->find_fact(cache->cookie, fact, ret) != 1 ||
	    !is_sane(buf_text(ret), &build->plan->steps[step]))
		return false;
	(void)store_fact_write(build->store, fact, buf_text(ret), ret->len);
	return true;
}

static void read_fact(struct plan_known *known, const char *text)
{
	const char *end = strchr(text, '\n');

	known->destination = xstrndup(text, end ? (size_t)(end - text) : strlen(text));
	if (end)
		known->interpreter = xstrdup(end + 1);
}

struct destination_view {
	struct step_stack stack;
	struct varve_digest *diff_ids; /* of its trees */
	struct layer_memo memo;
};

void destination_forget(struct build *build)
{
	if (!build->view)
		return;
	step_stack_release(&build->view->stack);
	layer_memo_release(&build->view->memo);
	free(build->view->diff_ids);
	free(build->view);
	build->view = NULL;
}

void destination_leave(struct build *build)
{
	const struct step_stack *stack = build->view ? &build->view->stack : NULL;
	size_t first = 0, end;

	/* Most have neighbouring numbers. */
	for (; stack && first < stack->count; first = end) {
		int fd = stack->trees[first].tree;

		for (end = first + 1; end < stack->count; end++)
			if (stack->trees[end].tree != fd + (int)(end - first))
				break;
		(void)close_range((unsigned)fd, (unsigned)fd + (unsigned)(end - first) - 1, 0);
	}
	build->view = NULL;
}

/* How many of the layers are open. */
static size_t count_same(const struct destination_view *view, const struct varve_layer *layers,
			 size_t count)
{
	size_t same = 0;

	while (view && same < view->stack.count && same < count &&
	       varve_digest_equal(&view->diff_ids[same], &layers[same].diff_id))
		same++;
	return same;
}

/* Borrowed, until the next call. */
static int open_view(struct build *build, const struct varve_layer *layers, size_t count,
		     struct destination_view **ret, struct varve_error *err)
{
	size_t same = count_same(build->view, layers, count);
	struct destination_view *view = build->view;
	int r;

	if (!view)
		view = build->view = xcalloc(1, sizeof(*view));
	step_stack_cut(&view->stack, same);
	layer_memo_cut(&view->memo, same);
	r = step_stack_extend(build, layers, count, &view->stack, err);
	if (r < 0) {
		destination_forget(build);
		return r;
	}
	view->diff_ids = xreallocarray(view->diff_ids, count + 1, sizeof(*view->diff_ids));
	for (size_t i = same; i < count; i++)
		view->diff_ids[i] = layers[i].diff_id;
	*ret = view;
	return 0;
}

static int resolve(struct build *build, const struct varve_layer *layers, size_t count, int step,
		   struct varve_error *err)
{
	struct destination_view *view = NULL;
	struct layer_resolved found = {.path = NULL};
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(free_ptr) char *interpreter = NULL;
	const struct plan_step *plan = &build->plan->steps[step];
	int r;

	r = open_view(build, layers, count, &view, err);
	if (r == 0)
		r = layer_resolve(view->stack.trees, view->stack.count, plan->to, &view->memo,
				  &found, err);
	path = found.path;
	if (r == 0 && plan->interpreter)
		r = interpreter_find(&view->stack, plan, path, &interpreter, err);
	if (r < 0)
		return r;
	build->known[step].destination =
		xasprintf("%s%s", path, found.is_directory && *path ? "/" : "");
	build->known[step].interpreter = steal_ptr(&interpreter);
	keep_fact(build, layers, count, step);
	return 0;
}

/* Without unpacking anything: all trees are here and we may read them. Those that are open already
 * are. */
static bool trees_are_here(struct build *build, const struct varve_layer *layers, size_t count)
{
	if (!build->host)
		return false;
	for (size_t i = count_same(build->view, layers, count); i < count; i++)
		if (!store_tree_exists(build->store, &build->host->owners, &layers[i].diff_id))
			return false;
	return true;
}

/* The layers below what is placed, or -EAGAIN. Caller frees *ret. */
static int layers_below(const struct build *build, int step, struct varve_layer **ret,
			size_t *ret_count)
{
	int base = build->plan->steps[step].base, at;

	for (at = base; at >= 0; at = build->plan->steps[at].below)
		if (!build->known[at].known)
			return -EAGAIN;
	*ret = xcalloc(plan_chain_room(build->plan, build->known, base), sizeof(**ret));
	*ret_count = step_chain_layers(build, base, *ret);
	return 0;
}

int build_destination(struct build *build, int step, struct varve_error *err)
{
	CLEANUP(free_ptr) struct varve_layer *layers = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char fact[DESTINATION_FACT];
	size_t count;

	if (!build->plan->steps[step].to || build->known[step].destination)
		return 0;
	if (build->plan->steps[step].link) {
		build->known[step].destination = path_clean(build->plan->steps[step].to);
		return 0;
	}
	if (layers_below(build, step, &layers, &count) < 0)
		return -EAGAIN;
	fact_name(layers, count, &build->plan->steps[step], fact);
	if (store_fact_read(build->store, fact, &text) == 0) {
		read_fact(&build->known[step], buf_text(&text));
		return 0;
	}
	if (!trees_are_here(build, layers, count)) {
		if (!ask_others(build, step, fact, &text))
			return -EAGAIN;
		read_fact(&build->known[step], buf_text(&text));
		return 0;
	}
	/* A directory that only its owner may enter is left to a worker, which is that owner. */
	return resolve(build, layers, count, step, err) < 0 ? -EAGAIN : 0;
}

bool build_destination_fact(const struct build *build, int step, char name[DESTINATION_FACT],
			    struct buf *ret_text)
{
	CLEANUP(free_ptr) struct varve_layer *layers = NULL;
	const struct plan_step *plan = &build->plan->steps[step];
	size_t count;

	if (!plan->to || plan->link || !build->known[step].destination ||
	    layers_below(build, step, &layers, &count) < 0)
		return false;
	fact_name(layers, count, plan, name);
	fact_text(&build->known[step], ret_text);
	return true;
}

int build_destination_in_worker(struct build *build, int step, struct varve_error *err)
{
	CLEANUP(free_ptr) struct varve_layer *layers = NULL;
	size_t count;

	if (layers_below(build, step, &layers, &count) < 0)
		return varve_error_set(err, -EINVAL, "resolve a destination before its base");
	return resolve(build, layers, count, step, err);
}
