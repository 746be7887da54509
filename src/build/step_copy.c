/* SPDX-License-Identifier: Apache-2.0
 * `copy`: files of a source or of another stage, placed where the resolved destination says. The
 * parents of the destination are made twice, in the layer and in a skeleton that the diff compares
 * with, so that they count as unchanged and get no entry: whatever they are below stays. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "build/mounts.h"

/* Where the content goes: directory and name in it; name "." = the directory is the content's own.
 */
struct place {
	char *parents; /* clean path of directories that are not part of the copy; "" = none */
	char *name; /* "" when the content's entries go straight into parents */
};

static void place_release(struct place *place)
{
	free(place->parents);
	free(place->name);
}

/* destination ends with "/" when a directory is there already. Pure. */
static void find_place(const char *destination, const char *written, const char *content,
		       bool is_file, struct place *ret)
{
	CLEANUP(free_ptr) char *path = path_clean(destination);
	bool into = *destination == '\0' || str_ends(destination, "/");

	if (is_file && (into || str_ends(written, "/"))) {
		ret->parents = steal_ptr(&path);
		ret->name = xstrdup(path_base(content));
	} else if (into) {
		ret->parents = steal_ptr(&path);
		ret->name = xstrdup("");
	} else {
		ret->parents = xstrndup(path, path_dir_len(path));
		ret->name = xstrdup(path_base(path));
	}
}

static int open_parents(int root, const char *path, struct varve_error *err)
{
	int fd = path_open_dir_in(root, path, true);

	return fd < 0 ? varve_error_set(err, fd, "make /%s", path) : fd;
}

int step_parents(struct step *step, const char *path, struct varve_error *err)
{
	CLEANUP(fd_close) int skeleton = -1;
	CLEANUP(fd_close) int parents = -1;

	if (mkdirat(step->job.dirfd, "skeleton", 0755) < 0)
		return varve_error_set(err, -errno, "make %s/skeleton", step->job.path);
	skeleton = openat(step->job.dirfd, "skeleton", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (skeleton < 0)
		return varve_error_set(err, -errno, "open %s/skeleton", step->job.path);
	parents = open_parents(skeleton, path, err);
	if (parents < 0)
		return parents;
	return open_parents(step->upper, path, err);
}

/* For step_pack, which then need not read the files. */
static void note_copied(struct step *step, const struct place *place, const char *content,
			bool is_file)
{
	const struct plan_mount *from = &step->plan->from;
	const struct plan_source *source;

	if (from->content != PLAN_FROM_SOURCE)
		return;
	source = &step->build->plan->sources.items[from->index];
	if (source->kind != SOURCE_LOCAL)
		return;
	step->copied.source = source;
	step->copied.at =
		*place->name ? path_join(place->parents, place->name) : xstrdup(place->parents);
	step->copied.file = is_file ? xstrdup(path_base(content)) : NULL;
}

int step_copy(struct step *step, struct varve_error *err)
{
	const struct plan_step *plan = step->plan;
	const char *destination = step->build->known[step->index].destination;
	CLEANUP(free_ptr) char *content = NULL;
	CLEANUP(place_release) struct place place = {0};
	const struct tree_copy_rules rules = {
		.exclude = &plan->exclude,
		.moves = mounts_makes_content(step, &plan->from),
	};
	CLEANUP(fd_close) int parents = -1;
	bool is_file = false;
	int r;

	r = mounts_content(step, &plan->from, "content", &content, &is_file, err);
	if (r < 0)
		return r;
	find_place(destination, plan->to, content, is_file, &place);
	parents = step_parents(step, place.parents, err);
	if (parents < 0)
		return parents;
	r = tree_copy(&step->build->host->owners, AT_FDCWD, content, parents,
		      *place.name ? place.name : ".", &rules, err);
	if (r == 0)
		note_copied(step, &place, content, is_file);
	return r;
}
