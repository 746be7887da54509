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
#include "source/python_index.h"
#include "source/python_name.h"
#include "source/python_pins.h"
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

static int write_list(struct python *p, const char *name, const char *member,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	size_t i;

	list_of(p, member, &list);
	for (i = 0; i < list.count; i++)
		buf_addf(&text, "%s\n", list.items[i]);
	return write_input(p, name, buf_text(&text), err);
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

static void compile_arguments(const struct python *p, struct strv *argv)
{
	static const char *const wheels[] = {"--only-binary", ":all:", NULL};
	static const char *const sdists[] = {"--no-binary", ":all:", "--no-deps", NULL};
	const char *const *extra = p->sdist ? sdists : wheels;
	const char *before = text_of(p, "before");

	strv_add(argv, "pip");
	strv_add(argv, "compile");
	strv_add(argv, "--quiet");
	strv_add(argv, "--no-header");
	strv_add(argv, "--no-annotate");
	strv_add(argv, "--refresh"); /* its cache may be of another day */
	add_target(p, argv);
	for (; *extra; extra++)
		strv_add(argv, *extra);
	if (flag_of(p, "prereleases")) {
		strv_add(argv, "--prerelease");
		strv_add(argv, "allow");
	}
	/* A day alone means its start, in UTC: uv would take its end, in the caller's zone. */
	if (*before) {
		strv_add(argv, "--exclude-newer");
		strv_addf(argv, "%s%s", before, strchr(before, 'T') ? "" : "T00:00:00Z");
	}
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

	r = write_list(p, "constraints.txt", "constraints", err);
	if (r == 0 && p->lock.len > 0)
		r = write_input(p, toml ? "pylock.toml" : "requirements.txt", buf_text(&p->lock),
				err);
	else if (r == 0)
		r = write_list(p, "requirements.txt", "requirements", err);
	if (r < 0)
		return r;
	(toml ? convert_arguments : compile_arguments)(p, &argv);
	r = python_uv_run(p->context, p->program, &argv, &p->indexes, &output, err);
	if (r == 0 && output.status != 0)
		r = uv_failed(p, &output, err);
	if (r < 0)
		return r;
	return toml ? python_pins_parse_dry_run(buf_text(&output.messages), &p->pins, err)
		    : python_pins_parse(buf_text(&output.out), &p->pins, err);
}

/* --- files -------------------------------------------------------------------------------------
 */

static bool is_in_lock_file(const struct python *p, const struct python_file *file)
{
	char hex[VARVE_DIGEST_HEX];

	/* A requirements.txt need not have hashes; a pylock.toml always has. */
	if (p->lock.len == 0 || !strstr(buf_text(&p->lock), "sha256"))
		return true;
	return file->has_sha256 &&
	       strstr(buf_text(&p->lock), varve_digest_hex(&file->sha256, hex)) != NULL;
}

/* -1: not what is wanted; else the less the better. */
static int rank(const struct python *p, const struct python_pin *pin,
		const struct python_file *file)
{
	CLEANUP(free_ptr) char *project = NULL;
	CLEANUP(free_ptr) char *version = NULL;

	if (!python_split(file->name, &project, &version) || strcmp(project, pin->project) != 0 ||
	    !python_same_version(version, pin->version) || !is_in_lock_file(p, file))
		return -1;
	if (p->sdist)
		return !python_is_sdist(file->name) ? -1 : str_ends(file->name, ".zip");
	return python_rank(file->name, &p->target);
}

static const struct python_file *best_file(const struct python *p, const struct python_pin *pin,
					   const struct python_page *page)
{
	const struct python_file *best = NULL;
	int best_rank = 0;
	size_t i;

	for (i = 0; i < page->count; i++) {
		int r = rank(p, pin, &page->files[i]);

		if (r < 0 ||
		    (best && (r > best_rank ||
			      (r == best_rank && strcmp(page->files[i].name, best->name) <= 0))))
			continue;
		best = &page->files[i];
		best_rank = r;
	}
	return best;
}

static bool has_version(const struct python_pin *pin, const struct python_page *page)
{
	size_t i;

	for (i = 0; i < page->count; i++) {
		CLEANUP(free_ptr) char *project = NULL;
		CLEANUP(free_ptr) char *version = NULL;

		if (python_split(page->files[i].name, &project, &version) &&
		    python_same_version(version, pin->version))
			return true;
	}
	return false;
}

static int no_file(const struct python *p, const struct python_pin *pin,
		   const struct python_page *page, const char *index, struct varve_error *err)
{
	if (!has_version(pin, page))
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "index \"%s\" has no %s %s (any more)", index, pin->project,
				       pin->version);
	if (p->lock.len > 0 && strstr(buf_text(&p->lock), "sha256")) {
		varve_error_set(
			err, -VARVE_E_RESOLVE,
			"%s %s: no file that fits Python %s on %s has a sha256 that is in %s",
			pin->project, pin->version, text_of(p, "python"), p->target.machine,
			text_of(p, "lock"));
		return -VARVE_E_RESOLVE;
	}
	varve_error_set(err, -VARVE_E_RESOLVE, "%s %s has no %s for Python %s on %s with glibc %s",
			pin->project, pin->version, p->sdist ? "source distribution" : "wheel",
			text_of(p, "python"), p->target.machine, text_of(p, "glibc"));
	if (!p->sdist)
		varve_error_hint(err, "lock it in a source of its own with \"sdist: true\" and "
				      "build it in a run step");
	return -VARVE_E_RESOLVE;
}

static struct lock_artifact *find_artifact(struct lock_source *source,
					   const struct varve_digest *sha256)
{
	size_t i;

	for (i = 0; i < source->count; i++)
		if (varve_digest_equal(&source->artifacts[i].sha256, sha256))
			return &source->artifacts[i];
	return NULL;
}

static int add_file(struct python *p, const struct python_pin *pin, const struct python_page *page,
		    const char *index, struct varve_error *err)
{
	const struct python_file *file = best_file(p, pin, page);
	struct lock_artifact *artifact;

	if (!file)
		return no_file(p, pin, page, index, err);
	if (!file->has_sha256)
		return varve_error_set(err, -VARVE_E_RESOLVE, "index \"%s\" has no sha256 of %s",
				       index, file->name);
	if (file->yanked)
		json_append(p->yanked, json_text(file->name));
	artifact = find_artifact(p->ret, &file->sha256);
	if (artifact) { /* uv itself is wanted too */
		json_set(artifact->extra, "tool", json_text("also"));
		return 0;
	}
	artifact = lock_source_add(p->ret);
	artifact->name = xstrdup(pin->project);
	artifact->version = xstrdup(pin->version);
	artifact->architecture = python_architecture(file->name);
	artifact->size = file->size;
	artifact->sha256 = file->sha256;
	artifact->date = file->date;
	artifact->from = python_from(p->context, index, file);
	return 0;
}

/* Asks one index for those that no index before it has; drops what it has from left. */
static int look_in(struct python *p, const char *index, bool *found, struct varve_error *err)
{
	CLEANUP(free_ptr) struct python_page *pages = xcalloc(p->pins.count + 1, sizeof(*pages));
	CLEANUP(free_ptr) size_t *which = xcalloc(p->pins.count + 1, sizeof(*which));
	CLEANUP(strv_release) struct strv projects = STRV_INIT;
	size_t i;
	int r;

	for (i = 0; i < p->pins.count; i++) {
		if (found[i])
			continue;
		which[projects.count] = i;
		strv_add(&projects, p->pins.items[i].project);
	}
	r = python_pages(p->context, index, &projects, pages, err);
	for (i = 0; i < projects.count; i++) {
		if (r == 0 && pages[i].found) {
			found[which[i]] = true;
			r = add_file(p, &p->pins.items[which[i]], &pages[i], index, err);
		}
		python_page_release(&pages[i]);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct lock_artifact *x = a, *y = b;

	if (lock_artifact_is_tool(x) != lock_artifact_is_tool(y))
		return lock_artifact_is_tool(x) ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int find_files(struct python *p, struct varve_error *err)
{
	CLEANUP(free_ptr) bool *found = xcalloc(p->pins.count + 1, sizeof(*found));
	size_t i;
	int r = 0;

	for (i = 0; i < p->indexes.count && r == 0; i++)
		r = look_in(p, p->indexes.items[i], found, err);
	for (i = 0; i < p->pins.count && r == 0; i++)
		if (!found[i])
			r = varve_error_set(err, -VARVE_E_RESOLVE, "no index has %s %s (any more)",
					    p->pins.items[i].project, p->pins.items[i].version);
	qsort(p->ret->artifacts, p->ret->count, sizeof(*p->ret->artifacts), by_name);
	return r;
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

	(void)lock;
	p.yanked = json_array();
	r = read_target(&p, err);
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
