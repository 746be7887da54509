/* SPDX-License-Identifier: Apache-2.0
 * python sources: requirements -> uv (which versions) -> pages of the indexes (which files) ->
 * artifacts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "source/python_beside.h"
#include "source/python_choice.h"
#include "source/python_index.h"
#include "source/python_uv.h"
#include "store/store.h"

enum { LOCK_TEXT = 32 << 20, UV_TOLD = 700 };

/* A resolution in work. */
struct python {
	struct source_context *context;
	struct lock_source *ret;
	struct python_target target;
	bool sdist;
	struct strv indexes; /* in order of preference; the main one last */
	struct store_job job; /* where uv's input lies */
	struct buf lock; /* text of the recipe's lock file; "" without one */
	char *program; /* uv, for this host */
	struct python_pins beside; /* what is there already, by sources installed in one place */
	struct python_pins pins;
	json_t *yanked; /* what was chosen though its publisher withdrew it */
};

static void python_release(struct python *p)
{
	strv_release(&p->indexes);
	if (p->job.dirfd >= 0)
		(void)store_job_remove(p->context->store, &p->job);
	buf_release(&p->lock);
	free(p->program);
	python_pins_release(&p->beside);
	python_pins_release(&p->pins);
	json_decref(p->yanked);
}

static const char *text_of(const struct python *p, const char *member)
{
	return json_optional_string(p->ret->spec, member, "");
}

static bool flag_of(const struct python *p, const char *member)
{
	return json_is_true(json_object_get(p->ret->spec, member));
}

static void list_of(const struct python *p, const char *member, struct strv *ret)
{
	const json_t *list = json_object_get(p->ret->spec, member);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		strv_add(ret, json_string_value(json_array_get(list, i)));
}

/* --- the spec ----------------------------------------------------------------------------------
 */

static int read_target(struct python *p, struct varve_error *err)
{
	unsigned long long minor, glibc;

	p->target.machine = python_machine(text_of(p, "platform"));
	if (!p->target.machine)
		return varve_error_set(err, -VARVE_E_RECIPE, "no wheels are made for platform %s",
				       text_of(p, "platform"));
	if (!str_starts(text_of(p, "python"), "3.") ||
	    !str_to_u64(text_of(p, "python") + 2, 999, &minor) ||
	    !str_starts(text_of(p, "glibc"), "2.") ||
	    !str_to_u64(text_of(p, "glibc") + 2, 999, &glibc))
		return varve_error_set(err, -VARVE_E_RECIPE,
				       "python \"%s\" or glibc \"%s\" is no version",
				       text_of(p, "python"), text_of(p, "glibc"));
	p->target.minor = (unsigned)minor;
	p->target.glibc = (unsigned)glibc;
	p->sdist = flag_of(p, "sdist");
	list_of(p, "index", &p->indexes);
	if (!strv_contains(&p->indexes, PYTHON_MAIN_INDEX))
		strv_add(&p->indexes, PYTHON_MAIN_INDEX);
	return 0;
}

static int read_lock_file(struct python *p, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_join(p->context->directory, text_of(p, "lock"));
	int r;

	if (*text_of(p, "lock") == '\0')
		return 0;
	r = fd_read_file(AT_FDCWD, path, LOCK_TEXT, &p->lock, err);
	if (r == 0 && !str_ends(path, ".toml"))
		r = python_requirements_check(buf_text(&p->lock), text_of(p, "lock"), err);
	return r;
}

/* --- uv ----------------------------------------------------------------------------------------
 */

/* uv for this host: what is locked where the image is for the same kind of machine, else another
 * wheel of it, which is in no lock. */
static int get_uv(struct python *p, struct varve_error *err)
{
	struct lock_source own = {0};
	const struct lock_source *source = p->ret;
	struct utsname host;
	int r;

	r = python_uv_lock(p->context, text_of(p, "platform"), p->ret, err);
	if (r == 0 && uname(&host) == 0 && strcmp(host.machine, p->target.machine) != 0) {
		CLEANUP(free_ptr)
		char *platform = xasprintf(
			"linux/%s", strcmp(host.machine, "aarch64") == 0 ? "arm64" : "amd64");

		source = &own;
		r = python_uv_lock(p->context, platform, &own, err);
	}
	if (r == 0)
		r = source_fetch(p->context, &source, 1, err);
	if (r >= 0)
		r = python_uv_program(p->context, python_uv_artifact(source), &p->program, err);
	lock_source_release(&own);
	return r;
}

static int write_input(struct python *p, const char *name, const char *text,
		       struct varve_error *err)
{
	return tempfile_write(p->job.dirfd, name, text, strlen(text), false, err);
}

static void add_lines(const struct python *p, const char *member, struct buf *text)
{
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	size_t i;

	list_of(p, member, &list);
	for (i = 0; i < list.count; i++)
		buf_addf(text, "%s\n", list.items[i]);
}

static int write_requirements(struct python *p, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	add_lines(p, "requirements", &text);
	return write_input(p, "requirements.txt", buf_text(&text), err);
}

static int write_constraints(struct python *p, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t i;

	add_lines(p, "constraints", &text);
	for (i = 0; i < p->beside.count; i++)
		buf_addf(&text, "%s==%s\n", p->beside.items[i].project, p->beside.items[i].version);
	return write_input(p, "constraints.txt", buf_text(&text), err);
}

/* "x86_64-manylinux_2_28"; machines that uv has no such names for get its general one. */
static char *platform_of(const struct python *p)
{
	if (strcmp(p->target.machine, "x86_64") == 0 || strcmp(p->target.machine, "aarch64") == 0)
		return xasprintf("%s-manylinux_2_%u", p->target.machine, p->target.glibc);
	return xasprintf("%s-unknown-linux-gnu", p->target.machine);
}

static void add_target(const struct python *p, struct strv *argv)
{
	strv_add(argv, "--python-version");
	strv_add(argv, text_of(p, "python"));
	strv_add(argv, "--python-platform");
	strv_take(argv, platform_of(p));
}

static char *path_in_job(const struct python *p, const char *name)
{
	return path_join(p->job.path, name);
}

/* A day alone means its start, in UTC: uv would take its end, in the caller's zone. What is there
 * already is there whenever it was published. */
static void add_before(const struct python *p, struct strv *argv)
{
	const char *before = text_of(p, "before");
	size_t i;

	if (*before == '\0')
		return;
	strv_add(argv, "--exclude-newer");
	strv_addf(argv, "%s%s", before, strchr(before, 'T') ? "" : "T00:00:00Z");
	for (i = 0; i < p->beside.count; i++) {
		strv_add(argv, "--exclude-newer-package");
		strv_addf(argv, "%s=false", p->beside.items[i].project);
	}
}

static void compile_arguments(const struct python *p, struct strv *argv)
{
	static const char *const wheels[] = {"--only-binary", ":all:", NULL};
	static const char *const sdists[] = {"--no-binary", ":all:", "--no-deps", NULL};
	const char *const *extra = p->sdist ? sdists : wheels;

	strv_add(argv, "pip");
	strv_add(argv, "compile");
	strv_add(argv, "--quiet");
	strv_add(argv, "--no-header");
	strv_add(argv, "--no-annotate");
	strv_add(argv, "--refresh"); /* its cache may be of another day */
	add_target(p, argv);
	for (; *extra; extra++)
		strv_add(argv, *extra);
	if (json_is_false(json_object_get(p->ret->spec, "dependencies")) && !p->sdist)
		strv_add(argv, "--no-deps");
	if (flag_of(p, "prereleases")) {
		strv_add(argv, "--prerelease");
		strv_add(argv, "allow");
	}
	add_before(p, argv);
	strv_add(argv, "--constraints");
	strv_take(argv, path_in_job(p, "constraints.txt"));
	strv_take(argv, path_in_job(p, "requirements.txt"));
}

/* uv reads its TOML itself: what it would install is what is locked. */
static void convert_arguments(const struct python *p, struct strv *argv)
{
	strv_add(argv, "pip");
	strv_add(argv, "install");
	strv_add(argv, "--dry-run");
	strv_add(argv, "--no-deps");
	add_target(p, argv);
	strv_add(argv, "--target");
	strv_take(argv, path_in_job(p, "nowhere"));
	strv_add(argv, "-r");
	strv_take(argv, path_in_job(p, "pylock.toml"));
}

static int uv_failed(const struct python *p, struct python_uv_output *output,
		     struct varve_error *err)
{
	const char *text = buf_text(&output->messages);

	if (strstr(text, "No interpreter found")) {
		varve_error_set(
			err, -VARVE_E_HOST,
			"uv needs a Python on this host to resolve with, any version of it");
		varve_error_hint(err, "install the package python3");
		return -VARVE_E_HOST;
	}
	if (strstr(text, "Failed to fetch") || strstr(text, "Request failed"))
		return varve_error_set(err, -VARVE_E_NETWORK, "uv: %.*s", UV_TOLD, text);
	return varve_error_set(err, -VARVE_E_RESOLVE, "%s: uv: %.*s", p->ret->name, UV_TOLD,
			       *text ? text : "it failed without a word");
}

static int ask_uv(struct python *p, struct varve_error *err)
{
	CLEANUP(python_uv_output_release) struct python_uv_output output = {0};
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	bool toml = str_ends(text_of(p, "lock"), ".toml");
	int r;

	r = write_constraints(p, err);
	if (r == 0 && p->lock.len > 0)
		r = write_input(p, toml ? "pylock.toml" : "requirements.txt", buf_text(&p->lock),
				err);
	else if (r == 0)
		r = write_requirements(p, err);
	if (r < 0)
		return r;
	(toml ? convert_arguments : compile_arguments)(p, &argv);
	r = python_uv_run(p->context, p->program, &argv, &p->indexes, &output, err);
	if (r == 0 && output.status != 0)
		r = uv_failed(p, &output, err);
	if (r < 0)
		return r;
	r = toml ? python_pins_parse_dry_run(buf_text(&output.messages), &p->pins, err)
		 : python_pins_parse(buf_text(&output.out), &p->pins, err);
	python_beside_remove(&p->beside, &p->pins);
	return r;
}

/* --- files -------------------------------------------------------------------------------------
 */

static int find_files(struct python *p, struct varve_error *err)
{
	struct python_choice choice = {
		.context = p->context,
		.pins = &p->pins,
		.indexes = &p->indexes,
		.target = &p->target,
		.sdist = p->sdist,
		.lock = buf_text(&p->lock),
		.ret = p->ret,
		.yanked = p->yanked,
	};

	return python_choose(&choice, err);
}

/* Where an index does not tell the size the file itself does, and is in the store then. */
static int learn_sizes(struct python *p, struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < p->ret->count && r == 0; i++) {
		struct lock_artifact *artifact = &p->ret->artifacts[i];
		struct source_download download = {.want = &artifact->sha256, .limit = UINT64_MAX};

		if (artifact->size > 0)
			continue;
		if (!varve_store_has_blob(p->context->store, &artifact->sha256, &artifact->size)) {
			r = source_python_locate(p->context, artifact, false, &download.url, err);
			if (r == 0)
				r = source_download(p->context, &download, 1, artifact->name, err);
			artifact->size = download.got_size;
			free(download.url);
		}
	}
	return r;
}

static void set_facts(struct python *p)
{
	int64_t date = 0;
	size_t i;

	for (i = 0; i < p->ret->count; i++)
		if (lock_artifact_is_content(&p->ret->artifacts[i]) &&
		    p->ret->artifacts[i].date > date)
			date = p->ret->artifacts[i].date;
	json_set(p->ret->facts, "date", json_integer(date));
	if (json_array_size(p->yanked) > 0)
		json_set(p->ret->facts, "yanked", json_incref(p->yanked));
}

int source_python_resolve(struct source_context *context, const struct lock *lock,
			  struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(python_release)
	struct python p = {.context = context, .ret = ret, .job = STORE_JOB_INIT};
	int r;

	p.yanked = json_array();
	r = read_target(&p, err);
	if (r == 0)
		r = python_beside_read(ret->spec, lock, &p.beside, err);
	if (r == 0)
		r = read_lock_file(&p, err);
	if (r == 0)
		r = get_uv(&p, err);
	if (r == 0)
		r = store_job_begin(context->store, &p.job, err);
	if (r == 0)
		r = ask_uv(&p, err);
	if (r == 0)
		r = find_files(&p, err);
	if (r == 0)
		r = learn_sizes(&p, err);
	if (r == 0)
		set_facts(&p);
	return r;
}

int source_python_installer(struct source_context *context, const struct lock_source *source,
			    char **ret, struct varve_error *err)
{
	const struct lock_artifact *wheel = python_uv_artifact(source);

	if (!wheel)
		return varve_error_set(err, -VARVE_E_LOCK,
				       "source \"%s\": the lock has no uv to install it with",
				       source->name);
	return python_uv_program(context, wheel, ret, err);
}
