/* SPDX-License-Identifier: Apache-2.0 */
#include "build/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "build/command.h"
#include "build/mounts.h"
#include "build/step.h"
#include "build/user.h"

/* What the forked process gets, and the pipe for what it has to say before the command runs. */
struct visit {
	struct build *build;
	const struct enter *enter;
	int report_fd;
};

static int make_directories(struct step *step, struct varve_error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} wanted[] = {{"upper", 0755}, {"work", 0755}, {"tmp", 01777}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		if (mkdirat(step->job.dirfd, wanted[i].name, 0755) < 0 ||
		    fchmodat(step->job.dirfd, wanted[i].name, wanted[i].mode, 0) < 0)
			return varve_error_set(err, -errno, "make %s/%s", step->job.path,
					       wanted[i].name);
	return 0;
}

/* The stack with the failed step's changes as one more tree on top. */
static int open_stack(struct visit *visit, struct step_stack *ret, struct varve_error *err)
{
	const struct enter *enter = visit->enter;
	int r = step_stack_open(visit->build, enter->layers, enter->layer_count, ret, err);

	if (r < 0 || !enter->failed)
		return r;
	return step_stack_push(visit->build, enter->failed, ret, err);
}

static int make_view(struct visit *visit, struct step *step, struct varve_error *err)
{
	CLEANUP(step_stack_release) struct step_stack stack = {0};
	CLEANUP(fd_close) int upper = -1;
	CLEANUP(fd_close) int work = -1;
	int r;

	r = make_directories(step, err);
	if (r < 0)
		return r;
	upper = openat(step->job.dirfd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	work = openat(step->job.dirfd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = open_stack(visit, &stack, err);
	if (r == 0)
		r = step_stack_show(&stack, visit->build->host, step->job.path,
				    &(struct step_place){"root", upper, work}, err);
	if (r < 0)
		return r;
	step->root = path_join(step->job.path, "root");
	strv_add(&step->views, step->root);
	step->devices = step_stack_has_devices(&stack);
	return 0;
}

/* A source that is no absolute path lies in the work directory, where furnish has put it. */
static void add_bind(const struct step *step, const struct sandbox_bind *bind, struct mounts *ret)
{
	CLEANUP(free_ptr)
	char *source = *bind->source == '/' ? xstrdup(bind->source)
					    : path_join(step->job.path, bind->source);

	mounts_add(ret, source, bind->target, bind->writable);
}

static int add_binds(struct visit *visit, struct step *step, struct mounts *ret,
		     struct varve_error *err)
{
	const struct enter *enter = visit->enter;
	size_t i;

	for (i = 0; i < enter->bind_count; i++) {
		add_bind(step, &enter->binds[i], ret);
		ret->binds[ret->count - 1].device = enter->binds[i].device;
	}
	return step->plan ? mounts_prepare(step, ret, err) : 0;
}

static int run_in_view(struct visit *visit, struct step *step, int *ret_status,
		       struct varve_error *err)
{
	const struct enter *enter = visit->enter;
	CLEANUP(free_ptr) char *temporary = path_join(step->job.path, "tmp");
	CLEANUP(mounts_release) struct mounts mounts = {0};
	CLEANUP(user_release) struct user user = {0};
	struct sandbox_spec spec;
	int r;

	r = enter->furnish ? enter->furnish(enter->cookie, step->root, step->job.path, err) : 0;
	if (r == 0)
		r = add_binds(visit, step, &mounts, err);
	if (r == 0)
		r = user_find(step->root, enter->user, &user, err);
	if (r < 0)
		return r;
	spec = (struct sandbox_spec){
		.root = step->root,
		.binds = mounts.binds,
		.bind_count = mounts.count,
		.environment = enter->environment,
		.workdir = enter->workdir && *enter->workdir ? enter->workdir : "/",
		.temporary = temporary,
		.network = enter->network,
		.own_network = enter->own_network,
		.devices = step->devices,
		.terminal = enter->terminal,
		.uid = user.uid,
		.gid = user.gid,
		.groups = &user.groups,
		.argv = enter->argv,
		.copy = step_bind_copy,
	};
	r = sandbox_run(visit->build->host, &spec, enter->terminal ? STDIN_FILENO : -1,
			enter->output, enter->output, ret_status, err);
	return r < 0 ? command_explain(&spec, r, err) : r;
}

static int visit_main(void *cookie)
{
	struct visit *visit = cookie;
	const struct enter *enter = visit->enter;
	struct step step = {.build = visit->build, .job = STORE_JOB_INIT, .upper = -1};
	struct varve_error err = {0};
	int status = 0, r;

	umask(022);
	step.index = enter->step;
	step.plan = enter->step == PLAN_NONE ? NULL : &visit->build->plan->steps[enter->step];
	step.name = step.plan ? plan_step_name(visit->build->plan, enter->step) : xstrdup("run");
	r = store_reopen(visit->build->store, &err);
	if (r == 0)
		r = store_job_begin(store_work(visit->build->store), &step.job, &err);
	if (r == 0)
		r = make_view(visit, &step, &err);
	if (r == 0)
		r = run_in_view(visit, &step, &status, &err);
	/* As a shell says it. */
	if (r == -VARVE_E_STEP)
		(void)dprintf(enter->output >= 0 ? enter->output : STDERR_FILENO, "varve: %s\n",
			      err.text);
	else if (r < 0)
		(void)dprintf(visit->report_fd, "%s", err.text);
	step_unview(&step);
	if (step.job.dirfd >= 0)
		(void)store_job_remove(store_work(visit->build->store), &step.job);
	free(step.root);
	free(step.name);
	if (r < 0)
		return r == -VARVE_E_STEP ? 127 : 125;
	return status;
}

/* What the terminal sends is for the command; we live on to clean up behind it, as system(3) does.
 */
static const int terminal_signals[] = {SIGINT, SIGQUIT};

static void leave_to_command(struct sigaction before[ARRAY_SIZE(terminal_signals)])
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(terminal_signals); i++)
		(void)sigaction(terminal_signals[i], &ignore, &before[i]);
}

static void take_back(const struct sigaction before[ARRAY_SIZE(terminal_signals)])
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(terminal_signals); i++)
		(void)sigaction(terminal_signals[i], &before[i], NULL);
}

static int await_visit(const struct enter *enter, int reader, pid_t pid, struct buf *ret_said)
{
	struct sigaction before[ARRAY_SIZE(terminal_signals)];
	int status;

	if (enter->terminal)
		leave_to_command(before);
	(void)fd_read_all(reader, VARVE_ERROR_TEXT, ret_said);
	status = process_wait(pid);
	if (enter->terminal)
		take_back(before);
	return status;
}

int enter_run(struct build *build, const struct enter *enter, int *ret_status,
	      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf said = BUF_INIT;
	CLEANUP(fd_close) int reader = -1;
	struct visit visit = {.build = build, .enter = enter};
	int pipes[2], r;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	reader = pipes[0];
	visit.report_fd = pipes[1];
	fflush(NULL);
	r = sandbox_spawn(build->host, visit_main, &visit, pipes[1], &pid, err);
	close(pipes[1]);
	if (r < 0)
		return r;
	*ret_status = await_visit(enter, reader, pid, &said);
	if (said.len > 0)
		return varve_error_set(err, -VARVE_E_HOST, "%s", buf_text(&said));
	return 0;
}
