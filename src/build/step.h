/* SPDX-License-Identifier: Apache-2.0
 * Making one step's layer. Everything here runs inside the step's worker process: id 0 of its user
 * namespace (or real root), with a mount namespace of its own.
 *
 *	trees below -> view (mounted or merged) -> action fills upper -> layer_normalise ->
 *	(layer_divide: a tree for each part) -> blob, tree, record */
#ifndef BUILD_STEP_H
#define BUILD_STEP_H

#include "build/build.h"
#include "build/secret_proof.h"
#include "layer/layer_marks.h"
#include "layer/layer_vouch.h"

/* Files of the upper whose content is known without reading: what was copied from a local source,
 * where copying has shown that it is what the listing says. Nothing but our own code writes between
 * that and the packing, and of it only what patches the time in .pyc files writes into contents. */
struct step_copied {
	const struct plan_source *source; /* NULL: nothing is known */
	char *at; /* path of its directory or file in the layer */
	char *file; /* its name in the listing, where the source is a single file; or NULL */
	json_t *listing; /* read when it is asked for first */
};

/* Who hears of a step before its end. */
struct step_listener {
	void *cookie;
	/* Its trees are in the store, its blobs are not yet: digest and size of those are zero. */
	void (*trees)(void *cookie, const struct layer_list *layers);
};

/* A step in work; owned by its worker. */
struct step {
	struct build *build;
	const struct plan_step *plan;
	int index;
	char *name; /* "stage/step" */
	struct store_job job; /* upper, work, tmp, mount points lie in its directory */
	int upper; /* descriptor of job/upper */
	char *root; /* path of job/root: the merged view while it is there */
	struct layer_touch *touch; /* of a merged view: tells what the command changed; or NULL */
	int output; /* where the command's output goes; borrowed */
	const struct step_listener *listener; /* borrowed */
	struct strv notices; /* to be told at the end */
	struct strv mounts; /* clean paths in the image that were mounted on */
	struct strv views; /* paths outside that are views now */
	bool devices; /* there are some in what its command sees, or it will make some */
	struct step_copied copied;
	struct secret_proof proof; /* that it leaves none of its secrets; empty where it has none */
};

/* The directory stack of a chain of layers, opened. */
struct step_stack {
	struct layer_stacked *trees; /* bottom first */
	struct store_tree_lists *lists; /* count of them; trees point into them */
	size_t count;
};
/* Opens the trees of layers (bottom first), unpacking those that are not there. */
int step_stack_open(struct build *build, const struct varve_layer *layers, size_t count,
		    struct step_stack *ret, struct varve_error *err);
/* The same for a stack that holds the first of them already; what was opened stays on failure. */
int step_stack_extend(struct build *build, const struct varve_layer *layers, size_t count,
		      struct step_stack *stack, struct varve_error *err);
/* One more tree on top: the directory at path, which no layer lies behind. */
int step_stack_push(struct build *build, const char *path, struct step_stack *stack,
		    struct varve_error *err);
void step_stack_cut(struct step_stack *stack, size_t count); /* keeps that many */
void step_stack_release(struct step_stack *stack);
bool step_stack_has_devices(const struct step_stack *stack);
/* The owners that the inodes of a tree cannot hold, for the list beside it. */
int step_links_list(const struct build *build, int tree, struct strv *ret, struct varve_error *err);
/* The layers of a chain that ends in step (PLAN_NONE: none), those of an image below included,
 * bottom first; empty ones left out. ret has room for plan_chain_room. */
size_t step_chain_layers(const struct build *build, int step, struct varve_layer *ret);
/* Where a view is made, and what takes its changes. */
struct step_place {
	const char *name; /* made in the work directory; NAME.fixup and NAME.floor beside it */
	int upper, work; /* descriptors of job/upper and job/work. work -1: read-only; then, with an
			    upper, only names that it has need be there */
};
/* Shows the stack as one view at job_path/NAME. With overlay it is mounted (job_path/NAME.fixup is
 * used where parents need it, NAME.floor where there are more trees than can be mounted), and upper
 * takes the changes. Without, it is merged: a read-only one
 * of links into the trees; else upper itself becomes a copy of it, and NAME leads there. */
int step_stack_show(const struct step_stack *stack, const struct sandbox_host *host,
		    const char *job_path, const struct step_place *place, struct varve_error *err);
/* The chain that ends in step number top, opened and shown in the work directory. ret_stack (may be
 * NULL) keeps the opened trees. */
int step_view(struct step *step, int top, const struct step_place *place,
	      struct step_stack *ret_stack, struct varve_error *err);
/* Unmounts or removes all views; what upper holds stays. */
void step_unview(struct step *step);
/* For a command that changes the view "root": around its making and its run. With overlay they do
 * nothing: the kernel sorts out what is changed. */
int step_touch_prepare(struct step *step, struct varve_error *err);
int step_touch_begin(struct step *step, struct varve_error *err);
int step_touch_end(struct step *step, struct varve_error *err);

/* Makes the parents of a destination (a clean path) in the layer and in the skeleton that the diff
 * compares with, so that they get no entry. Returns the one in the layer, or a negative code. */
int step_parents(struct step *step, const char *path, struct varve_error *err);
/* True where the content is placed without a look at what lies below. */
bool step_is_placed(const struct step *step);

/* The three actions: fill step->upper. The sandboxed ones mount and unmount the view themselves. */
int step_run(struct step *step, struct varve_error *err);
int step_copy(struct step *step, struct varve_error *err);
int step_install(struct step *step, struct varve_error *err);
int step_install_wheels(struct step *step, struct varve_error *err);

/* upper, a tree by now with these implied directories -> blobs and trees in the store; takes the
 * tree from the work directory. Where another step waits for this one the trees come first, and
 * the listener hears of them: it runs while they are compressed, at the price of a second reading.
 */
int step_pack(struct step *step, const struct strv *implied, struct layer_list *ret,
	      struct varve_error *err);

/* True when hardly anything can be written where the step's changes lie. */
bool step_disk_is_full(const struct step *step);

/* A command in the step's view: binds, environment and so on are the caller's. */
int step_command(struct step *step, const struct sandbox_spec *spec, struct varve_error *err);

/* tree_copy for a sandbox without mounts. */
sandbox_copy step_bind_copy;

/* Runs the whole step and puts blobs, trees and record into the store; or finds that another
 * process has done so meanwhile. output: descriptor for what its command prints. Adds to
 * ret_notices what the user should know. */
int step_make(struct build *build, int index, int output, const struct step_listener *listener,
	      struct strv *ret_notices, struct varve_error *err);

struct tree_copy_rules {
	const struct strv *exclude; /* patterns relative to the top, as in layer_ownership; one
				       without "/" matches at any depth; NULL: none */
	bool moves; /* nobody else needs the files: they are renamed where that is possible, so that
		       the disk never holds them twice */
};
/* Copies a file or a directory with owners, modes, times, xattrs and hard links. to_name ".": the
 * content of the directory goes into to_dir, whose own attributes stay. */
/* NOLINTNEXTLINE(readability-function-size): two places, of two values each */
int tree_copy(const struct owners *owners, int from_dir, const char *from_name, int to_dir,
	      const char *to_name, const struct tree_copy_rules *rules, struct varve_error *err);

void step_copied_release(struct step_copied *c);
/* For layer_compression's vouch; step is borrowed. False: nothing is known. */
bool step_copied_vouch(struct step *step, struct layer_vouch *ret);

/* What is kept of the layer that this step had at the last build (layer/layer_frames.h,
 * layer_marks.h): for members of layer_compression. Fails never: there is nothing then. */
struct step_before {
	int blob;
	struct layer_frames *frames; /* NULL: none */
	struct layer_marks marks;
	bool is_whole; /* the blob is what it was when it was written: the marks count */
};
/* number: of the layer, where the step has several. frames: wanted, too: they take the reading of
 * the blob's whole table. step is borrowed until the release. */
void step_before_find(struct step *step, size_t number, bool frames, struct step_before *ret);
void step_before_release(struct step_before *b);
/* Keeps the marks of a layer that was just put into the store. */
void step_before_keep(struct varve_store *store, const struct varve_digest *blob,
		      const struct layer_marks *marks);

#endif
