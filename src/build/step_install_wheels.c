/* SPDX-License-Identifier: Apache-2.0
 * `install` of wheels: uv, in the sandbox, from the store, into a directory of its own that is
 * placed in the layer afterwards. Of the layers below only the interpreter is used; what the run
 * leaves elsewhere is thrown away. */
#include "build/step.h"

#include <dirent.h>
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
#include "base/path.h"
#include "build/mounts.h"

/* Inside the destination, so that uv can link what it has unpacked: no file is written twice. */
#define UV_CACHE ".varve-uv"
#define UV_INSIDE "/run/varve/uv"
#define WHEELS_INSIDE "/run/varve/wheels"

/* The interpreter is the one program that is sure to be there, so it is what calls uv. Arguments:
 * layout, destination, "part" where another layer has the environment itself, "bytecode" where
 * modules are compiled. A .pyc names the file it was made from; those of the environment's own
 * files go with them. */
static const char install_script[] =
	"import os, sys, sysconfig\n"
	"uv = '" UV_INSIDE "'\n"
	"wheels = '" WHEELS_INSIDE "'\n"
	"layout, into, part, bytecode = sys.argv[1:5]\n"
	"def run(*argv):\n"
	"    if os.spawnv(os.P_WAIT, uv, (uv,) + argv):\n"
	"        sys.exit(1)\n"
	"def files():\n"
	"    found = set()\n"
	"    for top, _, names in os.walk(into):\n"
	"        if '/" UV_CACHE "' not in top:\n"
	"            found.update(os.path.join(top, name) for name in names)\n"
	"    for top, names, _ in os.walk(into):\n"
	"        found.update(os.path.join(top, n) for n in names\n"
	"                     if os.path.islink(os.path.join(top, n)))\n"
	"    return found\n"
	"where = {'venv': ('--python', into + '/bin/python'),\n"
	"         'prefix': ('--python', sys.executable, '--break-system-packages'),\n"
	"         'directory': ('--python', sys.executable, '--target', into)}[layout]\n"
	/* Where Debian's Python looks below /usr/local is no place that --prefix would find. */
	"if layout == 'prefix' and not sysconfig.get_path('purelib').startswith(into + '/'):\n"
	"    where += ('--prefix', into)\n"
	"if layout == 'venv':\n"
	"    run('venv', '--quiet', '--allow-existing', '--python', sys.executable, into)\n"
	"own = files() if part else set()\n"
	"if bytecode:\n"
	"    where += ('--compile-bytecode',)\n"
	"names = sorted(os.listdir(wheels))\n"
	"if names:\n"
	"    run('pip', 'install', '--quiet', '--no-deps', '--no-index', *where,\n"
	"        *(os.path.join(wheels, name) for name in names))\n"
	"for name in own:\n"
	"    os.unlink(name)\n"
	"    top, base = os.path.split(name)\n"
	"    cache = os.path.join(top, '__pycache__')\n"
	"    if base.endswith('.py') and os.path.isdir(cache):\n"
	"        for made in os.listdir(cache):\n"
	"            if made.startswith(base[:-2]):\n"
	"                os.unlink(os.path.join(cache, made))\n"
	"        if not os.listdir(cache):\n"
	"            os.rmdir(cache)\n"
	"for name in ('.lock', '.gitignore', 'CACHEDIR.TAG'):\n"
	"    if os.path.exists(os.path.join(into, name)):\n"
	"        os.unlink(os.path.join(into, name))\n";

/* What makes uv's result the same each time, and keeps it from looking elsewhere. */
static void set_uv(struct strv *environment, const char *into)
{
	static const char *const settings[][2] = {
		{"UV_OFFLINE", "1"},
		{"UV_NO_CONFIG", "1"},
		{"UV_NO_PROGRESS", "1"},
		{"UV_PYTHON_DOWNLOADS", "never"},
		{"UV_LINK_MODE", "hardlink"},
		{"UV_NO_INSTALLER_METADATA", "1"}, /* holds the time of the wheel's file */
		{"PYC_INVALIDATION_MODE", "CHECKED_HASH"},
		{"NO_COLOR", "1"},
	};
	CLEANUP(free_ptr) char *cache = xasprintf("%s/%s", into, UV_CACHE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		strv_setenv(environment, settings[i][0], settings[i][1]);
	strv_setenv(environment, "UV_CACHE_DIR", cache);
}

static int make_directory(struct step *step, const char *name, int *ret, struct varve_error *err)
{
	if (mkdirat(step->job.dirfd, name, 0755) < 0)
		return varve_error_set(err, -errno, "make %s/%s", step->job.path, name);
	*ret = openat(step->job.dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return varve_error_set(err, -errno, "open %s/%s", step->job.path, name);
	return 0;
}

static int link_wheels(struct step *step, const struct lock_source *source, struct varve_error *err)
{
	CLEANUP(fd_close) int directory = -1;
	size_t i;
	int r = make_directory(step, "wheels", &directory, err);

	for (i = 0; i < source->count && r == 0; i++)
		if (plan_step_has(step->plan, &source->artifacts[i]))
			r = store_blob_link(step->build->store, &source->artifacts[i].sha256,
					    directory, source_file_name(&source->artifacts[i]),
					    err);
	return r;
}

static int bind_all(struct step *step, const struct lock_source *source, struct mounts *mounts,
		    struct varve_error *err)
{
	const char *destination = step->build->known[step->index].destination;
	CLEANUP(free_ptr) char *program = NULL;
	CLEANUP(free_ptr) char *wheels = path_join(step->job.path, "wheels");
	CLEANUP(free_ptr) char *out = path_join(step->job.path, "out");
	CLEANUP(free_ptr) char *target = xasprintf("/%s", destination);
	int r;

	r = source_python_installer(step->build->sources, source, &program, err);
	if (r == 0)
		r = link_wheels(step, source, err);
	if (r < 0)
		return r;
	if (str_ends(target, "/"))
		target[strlen(target) - 1] = '\0';
	mounts_add(mounts, program, UV_INSIDE, false);
	mounts_add(mounts, wheels, WHEELS_INSIDE, false);
	mounts_add(mounts, out, target, true);
	return 0;
}

static void make_argv(const struct step *step, struct strv *argv)
{
	const struct plan_step *plan = step->plan;
	const char *interpreter = step->build->known[step->index].interpreter;

	strv_addf(argv, "/%.*s", (int)strcspn(interpreter, " "), interpreter);
	strv_add(argv, "-I");
	strv_add(argv, "-S");
	strv_add(argv, "-B");
	strv_add(argv, "-c");
	strv_add(argv, install_script);
	strv_add(argv, plan->layout);
	strv_add(argv, plan->to);
	strv_add(argv, plan->part ? "part" : "");
	strv_add(argv, plan->bytecode ? "bytecode" : "");
}

static int run_uv(struct step *step, const struct lock_source *source, struct varve_error *err)
{
	CLEANUP(mounts_release) struct mounts mounts = {0};
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(fd_close) int scratch = -1;
	struct sandbox_spec spec;
	int layer = step->upper, r;

	r = bind_all(step, source, &mounts, err);
	if (r == 0)
		r = make_directory(step, "scratch", &scratch, err);
	if (r < 0)
		return r;
	make_argv(step, &argv);
	strv_extend(&environment, &step->plan->environment);
	set_uv(&environment, step->plan->to);
	spec = (struct sandbox_spec){
		.binds = mounts.binds,
		.bind_count = mounts.count,
		.environment = &environment,
		.workdir = "/",
		.argv = &argv,
	};
	step->upper = scratch;
	r = step_command(step, &spec, err);
	step->upper = layer;
	strv_release(&step->mounts);
	return r;
}

/* Moves each entry: the directory that is there below keeps its attributes. */
static int move_entries(int from, int to, struct varve_error *err)
{
	DIR *stream = fdopendir(dup(from));
	struct dirent *entry;
	int r = stream ? 0 : varve_error_set(err, -errno, "read what was installed");

	while (stream && r == 0 && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    renameat(from, entry->d_name, to, entry->d_name) < 0)
			r = varve_error_set(err, -errno, "place %s", entry->d_name);
	if (stream)
		closedir(stream);
	return r;
}

static int place(struct step *step, int out, struct varve_error *err)
{
	const char *destination = step->build->known[step->index].destination;
	CLEANUP(free_ptr)
	char *path = xstrndup(destination, strlen(destination) - str_ends(destination, "/"));
	CLEANUP(free_ptr) char *parent = xstrndup(path, path_dir_len(path));
	bool is_there = step->plan->part || str_ends(destination, "/");
	CLEANUP(fd_close) int to = step_parents(step, is_there ? path : parent, err);

	if (to < 0)
		return to;
	if (is_there)
		return move_entries(out, to, err);
	if (renameat(step->job.dirfd, "out", to, path_base(path)) < 0)
		return varve_error_set(err, -errno, "place /%s", path);
	return 0;
}

int step_install_wheels(struct step *step, struct varve_error *err)
{
	const struct plan_source *source =
		&step->build->plan->sources.items[step->plan->from.index];
	CLEANUP(fd_close) int out = -1;
	int r;

	r = make_directory(step, "out", &out, err);
	if (r == 0)
		r = run_uv(step, source->locked, err);
	if (r < 0)
		return r;
	r = fd_remove_tree(out, UV_CACHE);
	if (r < 0)
		return varve_error_set(err, r, "remove uv's cache");
	return place(step, out, err);
}
