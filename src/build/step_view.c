/* SPDX-License-Identifier: Apache-2.0
 * Stacks of trees as one view: mounted by overlayfs, or merged where there is none. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/path.h"
#include "layer/layer_touch.h"

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

static int open_root(const char *target)
{
	int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Where owners of links are records, a command must not find one in a layer below. Returns whether
 * the view is to be mounted anew. */
static int carry_links(const struct owners *owners, const char *target)
{
	CLEANUP(fd_close) int root = -1;

	if (owners->mode != OWNER_ONE || owner_links_count(owners->links) == 0)
		return 0;
	root = open_root(target);
	return root < 0 ? root : owner_links_carry(owners->links, root);
}

static int settle_links(const struct owners *owners, const char *target)
{
	CLEANUP(fd_close) int root = open_root(target);

	return root < 0 ? root : owner_links_settle(owners->links, root);
}

/* What sandbox_overlay is told. */
struct overlay {
	const int *lowers;
	size_t count;
	int upper, work;
	const char *target;
};

static int mount_overlay(const struct overlay *o, struct varve_error *err)
{
	return sandbox_overlay(o->lowers, o->count, o->upper, o->work, o->target, err);
}

static int mount_writable(const struct overlay *o, const struct owners *owners,
			  struct varve_error *err)
{
	int r = mount_overlay(o, err), carried;

	if (r < 0)
		return r;
	carried = carry_links(owners, o->target);
	if (carried <= 0)
		return carried < 0 ? varve_error_set(err, carried, "owners of links below") : 0;
	r = sandbox_unmount(o->target, err);
	/* What a volatile overlay leaves there keeps the next one out. */
	if (r == 0 && (r = fd_remove_tree(o->work, "work")) < 0)
		r = varve_error_set(err, r, "empty the work directory of %s", o->target);
	if (r == 0)
		r = mount_overlay(o, err);
	if (r < 0)
		return r;
	r = settle_links(owners, o->target);
	return r < 0 ? varve_error_set(err, r, "owners of links below") : 0;
}

/* More trees than an overlay takes: the lowest ones become one, of links into them. Returns its
 * descriptor, or a negative code. */
static int open_floor(const struct step_stack *stack, size_t count, const struct owners *owners,
		      const char *path, struct varve_error *err)
{
	CLEANUP(fd_close) int floor = -1;
	int r;

	if (mkdir(path, 0755) < 0 || (floor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return varve_error_set(err, -errno, "make %s", path);
	r = layer_merge(stack->trees, count, owners, LAYER_MERGE_LINKS, floor, err);
	return r < 0 ? r : steal_fd(&floor);
}

/* How many of them are the floor: it and the fixup are lowers too. */
static size_t count_floor(const struct step_stack *stack)
{
	size_t room = SANDBOX_LOWERS_MAX - 2;

	return stack->count <= SANDBOX_LOWERS_MAX - 1 ? 0 : stack->count - room;
}

static int mount_stack(const struct step_stack *stack, const struct owners *owners,
		       const char *target, const struct step_place *place, struct varve_error *err)
{
	CLEANUP(free_ptr) char *fixup_path = xasprintf("%s.fixup", target);
	CLEANUP(free_ptr) char *floor_path = xasprintf("%s.floor", target);
	CLEANUP(free_ptr) int *lowers = xcalloc(stack->count + 1, sizeof(*lowers));
	CLEANUP(fd_close) int fixup = -1, floor = -1;
	size_t count = 0, merged = count_floor(stack), i;
	struct overlay overlay;
	int r;

	if (mkdir(target, 0755) < 0)
		return varve_error_set(err, -errno, "make %s", target);
	fixup = open_fixup(stack, owners, fixup_path, &r, err);
	if (r < 0)
		return r;
	if (fixup >= 0)
		lowers[count++] = fixup;
	for (i = stack->count; i-- > merged;)
		lowers[count++] = stack->trees[i].tree;
	if (merged > 0) {
		floor = open_floor(stack, merged, owners, floor_path, err);
		if (floor < 0)
			return floor;
		lowers[count++] = floor;
	}
	overlay = (struct overlay){lowers, count, -1, -1, target};
	if (place->work < 0)
		return mount_overlay(&overlay, err);
	overlay.upper = place->upper;
	overlay.work = place->work;
	return mount_writable(&overlay, owners, err);
}

/* The copy that a command may change, in upper itself. */
static int merge_copy(const struct step_stack *stack, const struct owners *owners,
		      const char *target, int upper, struct varve_error *err)
{
	if (symlink("upper", target) < 0)
		return varve_error_set(err, -errno, "make %s", target);
	return layer_merge(stack->trees, stack->count, owners, LAYER_MERGE_COPY, upper, err);
}

static int merge_links(const struct step_stack *stack, const struct owners *owners,
		       const char *target, int like, struct varve_error *err)
{
	CLEANUP(fd_close) int view = -1;

	if (mkdir(target, 0755) < 0 ||
	    (view = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return varve_error_set(err, -errno, "make %s", target);
	if (like >= 0)
		return layer_merge_like(stack->trees, stack->count, owners, like, view, err);
	return layer_merge(stack->trees, stack->count, owners, LAYER_MERGE_LINKS, view, err);
}

int step_stack_show(const struct step_stack *stack, const struct sandbox_host *host,
		    const char *job_path, const struct step_place *place, struct varve_error *err)
{
	CLEANUP(free_ptr) char *target = path_join(job_path, place->name);

	if (host->overlay)
		return mount_stack(stack, &host->owners, target, place, err);
	if (place->work >= 0)
		return merge_copy(stack, &host->owners, target, place->upper, err);
	return merge_links(stack, &host->owners, target, place->upper, err);
}

int step_view(struct step *step, int top, const struct step_place *place,
	      struct step_stack *ret_stack, struct varve_error *err)
{
	CLEANUP(step_stack_release) struct step_stack stack = {0};
	CLEANUP(free_ptr) struct varve_layer *layers = NULL;
	size_t count;
	int r;

	layers = xcalloc(plan_chain_room(step->build->plan, step->build->known, top),
			 sizeof(*layers));
	count = step_chain_layers(step->build, top, layers);
	r = step_stack_open(step->build, layers, count, &stack, err);
	if (r == 0)
		r = step_stack_show(&stack, step->build->host, step->job.path, place, err);
	if (r < 0)
		return r;
	strv_take(&step->views, path_join(step->job.path, place->name));
	step->devices = step->devices || step_stack_has_devices(&stack);
	if (ret_stack) {
		*ret_stack = stack;
		stack = (struct step_stack){0};
	}
	return 0;
}

void step_unview(struct step *step)
{
	size_t i;

	for (i = step->views.count; i-- > 0;) {
		if (step->build->host->overlay)
			(void)sandbox_unmount(step->views.items[i], NULL);
		else
			(void)fd_remove_tree(AT_FDCWD, step->views.items[i]);
	}
	strv_release(&step->views);
}

int step_touch_prepare(struct step *step, struct varve_error *err)
{
	const struct sandbox_host *host = step->build->host;

	/* Where nothing is below all that is there in the end is a change. */
	if (host->overlay || step->plan->base == PLAN_NONE)
		return 0;
	return layer_touch_new(step->upper, &host->owners, &step->touch, err);
}

int step_touch_begin(struct step *step, struct varve_error *err)
{
	return step->touch ? layer_touch_begin(step->touch, err) : 0;
}

int step_touch_end(struct step *step, struct varve_error *err)
{
	int r = step->touch ? layer_touch_end(step->touch, err) : 0;

	layer_touch_freep(&step->touch);
	return r;
}
