/* SPDX-License-Identifier: Apache-2.0
 * A bundle is proved by what it is for: a build elsewhere. That one is another run of this program
 * as root of a user namespace that has no network but its own loopback, which is down. */
#include "cli/cmd_bundle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "cli/rebuild.h"
#include "cli/session_lock.h"
#include "store/store.h"

#define SELF "/proc/self/exe"

/* --- the two builds ----------------------------------------------------------------------------
 */

/* One check: the bundle, unpacked, and the values of options that are tried. */
struct check {
	const struct session *session;
	const char *place; /* a directory of the job's */
	const char *recipe; /* of the bundle, below its directory */
	const struct strv *combination; /* "NAME=VALUE", in place of the session's values */
	int output; /* for the result of the second build */
};

static bool is_set(const struct strv *combination, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < combination->count; i++)
		if (strncmp(combination->items[i], name, len) == 0 &&
		    combination->items[i][len] == '=')
			return true;
	return false;
}

/* The choices that make the plan, as options. */
static void add_choices(const struct check *check, struct strv *argv)
{
	const struct session *session = check->session;
	const struct cli_values *values = &session->cli->values;
	const struct recipe *recipe = session->cli->recipe;

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;

		if (!is_set(check->combination, name))
			strv_addf(argv, "--set=%s=%s", name,
				  recipe_scope_get(session->scope, name));
	}
	for (size_t i = 0; i < check->combination->count; i++)
		strv_addf(argv, "--set=%s", check->combination->items[i]);
	for (size_t i = 0; i < values->secrets.count; i++)
		strv_addf(argv, "--secret=%s", values->secrets.items[i]);
	if (values->isolation)
		strv_addf(argv, "--isolation=%s", values->isolation);
	for (size_t i = 0; i < values->images.count; i++)
		strv_addf(argv, "--image=%s", values->images.items[i]);
	strv_addf(argv, "--platform=%s", session->plan->platform);
	if (session->plan_options.registry)
		strv_addf(argv, "--registry=%s", session->plan_options.registry);
	strv_addf(argv, "--progress=%s", values->progress ? values->progress : "plain");
	strv_add(argv, "--json");
}

static int build_here(const struct check *check, struct buf *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(free_ptr) char *self = realpath(SELF, NULL);

	strv_add(&argv, self ? self : SELF);
	strv_add(&argv, "build");
	strv_add(&argv, check->session->cli->recipe_path);
	strv_add(&argv, "--locked");
	strv_addf(&argv, "--store=%s", store_path(check->session->store));
	add_choices(check, &argv);
	return process_capture((const char *const *)argv.items, REBUILD_RESULT_LIMIT, ret, err);
}

static int import_there(const struct session *session, const struct image_target *target,
			const char *place, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;

	strv_add(&argv, "varve");
	strv_add(&argv, "bundle");
	strv_add(&argv, "import");
	strv_add(&argv, target->path);
	strv_addf(&argv, "%s/recipe", place);
	strv_addf(&argv, "--store=%s/store", place);
	return rebuild_run_cut_off(&session->host, &argv, -1, err);
}

static int build_there(const struct check *check, struct buf *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int r;

	strv_add(&argv, "varve");
	strv_add(&argv, "build");
	strv_addf(&argv, "%s/recipe/%s", check->place, check->recipe);
	strv_add(&argv, "--offline");
	strv_addf(&argv, "--store=%s/store", check->place);
	add_choices(check, &argv);
	if (ftruncate(check->output, 0) < 0 || lseek(check->output, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "empty the result of the last build");
	r = rebuild_run_cut_off(&check->session->host, &argv, check->output, err);
	return r < 0 ? r : rebuild_read_output(check->output, ret, err);
}

static int read_result(const char *text, size_t len, json_t **ret, struct varve_error *err)
{
	return json_parse(text, len, "the result of varve build", ret, err);
}

static int compare(const struct buf *here, const struct buf *there, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *a = NULL;
	CLEANUP(json_decrefp) json_t *b = NULL;
	int r = read_result(buf_text(here), here->len, &a, err);

	if (r == 0)
		r = read_result(buf_text(there), there->len, &b, err);
	if (r < 0 || json_equal(a, b))
		return r;
	return varve_error_set(err, -VARVE_E_COMPARE,
			       "the bundle builds other images than the recipe:\n%.400s\n%.400s",
			       buf_text(here), buf_text(there));
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int check_one(const struct check *check, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf here = BUF_INIT;
	CLEANUP(buf_release) struct buf there = BUF_INIT;
	CLEANUP(free_ptr) char *words = NULL;
	int r = build_here(check, &here, err);

	if (r == 0)
		r = build_there(check, &there, err);
	if (r == 0)
		r = compare(&here, &there, err);
	if (r < 0 && check->combination->count > 0) {
		words = strv_join(check->combination, " ");
		varve_error_hint(err, "with %s", words);
	}
	return r;
}

static int read_recipe_name(const struct image_target *target, char **ret, struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	int r = layout_open(target->path, &layout, err);

	if (r == 0)
		r = bundle_open(&layout, &bundle, err);
	if (r == 0)
		*ret = xstrdup(json_optional_string(bundle.config, "recipe", ""));
	return r;
}

static int check_in(const struct session *session, const struct image_target *target,
		    const struct rebuild_place *place, const struct combinations *combinations,
		    struct varve_error *err)
{
	const struct strv as_given = STRV_INIT;
	CLEANUP(free_ptr) char *recipe = NULL;
	CLEANUP(fd_close) int output = rebuild_output(place, "result", err);
	struct check check = {.session = session, .place = place->path, .output = output};
	size_t i, count = combinations->count;
	int r;

	if (output < 0)
		return output;
	r = read_recipe_name(target, &recipe, err);
	if (r == 0)
		r = import_there(session, target, place->path, err);
	check.recipe = recipe;
	for (i = 0; r == 0 && i < (count > 0 ? count : 1); i++) {
		check.combination = count > 0 ? &combinations->items[i] : &as_given;
		r = check_one(&check, err);
	}
	return r;
}

int bundle_check(struct session *session, const struct image_target *target,
		 const struct combinations *combinations, struct varve_error *err)
{
	struct rebuild_place place = REBUILD_PLACE_INIT;
	int r = rebuild_place_begin(session, &place, err);

	if (r == 0)
		r = check_in(session, target, &place, combinations, err);
	rebuild_place_remove(session, &place);
	if (r < 0)
		varve_error_prefix(err, "check of the bundle");
	return r;
}
