/* SPDX-License-Identifier: Apache-2.0
 * Commands in a sandbox around an overlay whose programs are the host's, from tables of scripts. */
#ifndef TESTS_SANDBOX_SCENE_H
#define TESTS_SANDBOX_SCENE_H

#include "sandbox_fixture.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/owner_links.h"
#include "base/strv.h"

enum { OUTPUT = 4096 };

/* What a script sees and leaves behind. */
struct script_case {
	const char *what, *script;
	const char *output; /* NULL: does not matter */
	const char *workdir;
	void (*look)(const struct owners *owners, int upper); /* after it, in the namespace */
	int status;
	uint32_t uid, gid;
	bool network;
	bool own_ids; /* needs more than one id */
	bool fast, devices;
};

struct scene {
	const struct fixture *fixture;
	const struct script_case *c;
	int lower, upper, work, output;
};

static inline void add_host(struct sandbox_bind *binds, size_t *count)
{
	static const char *const dirs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		if (access(dirs[i], F_OK) == 0)
			binds[(*count)++] =
				(struct sandbox_bind){.source = dirs[i], .target = dirs[i]};
	binds[(*count)++] = (struct sandbox_bind){.source = "/etc", .target = "/copy/etc"};
}

static inline int run_script(const struct scene *scene, const char *root, const char *tmp,
			     int *status, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	struct sandbox_bind binds[8];
	struct sandbox_spec spec = {.root = root,
				    .binds = binds,
				    .environment = &environment,
				    .workdir = scene->c->workdir ? scene->c->workdir : "/",
				    .temporary = tmp,
				    .network = scene->c->network,
				    .fast = scene->c->fast,
				    .devices = scene->c->devices,
				    .uid = scene->c->uid,
				    .gid = scene->c->gid,
				    .argv = &argv};

	add_host(binds, &spec.bind_count);
	strv_add(&environment, "A=1");
	strv_add(&environment, "EMPTY=");
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, scene->c->script);
	return sandbox_run(&scene->fixture->host, &spec, -1, scene->output, scene->output, status,
			   err);
}

static inline int play(void *cookie)
{
	struct scene *scene = cookie;
	struct varve_error err = {0};
	char root[96], tmp[96];
	int status = -1, r;

	(void)snprintf(root, sizeof(root), "%s/root", scene->fixture->path);
	(void)snprintf(tmp, sizeof(tmp), "%s/tmp", scene->fixture->path);
	r = sandbox_overlay(&scene->lower, 1, scene->upper, scene->work, root, &err);
	if (r == 0)
		r = run_script(scene, root, tmp, &status, &err);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", scene->c->what, err.text);
	if (r == 0 && scene->c->look)
		scene->c->look(&scene->fixture->host.owners, scene->upper);
	/* Not even the init of the sandbox is left, which would come to us as an orphan. */
	REQUIRE(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	REQUIRE(sandbox_unmount(root, &err) == 0);
	return r < 0 ? 99 : status;
}

static inline void make_scene(struct scene *scene)
{
	int dirfd = scene->fixture->dirfd, data;

	scene->lower = make_directory(dirfd, "lower");
	scene->upper = make_directory(dirfd, "upper");
	scene->work = make_directory(dirfd, "work");
	scene->output = openat(dirfd, "output", O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(scene->lower >= 0 && scene->upper >= 0 && scene->work >= 0);
	assert_int_equal(mkdirat(dirfd, "root", 0755), 0);
	assert_int_equal(mkdirat(dirfd, "tmp", 0755), 0);
	data = make_directory(scene->lower, "data");
	assert_int_equal(make_file(data, "gone", "x"), 0);
	fd_close(&data);
}

static inline void close_scene(struct scene *scene)
{
	fd_close(&scene->lower);
	fd_close(&scene->upper);
	fd_close(&scene->work);
	fd_close(&scene->output);
}

static inline void check_script(struct fixture *fixture, const struct script_case *c)
{
	struct scene scene = {.fixture = fixture, .c = c};
	char text[OUTPUT] = "";
	int status;
	ssize_t len;

	make_scene(&scene);
	status = fixture_inside(fixture, play, &scene);
	len = pread(scene.output, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	close_scene(&scene);
	if (status != c->status || (c->output && strcmp(text, c->output) != 0))
		fail_msg("%s: status %d, output '%s'", c->what, status, text);
}

static inline void check_scripts(struct fixture *fixture, const struct script_case *cases,
				 size_t count)
{
	void *state = fixture;

	for (size_t i = 0; i < count; i++) {
		if (cases[i].own_ids && fixture->host.owners.mode == OWNER_ONE)
			continue;
		assert_int_equal(fixture_setup(&state), 0);
		check_script(fixture, &cases[i]);
		assert_int_equal(fixture_teardown(&state), 0);
	}
}

/* The same host, with a user who has one id only. */
static inline void fixture_use_one_id(struct fixture *fixture)
{
	if (fixture->host.owners.mode == OWNER_ONE)
		return;
	fixture->host.owners.mode = OWNER_ONE;
}

#endif
