/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/network.h"
#include "base/path.h"
#include "base/process.h"

enum { RUN_FAILED = 126 };

#define SELF "/proc/self/exe"

/* --- the place -----------------------------------------------------------------------------------
 */

int rebuild_place_begin(const struct session *session, struct rebuild_place *ret,
			struct varve_error *err)
{
	int r = store_job_begin(session->store, &ret->job, err);

	if (r < 0)
		return r;
	ret->path = path_join(ret->job.path, "rebuild");
	if (mkdirat(ret->job.dirfd, "rebuild", 0755) < 0)
		return varve_error_set(err, -errno, "make %s", ret->path);
	return 0;
}

static int remove_tree(void *cookie)
{
	return fd_remove_tree(AT_FDCWD, cookie) < 0 ? 1 : 0;
}

void rebuild_place_remove(const struct session *session, struct rebuild_place *place)
{
	pid_t pid = -1;

	if (!place->path)
		return;
	/* What ids of the namespace own in there can be removed in it only. */
	if (sandbox_spawn(&session->host, remove_tree, place->path, -1, &pid, NULL) == 0)
		(void)process_wait(pid);
	(void)store_job_remove(session->store, &place->job);
	free(place->path);
	place->path = NULL;
}

int rebuild_output(const struct rebuild_place *place, const char *name, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_join(place->path, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? varve_error_set(err, -errno, "make %s", path) : fd;
}

int rebuild_read_output(int output, struct buf *ret, struct varve_error *err)
{
	int r = lseek(output, 0, SEEK_SET) < 0 ? -errno : 0;

	if (r == 0)
		r = fd_read_all(output, REBUILD_RESULT_LIMIT, ret);
	return r < 0 ? varve_error_set(err, r, "read the result of the build") : 0;
}

/* --- conditions ----------------------------------------------------------------------------------
 */

static int use_one_core(void)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return -errno;
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}

static int set_environment(const struct strv *environment)
{
	for (size_t i = 0; environment && i < environment->count; i++) {
		const char *equals = strchr(environment->items[i], '=');
		CLEANUP(free_ptr)
		char *name =
			xstrndup(environment->items[i], (size_t)(equals - environment->items[i]));

		if ((equals[1] ? setenv(name, equals + 1, 1) : unsetenv(name)) < 0)
			return -errno;
	}
	return 0;
}

static int set_conditions(const struct rebuild_conditions *c, struct varve_error *err)
{
	int r = 0;

	if (c->memory && mount("varve", c->memory, "tmpfs", MS_NODEV, "mode=0755") < 0)
		return varve_error_set(err, -errno, "mount a file system in memory");
	if (c->one_core)
		r = use_one_core();
	if (r == 0)
		r = set_environment(c->environment);
	if (c->set_umask)
		(void)umask(c->umask);
	return r < 0 ? varve_error_set(err, r, "set the conditions of the build") : 0;
}

/* --- running -------------------------------------------------------------------------------------
 */

static int take_stdout(int output)
{
	return dup2(output < 0 ? STDERR_FILENO : output, STDOUT_FILENO);
}

/* In the child. */
static int become(const struct rebuild_run *run)
{
	struct varve_error err = {0};
	int r = set_conditions(run->conditions, &err);

	if (r == 0 && run->before)
		r = run->before(run->cookie, &err);
	if (r < 0) {
		(void)dprintf(STDERR_FILENO, "varve: %s\n", err.text);
		return RUN_FAILED;
	}
	if (take_stdout(run->output) >= 0)
		(void)execv(SELF, run->argv->items);
	return RUN_FAILED;
}

/* A child that dies with us. */
static int start(int (*fn)(void *cookie), void *cookie, pid_t *ret, struct varve_error *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return varve_error_set(err, -errno, "start a process");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? fn(cookie) : RUN_FAILED);
	}
	*ret = pid;
	return 0;
}

static int run_here(void *cookie)
{
	return become(cookie);
}

int rebuild_run(const struct rebuild_run *run, struct varve_error *err)
{
	struct rebuild_run copy = *run;
	struct sandbox_host one = *run->host; /* borrowed from there */
	pid_t pid = -1;
	int r;

	one.owners.mode = OWNER_ONE;
	r = run->conditions->one_id ? sandbox_spawn(&one, run_here, &copy, -1, &pid, err)
				    : start(run_here, &copy, &pid, err);

	return r < 0 ? r : process_wait(pid);
}

struct cut_off {
	const struct strv *argv;
	int output;
};

static int run_cut_off(void *cookie)
{
	const struct cut_off *run = cookie;

	if (network_cut(NULL) < 0 || take_stdout(run->output) < 0)
		return RUN_FAILED;
	(void)execv(SELF, run->argv->items);
	return RUN_FAILED;
}

/* With one id only the program can do from inside a namespace what it does outside, but as itself.
 */
int rebuild_run_cut_off(const struct sandbox_host *host, const struct strv *argv, int output,
			struct varve_error *err)
{
	struct cut_off cookie = {argv, output};
	pid_t pid = -1;
	int r = host->owners.mode != OWNER_ONE
			? sandbox_spawn(host, run_cut_off, &cookie, -1, &pid, err)
			: start(run_cut_off, &cookie, &pid, err);
	int status;

	if (r < 0)
		return r;
	status = process_wait(pid);
	if (status == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_COMPARE,
			       "without network, varve %s from the bundle fails (exit status %d)",
			       argv->items[1], status);
}
