/* SPDX-License-Identifier: Apache-2.0
 * One step from its key to its record: lock, work directory, action, layer. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/path.h"
#include "build/mounts.h"
#include "layer/layer_touch.h"

static int make_directory(const struct step *step, const char *name, mode_t mode,
			  struct varve_error *err)
{
	if (mkdirat(step->job.dirfd, name, 0700) < 0 ||
	    fchmodat(step->job.dirfd, name, mode, 0) < 0)
		return varve_error_set(err, -errno, "make %s/%s", step->job.path, name);
	return 0;
}

static int prepare(struct step *step, struct varve_error *err)
{
	int r;

	r = store_job_begin(store_work(step->build->store), &step->job, err);
	if (r == 0)
		r = make_directory(step, "upper", 0755, err);
	/* A copy runs no command. Each name less counts: ext4 goes through all inodes freed in the
	 * last minutes to make one. */
	if (r == 0 && step->plan->action != ACTION_COPY)
		r = make_directory(step, "work", 0755, err);
	if (r == 0 && step->plan->action != ACTION_COPY)
		r = make_directory(step, "tmp", 01777, err);
	if (r < 0)
		return r;
	step->upper = openat(step->job.dirfd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (step->upper < 0)
		return varve_error_set(err, -errno, "open %s/upper", step->job.path);
	return 0;
}

bool step_is_placed(const struct step *step)
{
	return step->plan->action == ACTION_COPY ||
	       plan_installs_wheels(step->build->plan, step->plan);
}

static int act(struct step *step, struct varve_error *err)
{
	switch (step->plan->action) {
	case ACTION_RUN:
		return step_run(step, err);
	case ACTION_COPY:
		return step_copy(step, err);
	case ACTION_INSTALL:
		return step_is_placed(step) ? step_install_wheels(step, err)
					    : step_install(step, err);
	}
	return varve_error_set(err, -EINVAL, "unknown action");
}

static const char devices_notice[] =
	"the step makes devices: it ran a second time so that its commands see them as devices";

/* With one id commands see devices anyway; wheels bring none, and a copy runs no command. */
static bool missed_devices(const struct step *step)
{
	const struct owners *owners = &step->build->host->owners;

	return !step_is_placed(step) && owners->mode != OWNER_ONE && !step->devices &&
	       owner_links_has_devices(owners->links);
}

static int start_anew(struct step *step, struct varve_error *err)
{
	step_unview(step);
	layer_touch_freep(&step->touch);
	fd_close(&step->upper);
	free_ptr(&step->root);
	strv_release(&step->mounts);
	(void)store_job_remove(store_work(step->build->store), &step->job);
	step->job = (struct store_job)STORE_JOB_INIT;
	return prepare(step, err);
}

/* To show devices as such costs a step each look at a file, and hardly any step meets one: the step
 * that makes one without is done again, whatever became of it. */
static int act_seeing_devices(struct step *step, struct varve_error *err)
{
	int r;

	owner_links_forget_devices(step->build->host->owners.links);
	r = act(step, err);
	if (!missed_devices(step))
		return r;
	step->devices = true;
	strv_add(&step->notices, devices_notice);
	if (err)
		*err = (struct varve_error){0};
	r = start_anew(step, err);
	return r < 0 ? r : act(step, err);
}

/* What the diff compares with: the merged view below, read-only; for what is placed the skeleton
 * of parents that it made; -1 where nothing is below. */
static int open_lower(struct step *step, int *ret, struct varve_error *err)
{
	const char *name = "skeleton";
	int r;

	if (!step_is_placed(step)) {
		if (step->plan->below == PLAN_NONE)
			return 0;
		name = "lower";
		r = step_view(step, step->plan->below, &(struct step_place){name, step->upper, -1},
			      NULL, err);
		if (r < 0)
			return r;
	}
	*ret = openat(step->job.dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return varve_error_set(err, -errno, "open %s/%s", step->job.path, name);
	return 0;
}

/* A copy gives owners itself. */
static enum layer_trust trust_in(const struct step *step)
{
	static const enum layer_trust trust[] = {
		[SANDBOX_LOSES_NOTHING] = LAYER_EXACT,
		[SANDBOX_HIDES_OWNERS] = LAYER_UNSEEN,
		[SANDBOX_LOSES_OWNERS] = LAYER_LOST,
	};

	return step->plan->action == ACTION_COPY ? LAYER_EXACT
						 : trust[build_loss(step->build, step->plan)];
}

static int normalise(struct step *step, struct strv *ret_implied, struct varve_error *err)
{
	const struct plan_step *plan = step->plan;
	CLEANUP(free_ptr) struct layer_ownership *ownership = NULL;
	CLEANUP(fd_close) int lower = -1;
	struct layer_notices notices = {&step->notices};
	struct layer_rules rules;
	size_t i;
	int r;

	ownership = xcalloc(plan->ownership_count + 1, sizeof(*ownership));
	for (i = 0; i < plan->ownership_count; i++)
		ownership[i] = (struct layer_ownership){
			.path = plan->ownership[i].path,
			.uid = plan->ownership[i].uid,
			.gid = plan->ownership[i].gid,
			.mode = plan->ownership[i].mode,
		};
	rules = (struct layer_rules){
		.owners = &step->build->host->owners,
		.trust = trust_in(step),
		.epoch = plan->epoch,
		.scrub = (const char *const *)plan->scrub.items,
		.mounts = (const char *const *)step->mounts.items,
		.ownership = ownership,
		.ownership_count = plan->ownership_count,
	};
	r = open_lower(step, &lower, err);
	if (r == 0)
		r = layer_normalise(step->upper, lower, &rules, &notices, ret_implied, err);
	fd_close(&lower);
	step_unview(step);
	return r;
}

static int write_record(struct step *step, const struct layer_list *layers, struct varve_error *err)
{
	const struct build_step *state = &step->build->steps[step->index];
	const struct layer_compression *compression = &step->build->options->compression;
	struct store_record record = {.key = state->key, .input = state->input, .layers = *layers};

	layer_compression_name(compression, record.compression);
	snprintf(record.compressor, sizeof(record.compressor), "%s",
		 layer_compressor_version(compression->kind));
	snprintf(record.step, sizeof(record.step), "%.40s/%.80s", step->build->plan->recipe_name,
		 step->name);
	for (size_t i = 0; i < layers->count; i++) {
		int r = store_note_blob_of_layer(step->build->store, &layers->items[i],
						 record.compression, err);

		if (r < 0)
			return r;
	}
	return store_record_write(step->build->store, &record, err);
}

static int finish(struct step *step, struct varve_error *err)
{
	CLEANUP(layer_list_release) struct layer_list layers = {0};
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	int r;

	r = normalise(step, &implied, err);
	if (r == 0)
		r = secret_proof_tree(&step->proof, step->upper, &step->build->host->owners, err);
	if (r == 0)
		r = secret_proof_verdict(&step->proof, err);
	if (r == 0)
		r = step_pack(step, &implied, &layers, err);
	if (r == 0)
		r = write_record(step, &layers, err);
	return r;
}

/* Keeps the changes of a step that failed, for `varve shell --failed`; the last failure only. What
 * filled the disk goes: the next build needs the room. */
static void keep_failed(struct step *step)
{
	CLEANUP(fd_close) int directory = -1;
	char hex[VARVE_DIGEST_HEX];

	if (step_is_placed(step) || step->upper < 0 || step_disk_is_full(step) ||
	    store_open_dir(store_work(step->build->store), "failed", &directory, NULL) < 0)
		return;
	varve_digest_hex(&step->build->steps[step->index].key, hex);
	(void)fd_remove_tree(directory, hex);
	(void)renameat(step->job.dirfd, "upper", directory, hex);
}

/* What was kept for another try has served its turn. */
static void drop_resumable(struct step *step)
{
	CLEANUP(free_ptr)
	char *name = mounts_resume_name(&step->build->steps[step->index]);
	CLEANUP(fd_close) int caches = -1;

	if (step->plan->resume && store_open_dir(step->build->store, "caches", &caches, NULL) == 0)
		(void)fd_remove_tree(caches, name + path_dir_len(name) + 1);
}

static void step_release(struct step *step)
{
	step_unview(step);
	layer_touch_freep(&step->touch);
	free(step->root);
	free(step->name);
	fd_close(&step->upper);
	if (step->job.dirfd >= 0)
		(void)store_job_remove(store_work(step->build->store), &step->job);
	secret_proof_release(&step->proof);
	step_copied_release(&step->copied);
	strv_release(&step->notices);
	strv_release(&step->mounts);
	strv_release(&step->views);
}

/* Another process may have made the layer while we waited for the lock. */
static bool made_meanwhile(struct build *build, int index)
{
	CLEANUP(store_record_release) struct store_record record = {0};

	return store_record_read(build->store, &build->steps[index].key, &record, NULL) == 0;
}

static const char lost_notice[] =
	"changes of owners are lost: all its files are root's (no seccomp listener here: varve doctor)";

static int lock_step(struct build *build, int index, const char *name, int *ret,
		     struct varve_error *err)
{
	char lock[80], hex[VARVE_DIGEST_HEX];
	int r;

	snprintf(lock, sizeof(lock), "step-%s", varve_digest_hex(&build->steps[index].key, hex));
	r = store_lock(build->store, lock, true, false, ret, err);
	if (r != -EWOULDBLOCK)
		return r;
	build_tell(build, VARVE_EVENT_WAITING, name, NULL);
	r = store_lock(build->store, lock, true, true, ret, err);
	store_refresh(build->store);
	return r;
}

int step_make(struct build *build, int index, int output, const struct step_listener *listener,
	      struct strv *ret_notices, struct varve_error *err)
{
	CLEANUP(fd_close) int lock = -1;
	CLEANUP(step_release)
	struct step step = {
		.build = build,
		.plan = &build->plan->steps[index],
		.index = index,
		.name = plan_step_name(build->plan, index),
		.job = STORE_JOB_INIT,
		.upper = -1,
		.output = output,
		.listener = listener,
	};
	int r;

	r = lock_step(build, index, step.name, &lock, err);
	if (r < 0)
		return r;
	if (!made_meanwhile(build, index)) {
		if (trust_in(&step) == LAYER_LOST)
			strv_add(&step.notices, lost_notice);
		r = prepare(&step, err);
		if (r == 0 && (r = act_seeing_devices(&step, err)) == -VARVE_E_STEP)
			keep_failed(&step);
		r = store_failed(store_work(build->store), r, "a step's files", err);
		if (r == 0) {
			build_tell(build, VARVE_EVENT_LAYER, step.name, NULL);
			r = finish(&step, err);
			if (r == 0)
				drop_resumable(&step);
		}
	}
	if (r < 0)
		return r;
	strv_extend(ret_notices, &step.notices);
	return 0;
}
