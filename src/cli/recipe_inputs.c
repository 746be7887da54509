/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/recipe_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"

/* Of local sources that are packed with the recipe. */
enum { LOCAL_FILES = 4096, LOCAL_BYTES = 8 << 20, INPUTS_FORMAT = 1 };

/* --- which files ---------------------------------------------------------------------------------
 */

/* A file beside the recipe that a source names. */
static void add_file(const struct session *session, const char *name, struct strv *ret)
{
	CLEANUP(free_ptr) char *path = path_join(session->directory, name);
	struct stat st;

	if (*name && *name != '/' && stat(path, &st) == 0 && !strv_contains(ret, path))
		strv_add(ret, path);
}

void recipe_inputs_files(const struct session *session, const struct plan_sources *sources,
			 struct strv *ret)
{
	const struct recipe *recipe = session->cli->recipe;
	struct stat st;

	for (size_t i = 0; i < recipe->file_count; i++)
		strv_add(ret, recipe->files[i]);
	if (stat(session->lock_path, &st) == 0)
		strv_add(ret, session->lock_path);
	for (size_t i = 0; i < sources->count; i++) {
		const json_t *spec = sources->items[i].spec;
		const json_t *more = json_object_get(spec, "repositories");

		add_file(session, json_optional_string(spec, "keyring", ""), ret);
		for (size_t k = 0; k < json_array_size(more); k++)
			add_file(session,
				 json_optional_string(json_array_get(more, k), "keyring", ""), ret);
		add_file(session, json_optional_string(spec, "lock", ""), ret);
	}
}

json_t *recipe_inputs_locals(const struct plan_sources *sources)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].kind == SOURCE_LOCAL)
			json_append(list, json_incref(sources->items[i].spec));
	return list;
}

char *recipe_inputs_lock(const struct session *session, const struct bundle_inputs *inputs)
{
	CLEANUP(free_ptr) char *lock = bundle_inputs_path(inputs, session->lock_path);

	return xstrdup(json_object_get(inputs->files, lock) ? lock : "");
}

/* --- one blob ------------------------------------------------------------------------------------
 */

void recipe_inputs_release(struct recipe_inputs *inputs)
{
	json_decref(inputs->files);
	free(inputs->recipe);
	free(inputs->lock);
	*inputs = (struct recipe_inputs){0};
}

/* True while what lies at the collected paths, but for the recipe's own files, is little. */
static bool is_little(const struct bundle_inputs *inputs)
{
	json_t *value;
	const char *path;
	uint64_t bytes = 0;

	if (json_object_size(inputs->files) > LOCAL_FILES)
		return false;
	json_object_foreach(inputs->files, path, value)
	{
		CLEANUP(free_ptr) char *whole = path_join(inputs->root, path);
		struct stat st;

		if (lstat(whole, &st) == 0 && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	}
	return bytes <= LOCAL_BYTES;
}

static int collect(struct session *session, const struct strv *files, struct bundle_inputs *ret,
		   bool *ret_has_locals, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *locals = recipe_inputs_locals(&session->plan->sources);
	CLEANUP(json_decrefp) json_t *none = json_array();
	int r = bundle_inputs_collect(&session->sources, files, locals, ret, err);

	*ret_has_locals = r == 0 && is_little(ret);
	if (r < 0 || *ret_has_locals)
		return r;
	bundle_inputs_release(ret);
	return bundle_inputs_collect(&session->sources, files, none, ret, err);
}

/* The members of the collected files that are the recipe's own. */
static json_t *own_files(const struct bundle_inputs *inputs, const struct strv *files)
{
	json_t *own = json_object();

	for (size_t i = 0; i < files->count; i++) {
		CLEANUP(free_ptr) char *path = bundle_inputs_path(inputs, files->items[i]);
		json_t *value = json_object_get(inputs->files, path);

		if (value)
			json_set(own, path, json_incref(value));
	}
	return own;
}

static int make(struct session *session, const struct strv *files, struct recipe_inputs *ret,
		struct varve_error *err)
{
	CLEANUP(bundle_inputs_release) struct bundle_inputs inputs = {0};
	int r = collect(session, files, &inputs, &ret->has_locals, err);

	if (r == 0)
		r = bundle_inputs_pack(&inputs, session->store, &ret->blob, err);
	if (r < 0)
		return r;
	ret->files = own_files(&inputs, files);
	ret->recipe = bundle_inputs_path(&inputs, session->cli->recipe_path);
	ret->lock = recipe_inputs_lock(session, &inputs);
	return 0;
}

/* --- made before ---------------------------------------------------------------------------------
 */

/* What the tar follows from: places and digests. */
static int fingerprint(const struct session *session, const struct strv *files, char name[80],
		       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *key = json_array();
	CLEANUP(free_ptr) char *here = getcwd(NULL, 0);
	char hex[VARVE_DIGEST_HEX];
	struct varve_digest digest;

	json_append(key, json_text(here ? here : ""));
	json_append(key, json_text(session->cli->recipe_path));
	for (size_t i = 0; i < files->count; i++) {
		CLEANUP(fd_close) int fd = open(files->items[i], O_RDONLY | O_CLOEXEC);
		int r = fd < 0 ? -errno : digest_fd(fd, &digest, NULL);

		if (r < 0)
			return varve_error_set(err, r, "read %s", files->items[i]);
		json_append(key, json_text(files->items[i]));
		json_append(key, json_of_digest(&digest));
	}
	for (size_t i = 0; i < session->plan->sources.count; i++) {
		const struct plan_source *source = &session->plan->sources.items[i];

		if (source->kind != SOURCE_LOCAL)
			continue;
		json_append(key, json_incref(source->spec));
		json_append(key, json_of_digest(&source->content));
	}
	json_digest(key, &digest);
	(void)snprintf(name, 80, "inputs/%s", varve_digest_hex(&digest, hex));
	return 0;
}

static bool recall(const struct session *session, const char *name, struct recipe_inputs *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *fact = NULL;
	uint64_t format;

	if (store_fact_read(session->store, name, &text) < 0 ||
	    json_parse(buf_text(&text), text.len, name, &fact, NULL) < 0 ||
	    json_get_u64(fact, "varve-inputs", &format, NULL) < 0 || format != INPUTS_FORMAT ||
	    descriptor_from_json(json_object_get(fact, "blob"), &ret->blob, NULL) < 0 ||
	    !json_is_object(json_object_get(fact, "files")) ||
	    !varve_store_has_blob(session->store, &ret->blob.digest, NULL))
		return false;
	ret->files = json_incref(json_object_get(fact, "files"));
	ret->recipe = xstrdup(json_optional_string(fact, "recipe", ""));
	ret->lock = xstrdup(json_optional_string(fact, "lock", ""));
	ret->has_locals = json_is_true(json_object_get(fact, "locals"));
	return true;
}

/* Best effort: next time it is made again. */
static void remember(const struct session *session, const char *name,
		     const struct recipe_inputs *inputs)
{
	CLEANUP(json_decrefp) json_t *fact = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_set(fact, "varve-inputs", json_integer(INPUTS_FORMAT));
	json_set(fact, "blob", descriptor_to_json(&inputs->blob));
	json_set(fact, "files", json_incref(inputs->files));
	json_set(fact, "recipe", json_text(inputs->recipe));
	json_set(fact, "lock", json_text(inputs->lock));
	json_set(fact, "locals", json_boolean(inputs->has_locals));
	json_canonical(fact, &text);
	(void)store_fact_write(session->store, name, text.data, text.len);
}

int recipe_inputs_pack(struct session *session, struct recipe_inputs *ret, struct varve_error *err)
{
	CLEANUP(recipe_inputs_release) struct recipe_inputs inputs = {0};
	CLEANUP(strv_release) struct strv files = STRV_INIT;
	char name[80];
	int r;

	recipe_inputs_files(session, &session->plan->sources, &files);
	r = fingerprint(session, &files, name, err);
	if (r == 0 && !recall(session, name, &inputs)) {
		r = make(session, &files, &inputs, err);
		if (r == 0)
			remember(session, name, &inputs);
	}
	if (r < 0)
		return r;
	*ret = inputs;
	inputs = (struct recipe_inputs){0};
	return 0;
}
