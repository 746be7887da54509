/* SPDX-License-Identifier: Apache-2.0
 * The trees of a chain of layers, opened, unpacked where they are missing, and mounted as one view.
 */
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
	size_t i;

	for (i = 0; i < stack->count; i++) {
		fd_close(&stack->trees[i].tree);
		store_tree_lists_release(&stack->lists[i]);
	}
	free(stack->trees);
	free(stack->lists);
	*stack = (struct step_stack){0};
}

size_t step_chain_layers(const struct build *build, int step, struct varve_layer *ret)
{
	size_t count = 0, i;
	int at;

	for (at = step; at != PLAN_NONE; at = build->plan->steps[at].below)
		if (!build->known[at].empty)
			ret[count++] = build->steps[at].layer;
	for (i = 0; i < count / 2; i++) {
		struct varve_layer swap = ret[i];

		ret[i] = ret[count - 1 - i];
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

	r = store_job_begin(build->store, &job, err);
	if (r < 0)
		return r;
	r = varve_store_open_blob(build->store, &layer->blob.digest, &blob, err);
	if (r == 0 && mkdirat(job.dirfd, "fs", 0755) < 0)
		r = varve_error_set(err, -errno, "make %s/fs", job.path);
	if (r == 0 && (tree = openat(job.dirfd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = varve_error_set(err, -errno, "open %s/fs", job.path);
	if (r == 0)
		r = layer_apply(blob, layer, tree, &build->host->owners, &lists.implied, err);
	if (r == 0)
		r = step_links_list(build, tree, &lists.links, err);
	if (r == 0)
		r = store_tree_adopt(build->store, build->host->owners.mode, &layer->diff_id,
				     job.dirfd, "fs", &lists, err);
	(void)store_job_remove(build->store, &job);
	return r;
}

/* Opens a tree; where it is missing one process unpacks it, the others wait for that one. */
static int open_tree(struct build *build, const struct varve_layer *layer, int *ret,
		     struct store_tree_lists *ret_lists, struct varve_error *err)
{
	CLEANUP(fd_close) int lock = -1;
	char name[80], hex[VARVE_DIGEST_HEX];
	int r;

	r = store_tree_open(build->store, build->host->owners.mode, &layer->diff_id, ret, ret_lists,
			    err);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	snprintf(name, sizeof(name), "tree-%s", varve_digest_hex(&layer->diff_id, hex));
	r = store_lock(build->store, name, true, true, &lock, err);
	if (r < 0)
		return r;
	r = store_tree_open(build->store, build->host->owners.mode, &layer->diff_id, ret, ret_lists,
			    err);
	if (r != -VARVE_E_NOT_FOUND)
		return r;
	r = unpack(build, layer, err);
	if (r < 0)
		return r;
	return store_tree_open(build->store, build->host->owners.mode, &layer->diff_id, ret,
			       ret_lists, err);
}

int step_stack_open(struct build *build, const struct varve_layer *layers, size_t count,
		    struct step_stack *ret, struct varve_error *err)
{
	size_t i;
	int r;

	*ret = (struct step_stack){
		.trees = xcalloc(count + 1, sizeof(*ret->trees)),
		.lists = xcalloc(count + 1, sizeof(*ret->lists)),
	};
	for (i = 0; i < count; i++) {
		r = open_tree(build, &layers[i], &ret->trees[i].tree, &ret->lists[i], err);
		if (r == 0)
			r = load_links(build, ret->trees[i].tree, &ret->lists[i].links, err);
		if (r < 0) {
			step_stack_release(ret);
			return r;
		}
		ret->trees[i].implied = &ret->lists[i].implied;
		ret->count++;
	}
	return 0;
}

/* The directories that the overlay would show wrongly, as one more tree on top. Returns its
 * descriptor, or -1 with *ret_error 0 where none is needed. */
static int open_fixup(const struct step_stack *stack, const struct owners *owners, const char *path,
		      int *ret_error, struct varve_error *err)
{
	CLEANUP(fd_close) int fixup = -1;
	int r;

	*ret_error = 0;
	if (stack->count < 2)
		return -1;
	if (mkdir(path, 0755) < 0 || (fixup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		*ret_error = varve_error_set(err, -errno, "make %s", path);
		return -1;
	}
	r = layer_parents(stack->trees, stack->count, owners, fixup, err);
	if (r < 0)
		*ret_error = r;
	return r > 0 ? steal_fd(&fixup) : -1;
}

int step_stack_mount(const struct step_stack *stack, const struct owners *owners,
		     const char *job_path, const struct step_place *place, struct varve_error *err)
{
	CLEANUP(free_ptr) char *target = path_join(job_path, place->name);
	CLEANUP(free_ptr) char *fixup_path = xasprintf("%s.fixup", target);
	CLEANUP(free_ptr) int *lowers = xcalloc(stack->count + 1, sizeof(*lowers));
	CLEANUP(fd_close) int fixup = -1;
	size_t count = 0, i;
	int r;

	if (mkdir(target, 0755) < 0)
		return varve_error_set(err, -errno, "make %s", target);
	fixup = open_fixup(stack, owners, fixup_path, &r, err);
	if (r < 0)
		return r;
	if (fixup >= 0)
		lowers[count++] = fixup;
	for (i = stack->count; i-- > 0;)
		lowers[count++] = stack->trees[i].tree;
	return sandbox_overlay(lowers, count, place->upper, place->work, target, err);
}

int step_view(struct step *step, int top, const struct step_place *place,
	      struct step_stack *ret_stack, struct varve_error *err)
{
	CLEANUP(step_stack_release) struct step_stack stack = {0};
	CLEANUP(free_ptr) struct varve_layer *layers = NULL;
	size_t count;
	int r;

	layers = xcalloc(step->build->plan->step_count + 1, sizeof(*layers));
	count = step_chain_layers(step->build, top, layers);
	r = step_stack_open(step->build, layers, count, &stack, err);
	if (r == 0)
		r = step_stack_mount(&stack, &step->build->host->owners, step->job.path, place,
				     err);
	if (r < 0)
		return r;
	strv_take(&step->views, path_join(step->job.path, place->name));
	if (ret_stack) {
		*ret_stack = stack;
		stack = (struct step_stack){0};
	}
	return 0;
}

void step_unview(struct step *step)
{
	size_t i;

	for (i = step->views.count; i-- > 0;)
		(void)sandbox_unmount(step->views.items[i], NULL);
	strv_release(&step->views);
}
