/* SPDX-License-Identifier: Apache-2.0
 * The trees of a chain of layers: opened, unpacked where they are missing. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/path.h"

void step_stack_release(struct step_stack *stack)
{
	step_stack_cut(stack, 0);
	free(stack->trees);
	free(stack->lists);
	*stack = (struct step_stack){0};
}

bool step_stack_has_devices(const struct step_stack *stack)
{
	size_t i;

	for (i = 0; i < stack->count; i++)
		if (stack->lists[i].devices)
			return true;
	return false;
}

size_t step_chain_layers(const struct build *build, int step, struct varve_layer *ret)
{
	size_t base = plan_base_layers(build->plan, step, ret), count = base, i;
	int at;

	for (at = step; at >= 0; at = build->plan->steps[at].below)
		for (i = build->known[at].layers.count; i-- > 0;)
			ret[count++] = build->known[at].layers.items[i];
	for (i = 0; i < (count - base) / 2; i++) {
		struct varve_layer swap = ret[base + i];

		ret[base + i] = ret[count - 1 - i];
		ret[count - 1 - i] = swap;
	}
	return count;
}

int step_links_list(const struct build *build, int tree, struct strv *ret, struct varve_error *err)
{
	struct owner_links *links = build->host->owners.links;
	int r = links ? owner_links_list(links, tree, ret) : 0;

	return r < 0 ? varve_error_set(err, r, "list the owners of links") : 0;
}

static int load_links(const struct build *build, int tree, const struct strv *list,
		      struct varve_error *err)
{
	struct owner_links *links = build->host->owners.links;
	int r = links ? owner_links_load(links, tree, list) : 0;

	return r < 0 ? varve_error_set(err, r, "the owners of links beside a tree") : 0;
}

static int unpack(struct build *build, const struct varve_layer *layer, struct varve_error *err)
{
	struct store_job job = STORE_JOB_INIT;
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists lists = STORE_TREE_LISTS_INIT;
	CLEANUP(fd_close) int blob = -1;
	CLEANUP(fd_close) int tree = -1;
	int r;

	r = store_job_begin(store_work(build->store), &job, err);
	if (r < 0)
		return r;
	owner_links_forget_devices(build->host->owners.links);
	r = varve_store_open_blob(build->store, &layer->blob.digest, &blob, err);
	if (r == 0 && mkdirat(job.dirfd, "fs", 0755) < 0)
		r = varve_error_set(err, -errno, "make %s/fs", job.path);
	if (r == 0 && (tree = openat(job.dirfd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = varve_error_set(err, -errno, "open %s/fs", job.path);
	if (r == 0)
		r = layer_apply(blob, layer, tree, &build->host->owners, &lists.implied, err);
	lists.devices = owner_links_has_devices(build->host->owners.links);
	if (r == 0)
		r = step_links_list(build, tree, &lists.links, err);
	if (r == 0)
		r = store_tree_adopt(build->store, &build->host->owners, &layer->diff_id, job.dirfd,
				     "fs", &lists, err);
	(void)store_job_remove(store_work(build->store), &job);
	return store_failed(store_work(build->store), r, "an unpacked layer", err);
}

/* Opens a tree; where it is missing one process unpacks it, the others wait for that one. */
static int open_tree(struct build *build, const struct varve_layer *layer, int *ret,
		     struct store_tree_lists *ret_lists, struct varve_error *err)
{
	CLEANUP(fd_close) int lock = -1;
	char name[80], hex[VARVE_DIGEST_HEX];
	int r;

	r = store_tree_open(build->store, &build->host->owners, &layer->diff_id, ret, ret_lists,
			    err);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	snprintf(name, sizeof(name), "tree-%s", varve_digest_hex(&layer->diff_id, hex));
	r = store_lock(store_work(build->store), name, true, true, &lock, err);
	if (r < 0)
		return r;
	r = store_tree_open(build->store, &build->host->owners, &layer->diff_id, ret, ret_lists,
			    err);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	r = unpack(build, layer, err);
	if (r < 0)
		return r;
	return store_tree_open(build->store, &build->host->owners, &layer->diff_id, ret, ret_lists,
			       err);
}

static void make_room(struct step_stack *stack, size_t count)
{
	stack->trees = xreallocarray(stack->trees, count, sizeof(*stack->trees));
	stack->lists = xreallocarray(stack->lists, count, sizeof(*stack->lists));
	for (size_t i = 0; i < stack->count; i++)
		stack->trees[i].implied = &stack->lists[i].implied;
}

/* An empty place at the end, not counted yet. */
static struct layer_stacked *next_place(struct build *build, struct step_stack *stack)
{
	struct store_tree_lists *lists = &stack->lists[stack->count];
	struct layer_stacked *tree = &stack->trees[stack->count];

	*lists = (struct store_tree_lists)STORE_TREE_LISTS_INIT;
	*tree = (struct layer_stacked){
		.tree = -1, .implied = &lists->implied, .owners = &build->host->owners};
	return tree;
}

int step_stack_extend(struct build *build, const struct varve_layer *layers, size_t count,
		      struct step_stack *stack, struct varve_error *err)
{
	int r;

	make_room(stack, count);
	for (size_t i = stack->count; i < count; i++) {
		struct layer_stacked *tree = next_place(build, stack);

		r = open_tree(build, &layers[i], &tree->tree, &stack->lists[i], err);
		if (r == 0)
			r = load_links(build, tree->tree, &stack->lists[i].links, err);
		if (r < 0) {
			fd_close(&tree->tree);
			store_tree_lists_release(&stack->lists[i]);
			return r;
		}
		stack->count++;
	}
	return 0;
}

int step_stack_push(struct build *build, const char *path, struct step_stack *stack,
		    struct varve_error *err)
{
	struct layer_stacked *tree;

	make_room(stack, stack->count + 1);
	tree = next_place(build, stack);
	tree->tree = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->tree < 0)
		return varve_error_set(err, -errno, "open %s", path);
	stack->count++;
	return 0;
}

int step_stack_open(struct build *build, const struct varve_layer *layers, size_t count,
		    struct step_stack *ret, struct varve_error *err)
{
	struct step_stack stack = {0};
	int r = step_stack_extend(build, layers, count, &stack, err);

	if (r < 0)
		step_stack_release(&stack);
	else
		*ret = stack;
	return r;
}

void step_stack_cut(struct step_stack *stack, size_t count)
{
	while (stack->count > count) {
		fd_close(&stack->trees[--stack->count].tree);
		store_tree_lists_release(&stack->lists[stack->count]);
	}
}
