/* SPDX-License-Identifier: Apache-2.0
 * A recipe that came with an image was written by somebody else: what it asks for is looked at
 * before any of it runs. */
#include "cli/audited.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/process.h"

enum { PLAN_LIMIT = 64 << 20 }; /* bytes of a plan as JSON */

#define SELF "/proc/self/exe"

static int read_plan(struct remote *remote, const struct audited *audited, json_t **ret,
		     struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(free_ptr) char *self = realpath(SELF, NULL);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	strv_add(&argv, self ? self : SELF);
	strv_add(&argv, "plan");
	strv_add(&argv, audited->recipe);
	strv_add(&argv, "--json");
	strv_add(&argv, "--offline");
	strv_addf(&argv, "--store=%s", store_path(remote->session.store));
	for (size_t i = 0; i < audited->settings.count; i++)
		strv_addf(&argv, "--set=%s", audited->settings.items[i]);
	for (size_t i = 0; i < audited->arguments.count; i++)
		if (str_starts(audited->arguments.items[i], "--image=") ||
		    str_starts(audited->arguments.items[i], "--platform="))
			strv_add(&argv, audited->arguments.items[i]);
	r = process_capture((const char *const *)argv.items, PLAN_LIMIT, &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "the plan", ret, err);
	if (r < 0)
		varve_error_prefix(err, "the recipe that came with the image");
	return r;
}

/* With all links followed. */
static bool is_inside(const char *top, const char *recipe_directory, const char *path)
{
	CLEANUP(free_ptr) char *joined = path_join(recipe_directory, path + strspn(path, "/"));
	CLEANUP(free_ptr) char *real = realpath(joined, NULL);
	CLEANUP(free_ptr) char *real_top = realpath(top, NULL);
	size_t len = real_top ? strlen(real_top) : 0;

	/* One that is missing is told by the build. */
	if (!real)
		return errno == ENOENT;
	return len > 0 && strncmp(real, real_top, len) == 0 &&
	       (real[len] == '\0' || real[len] == '/');
}

static int check_locals(const json_t *plan, const char *top, const struct audited *audited,
			struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *directory = xstrndup(audited->recipe, path_dir_len(audited->recipe));
	const json_t *source;
	size_t i;

	json_array_foreach(json_object_get(plan, "sources"), i, source)
	{
		const json_t *spec = json_object_get(source, "spec");
		const char *path = json_optional_string(spec, "path", "");

		if (!str_equal(json_optional_string(spec, "kind", ""), "local") ||
		    is_inside(top, directory, path))
			continue;
		return varve_error_set(err, -VARVE_E_RECIPE,
				       "the recipe that came with the image reads %.300s of this "
				       "machine: refused",
				       path);
	}
	return 0;
}

int audited_check(struct remote *remote, const char *directory, const struct audited *audited,
		  struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *plan = NULL;
	int r;

	if (!audited->foreign)
		return 0;
	r = read_plan(remote, audited, &plan, err);
	if (r == 0)
		r = check_locals(plan, directory, audited, err);
	if (r < 0 || remote->session.cli->values.network ||
	    json_is_true(json_object_get(plan, "hermetic")))
		return r;
	varve_error_set(err, -VARVE_E_USAGE,
			"a step of the recipe that came with the image has the network of this "
			"machine");
	varve_error_hint(err, "read the recipe, then allow it with --network");
	return -VARVE_E_USAGE;
}
