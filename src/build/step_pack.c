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

/* A tree and where it lies. */
struct part {
	int tree;
	int dirfd; /* its directory */
	const char *name; /* in that */
	size_t number; /* of the layer, from 0 */
};

static int write_blob(struct step *step, const struct part *part, const struct strv *implied,
		      struct varve_layer *ret, struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer writer = {0};
	CLEANUP(step_before_release) struct step_before before;
	CLEANUP(layer_marks_release) struct layer_marks marks = {0};
	struct layer_compression how = step->build->options->compression;
	struct layer_vouch vouch;
	struct varve_digest digest;
	int r;

	step_before_find(step, part->number, &before);
	how.known = before.frames;
	how.before = before.is_whole ? &before.marks : NULL;
	how.vouch = how.kind == LAYER_CHUNKED && step_copied_vouch(step, &vouch) ? &vouch : NULL;
	how.marks = &marks;
	r = store_blob_begin(step->build->store, &writer, err);
	if (r < 0)
		return r;
	writer.is_hashed = true; /* by layer_pack */
	r = layer_pack(part->tree, implied, &step->build->host->owners, &how, &writer.sink, ret,
		       err);
	if (r < 0 || ret->entry_count == 0)
		return r;
	r = store_blob_commit(&writer, &ret->blob.digest, &digest, err);
	if (r == 0)
		step_before_keep(step->build->store, &digest, &marks);
	return r;
}

/* lists->implied is there, the others are filled. */
static int pack_tree(struct step *step, const struct part *part, struct store_tree_lists *lists,
		     struct layer_list *ret, struct varve_error *err)
{
	const struct owners *owners = &step->build->host->owners;
	struct varve_layer layer = {.entry_count = 0};
	int r;

	owner_links_forget_devices(owners->links);
	r = write_blob(step, part, &lists->implied, &layer, err);
	lists->devices = owner_links_has_devices(owners->links);
	if (r < 0 || layer.entry_count == 0)
		return r;
	r = step_links_list(step->build, part->tree, &lists->links, err);
	if (r == 0)
		r = store_tree_adopt(step->build->store, owners, &layer.diff_id, part->dirfd,
				     part->name, lists, err);
	if (r == 0)
		layer_list_add(ret, &layer);
	return r;
}

static int pack_whole(struct step *step, const struct strv *implied, struct layer_list *ret,
		      struct varve_error *err)
{
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists lists = STORE_TREE_LISTS_INIT;
	const struct part part = {step->upper, step->job.dirfd, "upper", 0};

	strv_extend(&lists.implied, implied);
	return pack_tree(step, &part, &lists, ret, err);
}

static int pack_part(struct step *step, int parts, size_t number, const struct strv *implied,
		     struct layer_list *ret, struct varve_error *err)
{
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists lists = STORE_TREE_LISTS_INIT;
	CLEANUP(fd_close) int tree = -1;
	char name[24];
	int r;

	(void)snprintf(name, sizeof(name), "%zu", number);
	tree = openat(parts, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		return varve_error_set(err, -errno, "open %s/parts/%s", step->job.path, name);
	r = layer_divide_implied(tree, implied, &lists.implied, err);
	return r < 0 ? r
		     : pack_tree(step, &(struct part){tree, parts, name, number}, &lists, ret, err);
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

int step_pack(struct step *step, const struct strv *implied, struct layer_list *ret,
	      struct varve_error *err)
{
	CLEANUP(fd_close) int parts = -1;
	size_t count = 1;
	int r = plan_is_split(step->plan) ? divide(step, &parts, &count, err) : 0;

	if (r == 0 && count < 2)
		return pack_whole(step, implied, ret, err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = pack_part(step, parts, i, implied, ret, err);
	return r;
}
