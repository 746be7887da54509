/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_space.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/size_text.h"
#include "source/source.h"
#include "store/store.h"

enum { BLOCK = 512 }; /* the unit of st_blocks */

/* Tree and blob of what is made of a source, and the tree alone, in percent of the source's bytes.
 * probable: 260 for torch's wheels, 580 for Debian packages [measured; the trees' share of it is
 * not]. The base of an image is unpacked only for commands. */
static const struct {
	unsigned least, probable, least_tree, probable_tree;
} percent[] = {
	[SOURCE_DEBIAN] = {300, 580, 200, 450}, [SOURCE_LOCAL] = {105, 160, 100, 100},
	[SOURCE_URL] = {100, 300, 100, 200},    [SOURCE_PYTHON] = {190, 260, 105, 170},
	[SOURCE_GIT] = {100, 300, 100, 200},    [SOURCE_IMAGE] = {0, 300, 0, 300},
};

static void add(uint64_t *sum, uint64_t bytes)
{
	if (__builtin_add_overflow(*sum, bytes, sum))
		*sum = UINT64_MAX;
}

static uint64_t share(uint64_t bytes, unsigned of_hundred)
{
	return bytes > UINT64_MAX / 1000 ? bytes : bytes * of_hundred / 100;
}

static void mark(const struct plan_step *step, bool *needed)
{
	size_t i;

	if (step->action != ACTION_RUN && step->from.content == PLAN_FROM_SOURCE)
		needed[step->from.index] = true;
	for (i = 0; i < step->mount_count; i++)
		if (step->mounts[i].content == PLAN_FROM_SOURCE)
			needed[step->mounts[i].index] = true;
}

/* Bytes on the disk of the files of a local source; what cannot be read is another's to tell. */
static uint64_t measure_local(struct session *session, const struct plan_source *source)
{
	CLEANUP(json_decrefp) json_t *listing = NULL;
	CLEANUP(free_ptr)
	char *top = path_join(session->sources.directory,
			      json_optional_string(source->spec, "path", ""));
	CLEANUP(fd_close) int fd = open(top, O_RDONLY | O_CLOEXEC);
	struct varve_digest unused;
	const char *path;
	json_t *value;
	struct stat st;
	uint64_t sum = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return (uint64_t)st.st_blocks * BLOCK;
	if (source_local_digest(&session->sources, source->spec, &unused, &listing, NULL) < 0)
		return 0;
	json_object_foreach(listing, path, value)
	{
		(void)value;
		if (fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			add(&sum, (uint64_t)st.st_blocks * BLOCK);
	}
	return sum;
}

/* The bytes that there are of a source; ret_missing: of them still to be fetched. */
static uint64_t measure_source(struct session *session, const struct plan_source *source,
			       uint64_t *ret_missing)
{
	const struct lock_source *locked = source->locked;
	uint64_t sum = 0;
	size_t i;

	if (source->kind == SOURCE_LOCAL)
		return measure_local(session, source);
	for (i = 0; locked && i < locked->count; i++) {
		const struct lock_artifact *artifact = &locked->artifacts[i];

		add(&sum, artifact->size);
		if (!varve_store_has_blob(session->store, &artifact->sha256, NULL))
			add(ret_missing, artifact->size);
	}
	return sum;
}

static void add_source(struct session *session, const struct plan_source *source, bool makes,
		       struct session_space *space)
{
	uint64_t bytes = measure_source(session, source, &space->fetch);

	if (!makes)
		return;
	add(&space->least, share(bytes, percent[source->kind].least));
	add(&space->make, share(bytes, percent[source->kind].probable));
	add(&space->least_trees, share(bytes, percent[source->kind].least_tree));
	add(&space->make_trees, share(bytes, percent[source->kind].probable_tree));
}

/* True when it is known of an earlier build what the step makes. */
static bool add_recalled(const struct session *session, size_t step, struct session_space *space)
{
	CLEANUP(free_ptr) char *name = plan_step_name(session->plan, (int)step);
	uint64_t trees = 0, bytes = build_recall_size(&session->build, name, &trees);

	add(&space->make, bytes);
	add(&space->make_trees, trees);
	return bytes > 0;
}

void session_predict_space(struct session *session, struct session_space *ret)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) bool *needed = xcalloc(plan->sources.count + 1, sizeof(*needed));
	CLEANUP(free_ptr) bool *makes = xcalloc(plan->sources.count + 1, sizeof(*makes));
	size_t i;

	*ret = (struct session_space){0};
	for (i = 0; i < plan->step_count; i++) {
		if (session->build.known[i].known || !build_wants(&session->build, i))
			continue;
		mark(&plan->steps[i], needed);
		if (!add_recalled(session, i, ret))
			mark(&plan->steps[i], makes);
	}
	for (i = 0; i < plan->sources.count; i++)
		if (needed[i])
			add_source(session, &plan->sources.items[i], makes[i], ret);
}

void session_print_space(const struct session_space *space, struct buf *out)
{
	char fetch[16], make[16];

	if (space->fetch > 0 || space->make > 0)
		buf_addf(out, "disk: %s to fetch, about %s to make\n",
			 size_text(space->fetch, fetch), size_text(space->make, make));
}

json_t *session_space_to_json(const struct session_space *space)
{
	json_t *object = json_object();

	json_set(object, "fetch", json_integer((json_int_t)space->fetch));
	json_set(object, "make", json_integer((json_int_t)space->make));
	return object;
}

/* One disk, and what comes onto it. */
struct disk {
	const struct varve_store *place; /* lies on it */
	const char *name; /* of that, in messages */
	const char *cure;
	uint64_t fetch, least, make;
};

static int refuse(const struct disk *disk, uint64_t left, struct varve_error *err)
{
	char fetch[16], make[16], there[16];

	varve_error_set(err, -VARVE_E_HOST,
			"no space for this build: %s are still to be fetched, at least %s to be "
			"made of it, and the disk of the %s (%s) has %s left",
			size_text(disk->fetch, fetch), size_text(disk->least, make), disk->name,
			store_path(disk->place), size_text(left, there));
	varve_error_hint(err, "%s", disk->cure);
	return -VARVE_E_HOST;
}

static int check_disk(const struct session *session, const struct disk *disk,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	char make[16], there[16];
	uint64_t least = disk->fetch, probable = disk->fetch, left;
	struct statvfs fs;

	if (fstatvfs(store_dirfd(disk->place), &fs) < 0)
		return 0;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	add(&least, disk->least);
	add(&probable, disk->make);
	if (least > left)
		return refuse(disk, left, err);
	if (probable <= left)
		return 0;
	text = xasprintf("the steps to run make about %s on the disk of the %s, which may not fit: "
			 "%s left",
			 size_text(probable, make), disk->name, size_text(left, there));
	build_tell(&session->build, VARVE_EVENT_NOTICE, NULL, text);
	return 0;
}

/* False where the scratch directory lies on the store's disk. */
static bool has_own_disk(const struct varve_store *store, const struct varve_store *work)
{
	struct stat a, b;

	return fstat(store_dirfd(store), &a) == 0 && fstat(store_dirfd(work), &b) == 0 &&
	       a.st_dev != b.st_dev;
}

int session_check_space(struct session *session, bool makes, struct varve_error *err)
{
	struct varve_store *work = store_work(session->store);
	struct session_space space;
	struct disk disk = {.place = session->store,
			    .name = "store",
			    .cure = "name another place with --store, or make room: varve gc"};
	int r;

	session_predict_space(session, &space);
	disk.fetch = space.fetch;
	disk.least = makes ? space.least : 0;
	disk.make = makes ? space.make : 0;
	if (!makes || !has_own_disk(session->store, work))
		return check_disk(session, &disk, err);
	disk.least -= space.least_trees;
	disk.make -= space.make_trees;
	r = check_disk(session, &disk, err);
	disk = (struct disk){.place = work,
			     .name = "scratch directory",
			     .cure = "name another with --scratch, or make room: varve gc --trees",
			     .least = space.least_trees,
			     .make = space.make_trees};
	return r < 0 ? r : check_disk(session, &disk, err);
}
