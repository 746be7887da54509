/* SPDX-License-Identifier: Apache-2.0
 * From what a step left to its layers: one, or one for each part of a split step. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/strv.h"
#include "layer/layer_divide.h"

/* What a step left, as the trees of its layers. */
struct cut {
	int parts; /* the directory of 0, 1, ...; -1: upper is the only tree */
	size_t count;
	const struct strv *implied; /* of all of it */
};

/* One of them, in the work directory. */
struct part {
	int tree;
	int dirfd; /* its directory */
	char name[24]; /* in that */
	struct store_tree_lists lists; /* what goes beside it; .implied from the start */
};

static void part_release(struct part *part)
{
	fd_close(&part->tree);
	store_tree_lists_release(&part->lists);
}

static int part_open(const struct step *step, const struct cut *cut, size_t number,
		     struct part *ret, struct varve_error *err)
{
	bool whole = cut->parts < 0;
	struct strv *implied = &ret->lists.implied;

	*ret = (struct part){.dirfd = whole ? step->job.dirfd : cut->parts,
			     .lists = STORE_TREE_LISTS_INIT};
	(void)snprintf(ret->name, sizeof(ret->name), whole ? "upper" : "%zu", number);
	ret->tree = openat(ret->dirfd, ret->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->tree < 0)
		return varve_error_set(err, -errno, "open %s in %s", ret->name, step->job.path);
	if (!whole)
		return layer_divide_implied(ret->tree, cut->implied, implied, err);
	strv_extend(implied, cut->implied);
	return 0;
}

/* How a layer is made, and what is known of it; all else than how is behind its pointers. */
struct making {
	struct layer_compression how;
	struct step_before before;
	struct layer_vouch vouch;
	struct layer_marks marks; /* of this layer */
};

static void making_release(struct making *m)
{
	step_before_release(&m->before);
	layer_marks_release(&m->marks);
}

static void making_prepare(struct step *step, size_t number, bool blob, struct making *ret)
{
	*ret = (struct making){.how = step->build->options->compression};
	step_before_find(step, number, blob, &ret->before);
	ret->how.known = ret->before.frames;
	if (ret->before.is_whole)
		ret->how.before = &ret->before.marks;
	if (ret->how.kind == LAYER_CHUNKED && step_copied_vouch(step, &ret->vouch))
		ret->how.vouch = &ret->vouch;
	ret->how.marks = &ret->marks;
}

static int write_blob(struct step *step, size_t number, int tree, const struct strv *implied,
		      struct varve_layer *ret, struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer writer = {0};
	CLEANUP(making_release) struct making making;
	struct varve_digest digest;
	int r;

	making_prepare(step, number, true, &making);
	r = store_blob_begin(step->build->store, &writer, err);
	if (r < 0)
		return r;
	writer.is_hashed = true; /* by layer_pack */
	r = layer_pack(tree, implied, &step->build->host->owners, &making.how, &writer.sink, ret,
		       err);
	if (r < 0 || ret->entry_count == 0)
		return r;
	r = store_blob_commit(&writer, &ret->blob.digest, &digest, err);
	if (r == 0)
		step_before_keep(step->build->store, &digest, &making.marks);
	return r;
}

static int measure(struct step *step, size_t number, const struct part *part,
		   struct varve_layer *ret, struct varve_error *err)
{
	CLEANUP(making_release) struct making making;

	making_prepare(step, number, false, &making);
	return layer_measure(part->tree, &part->lists.implied, &step->build->host->owners,
			     &making.how, ret, err);
}

/* The layer of a part: with its blob, or measured alone. Then what is known of owners in it. */
static int read_part(struct step *step, size_t number, bool blob, struct part *part,
		     struct varve_layer *ret, struct varve_error *err)
{
	const struct owners *owners = &step->build->host->owners;
	int r;

	owner_links_forget_devices(owners->links);
	if (blob)
		r = write_blob(step, number, part->tree, &part->lists.implied, ret, err);
	else
		r = measure(step, number, part, ret, err);
	part->lists.devices = owner_links_has_devices(owners->links);
	if (r < 0 || ret->entry_count == 0)
		return r;
	return step_links_list(step->build, part->tree, &part->lists.links, err);
}

static int pack_part(struct step *step, const struct cut *cut, size_t number, bool blob,
		     struct layer_list *ret, struct varve_error *err)
{
	CLEANUP(part_release) struct part part;
	struct varve_layer layer = {.entry_count = 0};
	int r = part_open(step, cut, number, &part, err);

	if (r == 0)
		r = read_part(step, number, blob, &part, &layer, err);
	if (r < 0 || layer.entry_count == 0)
		return r;
	r = store_tree_adopt(step->build->store, &step->build->host->owners, &layer.diff_id,
			     part.dirfd, part.name, &part.lists, err);
	if (r == 0)
		layer_list_add(ret, &layer);
	return r;
}

static int divide(struct step *step, int *ret_parts, size_t *ret_count, struct varve_error *err)
{
	const struct layer_split how = {(const char *const *)step->plan->split.items,
					step->plan->split_maximum};
	/* One of many wheels has not all that the step was told of. */
	struct layer_notices notices = {step->plan->wheels.count > 0 ? NULL : &step->notices};

	if (mkdirat(step->job.dirfd, "parts", 0755) < 0)
		return varve_error_set(err, -errno, "make %s/parts", step->job.path);
	*ret_parts = openat(step->job.dirfd, "parts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_parts < 0)
		return varve_error_set(err, -errno, "open %s/parts", step->job.path);
	return layer_divide(step->upper, &step->build->host->owners, &how, *ret_parts, &notices,
			    ret_count, err);
}

/* --- trees first -------------------------------------------------------------------------------
 */

/* Steps stand behind those that they need. */
static bool is_awaited(const struct step *step)
{
	const struct build *build = step->build;
	const struct plan *plan = build->plan;

	for (size_t i = (size_t)step->index + 1; i < plan->step_count; i++)
		if (build_wants(build, i) && !build->known[i].known &&
		    plan_waits_for(plan, (int)i, step->index))
			return true;
	return false;
}

/* The blob of a layer whose tree the store has. */
static int add_blob(struct step *step, size_t number, struct varve_layer *layer,
		    struct varve_error *err)
{
	CLEANUP(step_stack_release) struct step_stack stack = {0};
	struct varve_layer packed = {.entry_count = 0};
	int r = step_stack_open(step->build, layer, 1, &stack, err);

	if (r == 0)
		r = write_blob(step, number, stack.trees[0].tree, stack.trees[0].implied, &packed,
			       err);
	if (r == 0 && !varve_digest_equal(&packed.diff_id, &layer->diff_id))
		r = varve_error_set(err, -ESTALE,
				    "a tree of the store changed while it was compressed");
	if (r == 0)
		*layer = packed;
	return r;
}

static void tell_trees(const struct step *step, const struct layer_list *measured)
{
	const char *type = layer_media_type(step->build->options->compression.kind);

	for (size_t i = 0; i < measured->count; i++)
		(void)snprintf(measured->items[i].blob.media_type,
			       sizeof(measured->items[i].blob.media_type), "%s", type);
	step->listener->trees(step->listener->cookie, measured);
}

int step_pack(struct step *step, const struct strv *implied, struct layer_list *ret,
	      struct varve_error *err)
{
	CLEANUP(fd_close) int parts = -1;
	struct cut cut = {.parts = -1, .count = 1, .implied = implied};
	bool trees_first = is_awaited(step);
	int r = plan_is_split(step->plan) ? divide(step, &parts, &cut.count, err) : 0;

	if (cut.count > 1)
		cut.parts = parts;
	for (size_t i = 0; i < cut.count && r == 0; i++)
		r = pack_part(step, &cut, i, !trees_first, ret, err);
	if (r < 0 || !trees_first)
		return r;
	tell_trees(step, ret);
	for (size_t i = 0; i < ret->count && r == 0; i++)
		r = add_blob(step, i, &ret->items[i], err);
	return r;
}
