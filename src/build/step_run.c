/* SPDX-License-Identifier: Apache-2.0
 * A step's command in the view of the layers below. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "build/command.h"
#include "build/mounts.h"
#include "build/user.h"

enum { SIGNALLED = 128, FULL = 64 << 10 /* bytes */ };

static int make_root(struct step *step, struct varve_error *err)
{
	CLEANUP(fd_close) int work = -1;
	int r;

	work = openat(step->job.dirfd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work < 0)
		return varve_error_set(err, -errno, "open %s/work", step->job.path);
	r = step_touch_prepare(step, err);
	if (r == 0)
		r = step_view(step, step->plan->base,
			      &(struct step_place){"root", step->upper, work}, NULL, err);
	if (r == 0)
		r = step_touch_begin(step, err);
	if (r == 0)
		step->root = path_join(step->job.path, "root");
	return r;
}

static const char *const own_mounts[] = {"proc",     "dev", "tmp", "run", "etc/resolv.conf",
					 "etc/hosts"};

/* In a file system that the sandbox mounts itself, no mount point is the layer's. */
static bool is_below_own(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(own_mounts); i++)
		if (str_starts(path, own_mounts[i]) && path[strlen(own_mounts[i])] == '/')
			return true;
	return false;
}

/* bwrap makes mount points in the upper directory; the diff has to know them. What was there before
 * is the image's own: packages ship /tmp, and programs in the image will look for it. */
static void note_mounts(struct step *step, const struct sandbox_spec *spec)
{
	CLEANUP(fd_close) int root = open(step->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(own_mounts); i++)
		if (fstatat(root, own_mounts[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			strv_add(&step->mounts, own_mounts[i]);
	for (i = 0; i < spec->bind_count; i++) {
		CLEANUP(free_ptr) char *clean = path_clean(spec->binds[i].target);

		if (clean && !is_below_own(clean))
			strv_add(&step->mounts, clean);
	}
}

bool step_disk_is_full(const struct step *step)
{
	struct statvfs fs;

	return fstatvfs(step->job.dirfd, &fs) == 0 && fs.f_bavail * fs.f_frsize < FULL;
}

static int failed(const struct step *step, int status, struct varve_error *err)
{
	/* Many a program says nothing when it cannot write. */
	const char *space = !step_disk_is_full(step) ? ""
			    : store_is_scratch(store_work(step->build->store))
				    ? "; there is no space on the disk of the scratch directory"
				    : "; there is no space on the disk of the store";

	if (status > SIGNALLED && status - SIGNALLED <= SIGRTMAX)
		return varve_error_set(err, -VARVE_E_STEP,
				       "the command was killed by signal %d (%s)%s",
				       status - SIGNALLED, strsignal(status - SIGNALLED), space);
	return varve_error_set(err, -VARVE_E_STEP, "the command failed with exit status %d%s",
			       status, space);
}

int step_command(struct step *step, const struct sandbox_spec *spec, struct varve_error *err)
{
	CLEANUP(free_ptr) char *temporary = path_join(step->job.path, "tmp");
	CLEANUP(user_release) struct user user = {0};
	struct sandbox_spec full = *spec;
	int status, ended, r;

	r = make_root(step, err);
	if (r < 0)
		return r;
	r = user_find(step->root, step->plan->user, &user, err);
	if (r == 0) {
		full.root = step->root;
		full.fast = step->plan->ownership_fast;
		full.devices = step->devices;
		full.temporary = temporary;
		full.uid = user.uid;
		full.gid = user.gid;
		full.groups = &user.groups;
		full.copy = step_bind_copy;
		note_mounts(step, &full);
		r = sandbox_run(step->build->host, &full, -1, step->output, step->output, &status,
				err);
		r = r < 0 ? command_explain(&full, r, err) : r;
	}
	/* Also of a step that failed: its changes can be looked at. */
	ended = r == 0 ? step_touch_end(step, err) : 0;
	if (r == 0 && status != 0)
		r = failed(step, status, err);
	step_unview(step);
	return r < 0 ? r : ended;
}

/* Environment of the process: keyed and unkeyed together. */
static void whole_environment(const struct plan_step *plan, struct strv *ret)
{
	strv_extend(ret, &plan->environment);
	strv_extend(ret, &plan->unkeyed_environment);
	strv_sort(ret);
}

/* The lines that hold a secret are the failure's cause where the command failed too. */
static int run_searched(struct step *step, const struct sandbox_spec *spec, struct varve_error *err)
{
	struct secret_output output;
	struct varve_error own = {0};
	int to = step->output, r, ended;

	r = secret_output_begin(&step->proof, to, &output, err);
	if (r < 0)
		return r;
	step->output = output.to;
	r = step_command(step, spec, err);
	step->output = to;
	ended = secret_output_end(&output, &step->proof, &own);
	if (ended < 0 && r == 0 && err)
		*err = own;
	if (r < 0 && step->proof.places.count > 0)
		varve_error_hint(err, "lines of its output that hold a secret were withheld");
	return r < 0 ? r : ended;
}

static int begin_proof(struct step *step, struct varve_error *err)
{
	bool again = step->proof.names.count > 0;
	int r;

	if (step->plan->secrets.count == 0)
		return 0;
	secret_proof_release(&step->proof);
	r = secret_proof_begin(step->build->options, &step->plan->secrets,
			       again ? NULL : &step->notices, &step->proof, err);
	if (r < 0)
		return r;
	secret_proof_document(&step->proof, "the step's definition",
			      step->build->steps[step->index].input);
	return secret_proof_verdict(&step->proof, err);
}

int step_run(struct step *step, struct varve_error *err)
{
	CLEANUP(mounts_release) struct mounts mounts = {0};
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	struct sandbox_spec spec;
	int r;

	r = mounts_prepare(step, &mounts, err);
	if (r == 0)
		r = begin_proof(step, err);
	if (r < 0)
		return r;
	whole_environment(step->plan, &environment);
	spec = (struct sandbox_spec){
		.binds = mounts.binds,
		.bind_count = mounts.count,
		.environment = &environment,
		.workdir = step->plan->workdir,
		.network = step->plan->network,
		.argv = &step->plan->argv,
	};
	return run_searched(step, &spec, err);
}
