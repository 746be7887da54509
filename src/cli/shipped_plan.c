/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shipped_plan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/cli_options.h"

enum { SHIPPED_FORMAT = 1, SHIPPED_LIMIT = 128 << 20, FILE_LIMIT = 32 << 20 };

/* --- writing -------------------------------------------------------------------------------------
 */

static int add_files(const struct recipe *recipe, json_t *ret, struct varve_error *err)
{
	for (size_t i = 0; i < recipe->file_count; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;
		int r = fd_read_file(AT_FDCWD, recipe->files[i], FILE_LIMIT, &text, err);

		if (r < 0)
			return r;
		json_set(ret, recipe->files[i], json_text(buf_text(&text)));
	}
	return 0;
}

/* Every value, so that the settings of another machine do not count. */
static json_t *all_settings(const struct session *session)
{
	const struct recipe *recipe = session->cli->recipe;
	json_t *set = json_array();

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;
		const char *value = recipe_scope_get(session->scope, name);
		CLEANUP(free_ptr) char *pair = NULL;

		if (!value)
			continue;
		pair = xasprintf("%s=%s", name, value);
		json_append(set, json_text(pair));
	}
	return set;
}

static json_t *local_digests(const struct plan *plan)
{
	json_t *local = json_object();
	char hex[VARVE_DIGEST_HEX];

	for (size_t i = 0; i < plan->sources.count; i++) {
		const struct plan_source *source = &plan->sources.items[i];

		if (source->kind == SOURCE_LOCAL)
			json_set(local, varve_digest_hex(&source->digest, hex),
				 json_of_digest(&source->content));
	}
	return local;
}

static json_t *secret_paths(const struct session *session)
{
	json_t *secrets = json_array();

	for (size_t i = 0; i < session->options.secret_count; i++) {
		CLEANUP(free_ptr)
		char *pair = xasprintf("%s=%s", session->secrets[i].name, session->secrets[i].path);

		json_append(secrets, json_text(pair));
	}
	return secrets;
}

static void add_choices(const struct session *session, json_t *ret)
{
	char compression[16];

	json_set(ret, "set", all_settings(session));
	json_set(ret, "images", json_of_strv(&session->cli->values.images));
	json_set(ret, "platform", json_text(session->plan->platform));
	if (session->plan_options.registry)
		json_set(ret, "registry", json_text(session->plan_options.registry));
	json_set(ret, "epoch", json_integer((json_int_t)session->plan_options.epoch));
	json_set(ret, "compression",
		 json_text(layer_compression_name(&session->options.compression, compression)));
	json_set(ret, "secrets", secret_paths(session));
}

int shipped_plan_write(const struct session *session, struct buf *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *plan = json_object();
	CLEANUP(free_ptr) char *directory = realpath(session->directory, NULL);
	CLEANUP(buf_release) struct buf lock = BUF_INIT;
	json_t *files = json_object();
	int r;

	lock_format(&session->lock, &lock);
	json_set(plan, "varve-plan", json_integer(SHIPPED_FORMAT));
	json_set(plan, "recipe", json_text(session->cli->recipe_path));
	json_set(plan, "directory", json_text(directory ? directory : session->directory));
	json_set(plan, "digest", json_text(session->cli->recipe->digest));
	json_set(plan, "lock", json_text(buf_text(&lock)));
	json_set(plan, "local", local_digests(session->plan));
	json_set(plan, "beside", session->beside ? json_deep_copy(session->beside) : json_object());
	add_choices(session, plan);
	json_set(plan, "files", files);
	r = add_files(session->cli->recipe, files, err);
	if (r == 0)
		json_canonical(plan, ret);
	return r;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int load_file(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	const char *text = json_optional_string(cookie, name, NULL);

	if (!text)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s is not in the plan", name);
	buf_addstr(out, text);
	return 0;
}

static int parse_recipe(const json_t *plan, struct cli *cli, struct varve_error *err)
{
	const char *path = json_optional_string(plan, "recipe", "");
	json_t *files = json_object_get(plan, "files");
	const char *text = json_optional_string(files, path, NULL);
	int r;

	if (!text)
		return varve_error_set(err, -VARVE_E_FORMAT, "no recipe is in it");
	cli->recipe_path = xstrdup(path);
	r = recipe_parse(text, strlen(text), path, load_file, files, &cli->recipe, err);
	if (r == 0)
		r = recipe_check(cli->recipe, cli_reserved_options, err);
	if (r == 0 && !str_equal(cli->recipe->digest, json_optional_string(plan, "digest", "")))
		r = varve_error_set(err, -VARVE_E_FORMAT,
				    "the recipe was changed while the plan was made");
	return r;
}

static void take_list(const json_t *plan, const char *key, struct strv *ret)
{
	const json_t *list = json_object_get(plan, key), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_is_string(item))
			strv_add(ret, json_string_value(item));
	}
}

static void take_text(const json_t *plan, const char *key, char **ret)
{
	const char *text = json_optional_string(plan, key, NULL);

	if (!text)
		return;
	free(*ret);
	*ret = xstrdup(text);
}

/* What the command line says itself is where things are on this machine. */
static void take_values(const json_t *plan, struct cli_values *values)
{
	take_list(plan, "set", &values->set);
	take_list(plan, "images", &values->images);
	take_list(plan, "secrets", &values->secrets);
	take_text(plan, "platform", &values->platform);
	take_text(plan, "registry", &values->registry);
	take_text(plan, "compression", &values->compression);
	values->locked = true;
}

int shipped_plan_read(const char *path, struct cli *cli, json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *plan = NULL;
	uint64_t format = 0;
	int r;

	r = fd_read_file(AT_FDCWD, strcmp(path, "-") == 0 ? "/dev/stdin" : path, SHIPPED_LIMIT,
			 &text, err);
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, path, &plan, err);
	if (r == 0 &&
	    (json_get_u64(plan, "varve-plan", &format, NULL) < 0 || format != SHIPPED_FORMAT))
		r = varve_error_set(err, -VARVE_E_FORMAT, "no plan of this version of varve");
	if (r == 0)
		r = parse_recipe(plan, cli, err);
	if (r < 0) {
		varve_error_prefix(err, "plan %s", path);
		return r > -1024 ? -VARVE_E_USAGE : r;
	}
	take_values(plan, &cli->values);
	*ret = steal_ptr(&plan);
	return 0;
}

/* --- in place of the file system -----------------------------------------------------------------
 */

int shipped_plan_lock(const json_t *shipped, struct lock *ret, struct varve_error *err)
{
	const char *text = json_optional_string(shipped, "lock", "");

	return lock_parse(text, strlen(text), "the plan's lock", ret, err);
}

int shipped_plan_digest(const json_t *shipped, const char *member, const char *key,
			struct varve_digest *ret, struct varve_error *err)
{
	const json_t *digests = json_object_get(shipped, member);

	if (!json_object_get(digests, key))
		return varve_error_set(err, -VARVE_E_FORMAT, "the plan lacks the digest of \"%s\"",
				       key);
	return json_get_digest(digests, key, ret, err);
}
