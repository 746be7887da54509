/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/network.h"
#include "base/path.h"
#include "cli/session_scratch.h"
#include "cli/session_lock.h"
#include "cli/session_registries.h"
#include "cli/shipped_plan.h"
#include "cli/settings.h"

enum { RECIPE_LIMIT = 1 << 20, LOCK_FILE_LIMIT = 32 << 20 };

void session_release(struct session *session)
{
	size_t i;

	build_release(&session->build);
	session_registries_free(session->registries);
	progress_free(session->progress);
	for (i = 0; i < session->options.secret_count; i++) {
		free(session->secrets[i].name);
		free(session->secrets[i].path);
	}
	free(session->secrets);
	if (session->has_host)
		sandbox_host_release(&session->host);
	plan_free(session->plan);
	session_lock_release(session);
	recipe_scope_free(session->scope);
	varve_store_close(session->store);
	free(session->directory);
	free(session->lock_path);
	strv_release(&session->mirrors);
	strv_release(&session->sources.learnt);
	json_decref(session->config);
	json_decref(session->beside);
	*session = (struct session){0};
}

/* --- recipe ------------------------------------------------------------------------------------
 */

static int load_include(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	(void)cookie;
	return fd_read_file(AT_FDCWD, name, RECIPE_LIMIT, out, err);
}

int session_load_recipe(const char *path, struct recipe **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	int r;

	r = fd_read_file(AT_FDCWD, path, RECIPE_LIMIT, &text, err);
	if (r < 0)
		return r > -1024 ? -VARVE_E_RECIPE : r;
	r = recipe_parse(buf_text(&text), text.len, path, load_include, NULL, &recipe, err);
	if (r == 0)
		r = recipe_check(recipe, cli_reserved_options, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&recipe);
	return 0;
}

/* --- settings ----------------------------------------------------------------------------------
 */

/* "linux/amd64" of the machine we run on. */
const char *session_host_platform(void)
{
	static const struct {
		const char *machine, *platform;
	} known[] = {{"x86_64", "linux/amd64"},    {"aarch64", "linux/arm64"},
		     {"riscv64", "linux/riscv64"}, {"ppc64le", "linux/ppc64le"},
		     {"s390x", "linux/s390x"},     {"i686", "linux/386"}};
	struct utsname name;
	size_t i;

	if (uname(&name) == 0)
		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (strcmp(known[i].machine, name.machine) == 0)
				return known[i].platform;
	return "linux/amd64";
}

static int read_epoch(int64_t *ret, struct varve_error *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	unsigned long long value;

	*ret = -1;
	if (!text || !*text)
		return 0;
	if (!str_to_u64(text, INT64_C(253402300799), &value))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "SOURCE_DATE_EPOCH=%s is not a number of seconds", text);
	*ret = (int64_t)value;
	return 0;
}

static int read_jobs(const char *text, unsigned *ret, struct varve_error *err)
{
	unsigned long long value;

	if (!text)
		return 0;
	if (!str_to_u64(text, 1024, &value) || value == 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--jobs %s: a number from 1 to 1024 is needed", text);
	*ret = (unsigned)value;
	return 0;
}

static int read_secrets(struct session *session, struct varve_error *err)
{
	const struct strv *given = &session->cli->values.secrets;
	size_t i;

	session->secrets = xcalloc(given->count + 1, sizeof(*session->secrets));
	for (i = 0; i < given->count; i++) {
		const char *equals = strchr(given->items[i], '=');
		char *path;

		if (!equals || equals == given->items[i])
			return varve_error_set(err, -VARVE_E_USAGE,
					       "--secret %s: NAME=FILE is needed", given->items[i]);
		path = realpath(equals + 1, NULL);
		if (!path)
			return varve_error_set(err, -errno, "secret file %s", equals + 1);
		session->secrets[i].name =
			xstrndup(given->items[i], (size_t)(equals - given->items[i]));
		session->secrets[i].path = path;
		session->options.secret_count++;
	}
	session->options.secrets = session->secrets;
	return 0;
}

static int read_options(struct session *session, struct varve_error *err)
{
	const struct cli_values *values = &session->cli->values;
	int r;

	r = layer_compression_parse(values->compression ? values->compression : "zstd",
				    &session->options.compression, err);
	if (r == 0)
		r = read_jobs(values->jobs, &session->options.jobs, err);
	if (r == 0)
		r = read_secrets(session, err);
	session->options.expect_cached = values->expect_cached;
	return r;
}

/* The usual places are of no use to an account without a home, or with a read-only one. */
static int explain_store(int r, struct varve_error *err)
{
	if (r != -EROFS && r != -EACCES && r != -EPERM)
		return r;
	varve_error_hint(err, "name a directory that can be written with --store or VARVE_STORE");
	if (err)
		err->code = -VARVE_E_HOST;
	return -VARVE_E_HOST;
}

static int open_store(struct session *session, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = NULL;
	const char *setting = json_optional_string(session->config, "store", NULL);
	int r = 0;

	if (session->cli->values.store && !*session->cli->values.store)
		return varve_error_set(err, -VARVE_E_USAGE, "--store: a directory is needed");
	if (session->cli->values.store)
		path = xstrdup(session->cli->values.store);
	else if (setting && !getenv("VARVE_STORE"))
		path = xstrdup(setting);
	else
		r = varve_store_default_path(&path, err);
	if (r == 0)
		r = explain_store(varve_store_open(path, &session->store, err), err);
	if (r == 0)
		r = session_use_scratch(session, err);
	return r;
}

static int check_isolation(const char *isolation, struct varve_error *err)
{
	if (!isolation || strcmp(isolation, "bwrap") == 0 || strcmp(isolation, "chroot") == 0)
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "--isolation %s: bwrap or chroot is needed",
			       isolation);
}

int session_open_store(struct session *session, struct cli *cli, struct varve_error *err)
{
	int r;

	*session = (struct session){.cli = cli,
				    .lock = LOCK_INIT,
				    .cache = session->cache,
				    .shipped = session->shipped,
				    .only = session->only};
	r = check_isolation(cli->values.isolation, err);
	if (r == 0)
		r = settings_read(&session->config, err);
	if (r == 0)
		r = open_store(session, err);
	if (r == 0)
		r = progress_new(cli->values.progress, &session->progress, err);
	return r;
}

/* --- plan --------------------------------------------------------------------------------------
 */

static int digest_local(void *cookie, const struct plan_source *source, struct varve_digest *ret,
			struct varve_error *err)
{
	struct session *session = cookie;
	const struct recipe_source *written =
		recipe_find_source(session->cli->recipe, source->name);
	char hex[VARVE_DIGEST_HEX];
	int r;

	if (session->shipped)
		return shipped_plan_digest(session->shipped, "local",
					   varve_digest_hex(&source->digest, hex), ret, err);
	r = source_local_digest(&session->sources, source->spec, ret, NULL, err);
	if ((r == -ENOENT || r == -ENOTDIR) && written && err) {
		struct varve_error why = *err;

		r = recipe_error(&written->path.at, err, "source \"%s\": %.800s", source->name,
				 why.text);
	}
	return r;
}

static int digest_file(void *cookie, const char *path, struct varve_digest *ret,
		       struct varve_error *err)
{
	struct session *session = cookie;
	CLEANUP(free_ptr) char *whole = path_join(session->directory, path);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (session->shipped)
		return shipped_plan_digest(session->shipped, "beside", path, ret, err);
	r = fd_read_file(AT_FDCWD, whole, LOCK_FILE_LIMIT, &text, err);
	if (r == 0) {
		digest_bytes(buf_text(&text), text.len, ret);
		if (!session->beside)
			session->beside = json_object();
		json_set(session->beside, path, json_of_digest(ret));
	}
	return r > -1024 ? (r < 0 ? -VARVE_E_RECIPE : 0) : r;
}

static void set_paths(struct session *session)
{
	const char *path = session->cli->recipe_path;
	CLEANUP(free_ptr) char *stem = xstrdup(path);
	char *dot = strrchr(stem, '.');

	if (dot && !strchr(dot, '/'))
		*dot = '\0';
	session->lock_path = xasprintf("%s.lock.json", stem);
	if (session->shipped) {
		session->directory =
			xstrdup(json_optional_string(session->shipped, "directory", "."));
		return;
	}
	session->directory =
		path_dir_len(path) > 0 ? xstrndup(path, path_dir_len(path)) : xstrdup(".");
}

/* The machine may set options of recipes that it does not know: only those this one has count.
 * prefix: what stands before their names, "" or "RECIPE.". */
static void add_settings(const struct session *session, const struct strv *machine,
			 const char *prefix, struct strv *ret)
{
	size_t i;

	for (i = 0; i < machine->count; i++) {
		CLEANUP(free_ptr) char *name = NULL;
		const char *item = machine->items[i];

		if (!str_starts(item, prefix))
			continue;
		item += strlen(prefix);
		name = xstrndup(item, strcspn(item, "="));
		if (recipe_find_option(session->cli->recipe, name))
			strv_add(ret, item);
	}
}

void session_settings(const struct session *session, struct strv *ret)
{
	CLEANUP(strv_release) struct strv machine = STRV_INIT;
	CLEANUP(free_ptr) char *own = xasprintf("%s.", session->cli->recipe->name.text);

	if (!session->shipped)
		settings_pairs(session->config, "options", &machine);
	add_settings(session, &machine, "", ret);
	add_settings(session, &machine, own, ret);
	strv_extend(ret, &session->cli->values.set);
}

static int make_scope(struct session *session, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv all = STRV_INIT;

	session_settings(session, &all);
	return recipe_scope_new(session->cli->recipe, &all, &session->scope, err);
}

bool session_is_platform(const char *text)
{
	const char *at;
	unsigned slashes = 0;

	for (at = text; *at; at++) {
		if (*at != '/' && !strchr("abcdefghijklmnopqrstuvwxyz0123456789._", *at))
			return false;
		if (*at != '/')
			continue;
		slashes++;
		if (at == text || at[1] == '/' || at[1] == '\0')
			return false;
	}
	return slashes == 1 || slashes == 2;
}

static int check_platform(const struct cli_values *values, struct varve_error *err)
{
	if (values->platform && !session_is_platform(values->platform))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--platform %s: OS/ARCH is needed, as %s", values->platform,
				       session_host_platform());
	return 0;
}

static int set_sources(struct session *session, struct varve_error *err)
{
	const struct cli_values *values = &session->cli->values;
	int r = session_read_mirrors(session, err);

	if (r < 0)
		return r;
	session->sources = (struct source_context){
		.store = session->store,
		.mirrors = &session->mirrors,
		.directory = session->directory,
		.offline = values->offline,
		.registries = session_registries(session),
	};
	session->plan_options = (struct plan_options){
		.platform = values->platform ? values->platform : session_host_platform(),
		.images = &values->images,
		.registry = values->registry
				    ? values->registry
				    : json_optional_string(session->config, "registry", NULL),
		.local_digest = digest_local,
		.file_digest = digest_file,
		.cookie = session,
	};
	if (!session->shipped)
		return read_epoch(&session->plan_options.epoch, err);
	session->plan_options.epoch =
		json_integer_value(json_object_get(session->shipped, "epoch"));
	return 0;
}

/* The recipe's part of a name was checked where it is written; what --registry and the settings put
 * before it was not. */
static int check_names(const struct plan *plan, struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < plan->image_count && r == 0; i++)
		r = image_name_check(plan->images[i].name, err);
	return r;
}

/* A copy whose destination goes by the trees below, which lie where the host keeps them. */
static bool looks_at_trees(const struct build *build)
{
	size_t i;

	for (i = 0; i < build->plan->step_count; i++)
		if (!build->known[i].known && build->status[i].verdict == PLAN_DEPENDS &&
		    build->status[i].depends_on == (int)i)
			return true;
	return false;
}

static int assess(struct session *session, struct varve_error *err)
{
	int r = build_assess(&session->build, err);

	if (r < 0 || !looks_at_trees(&session->build))
		return r;
	session_find_host(session);
	return build_assess(&session->build, err);
}

static int begin_build(struct session *session, struct varve_error *err)
{
	int r;

	r = plan_compile(session->cli->recipe, session->scope, &session->lock,
			 &session->plan_options, &session->plan, err);
	if (r == 0)
		r = check_names(session->plan, err);
	if (r < 0)
		return r;
	build_begin(session->plan, session->store, &session->sources, &session->build);
	session->build.host = session->has_host ? &session->host : NULL; /* of a check before */
	session->build.options = &session->options;
	session->build.cache = session->cache;
	session->build.report = progress_report(session->progress);
	if (session->only) {
		session->only_step = plan_find_step(session->plan, session->only, err);
		if (session->only_step < 0)
			return session->only_step;
		build_want(&session->build, session->only_step);
	}
	return assess(session, err);
}

int session_open(struct session *session, struct cli *cli, enum session_locking locking,
		 struct varve_error *err)
{
	int r;

	r = session_open_store(session, cli, err);
	if (r < 0)
		return r;
	/* Whoever may, lives without network altogether; others see to it that each of their
	 * workers does. */
	if (cli->values.offline)
		(void)network_cut_privileged();
	set_paths(session);
	r = read_options(session, err);
	if (r == 0)
		r = check_platform(&cli->values, err);
	if (r == 0)
		r = make_scope(session, err);
	/* lock --all goes through values that nobody asked to build. */
	if (r == 0 && locking != SESSION_REFRESH)
		r = recipe_require(cli->recipe, session->scope, err);
	if (r == 0)
		r = set_sources(session, err);
	if (r == 0)
		r = session->shipped ? shipped_plan_lock(session->shipped, &session->lock, err)
				     : session_lock(session, locking, err);
	return r < 0 ? r : begin_build(session, err);
}
