/* SPDX-License-Identifier: Apache-2.0
 * varve bundle create. */
#include "cli/cmd_bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "cli/cli_options.h"
#include "store/store.h"

static int parse_target(const struct cli *cli, struct image_target *ret, struct varve_error *err)
{
	CLEANUP(image_target_release) struct image_target target = {0};
	int r;

	if (cli->values.outputs.count != 1) {
		varve_error_set(err, -VARVE_E_USAGE, "varve bundle create needs one --output");
		varve_error_hint(err, "for example -o oci-archive:FILE");
		return -VARVE_E_USAGE;
	}
	r = image_target_parse(cli->values.outputs.items[0], &target, err);
	if (r < 0)
		return r;
	if (target.name || (target.transport != IMAGE_OCI && target.transport != IMAGE_OCI_ARCHIVE))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "a bundle is written to oci:DIR or oci-archive:FILE");
	*ret = target;
	target = (struct image_target){0};
	return 0;
}

/* --- content -----------------------------------------------------------------------------------
 */

/* The files that the recipe consists of, and the keyrings that locking it again would need. */
static void list_files(const struct session *session, struct strv *ret)
{
	const struct recipe *recipe = session->cli->recipe;
	struct stat st;

	for (size_t i = 0; i < recipe->file_count; i++)
		strv_add(ret, recipe->files[i]);
	if (stat(session->lock_path, &st) == 0)
		strv_add(ret, session->lock_path);
	for (size_t i = 0; i < session->plan->sources.count; i++) {
		const char *keyring =
			json_optional_string(session->plan->sources.items[i].spec, "keyring", "");
		CLEANUP(free_ptr) char *path = path_join(session->directory, keyring);

		if (*keyring && *keyring != '/' && stat(path, &st) == 0)
			strv_add(ret, path);
	}
}

static json_t *list_locals(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->sources.count; i++)
		if (plan->sources.items[i].kind == SOURCE_LOCAL)
			json_append(list, json_incref(plan->sources.items[i].spec));
	return list;
}

/* Values that change what is built; others are the machine's. */
static json_t *list_settings(const struct session *session)
{
	const struct recipe *recipe = session->cli->recipe;
	json_t *list = json_array();

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;
		CLEANUP(free_ptr)
		char *text = xasprintf("%s=%s", name, recipe_scope_get(session->scope, name));

		if (recipe->options[i].keyed)
			json_append(list, json_text(text));
	}
	return list;
}

static json_t *list_sources(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->sources.count; i++) {
		const struct plan_source *source = &plan->sources.items[i];
		json_t *entry;

		if (!source->locked)
			continue;
		entry = json_object();
		json_set(entry, "name", json_text(source->name));
		json_set(entry, "spec", json_of_digest(&source->digest));
		json_append(list, entry);
	}
	return list;
}

static json_t *make_config(const struct session *session, const struct bundle_inputs *inputs)
{
	CLEANUP(free_ptr) char *recipe = bundle_inputs_path(inputs, session->cli->recipe_path);
	CLEANUP(free_ptr) char *lock = bundle_inputs_path(inputs, session->lock_path);
	json_t *config = json_object();

	json_set(config, "varve-bundle", json_integer(1));
	json_set(config, "name", json_text(session->plan->recipe_name));
	json_set(config, "recipe", json_text(recipe));
	json_set(config, "lock", json_text(json_object_get(inputs->files, lock) ? lock : ""));
	json_set(config, "platform", json_text(session->plan->platform));
	json_set(config, "settings", list_settings(session));
	json_set(config, "images", json_of_strv(&session->cli->values.images));
	json_set(config, "sources", list_sources(session->plan));
	return config;
}

static int add_inputs(struct session *session, struct bundle *bundle, struct varve_error *err)
{
	CLEANUP(bundle_inputs_release) struct bundle_inputs inputs = {0};
	CLEANUP(strv_release) struct strv files = STRV_INIT;
	CLEANUP(json_decrefp) json_t *locals = list_locals(session->plan);
	struct varve_descriptor blob;
	int r;

	list_files(session, &files);
	r = bundle_inputs_collect(&session->sources, &files, locals, &inputs, err);
	if (r == 0)
		r = bundle_inputs_pack(&inputs, session->store, &blob, err);
	if (r < 0)
		return r;
	bundle_add(bundle, &blob, "inputs.tar");
	bundle->config = make_config(session, &inputs);
	return 0;
}

static void add_artifacts(const struct plan *plan, struct bundle *bundle)
{
	for (size_t i = 0; i < plan->sources.count; i++) {
		const struct lock_source *locked = plan->sources.items[i].locked;

		for (size_t k = 0; locked && k < locked->count; k++) {
			const struct lock_artifact *artifact = &locked->artifacts[k];
			struct varve_descriptor blob = {.digest = artifact->sha256,
							.size = artifact->size};
			CLEANUP(free_ptr)
			char *title = xasprintf("%s%s%s", artifact->name,
						*artifact->version ? " " : "", artifact->version);

			(void)snprintf(blob.media_type, sizeof(blob.media_type), "%s",
				       VARVE_BUNDLE_ARTIFACT);
			bundle_add(bundle, &blob, title);
		}
	}
}

static int add_layer(struct session *session, size_t step, struct bundle *bundle,
		     struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	CLEANUP(free_ptr) char *name = plan_step_name(session->plan, (int)step);
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_descriptor blob = {.media_type = VARVE_BUNDLE_RECORD};
	int r = store_record_read(session->store, &session->build.steps[step].key, &record, err);

	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	document = store_record_to_json(&record);
	json_canonical(document, &text);
	blob.size = text.len;
	r = store_blob_put(session->store, buf_text(&text), text.len, &blob.digest, err);
	if (r < 0)
		return r;
	bundle_add(bundle, &blob, name);
	if (record.layer.entry_count > 0)
		bundle_add(bundle, &record.layer.blob, name);
	return 0;
}

static int add_layers(struct session *session, struct bundle *bundle, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < session->plan->step_count && r == 0; i++)
		if (session->build.known[i].known)
			r = add_layer(session, i, bundle, err);
	return r;
}

/* --- the command -------------------------------------------------------------------------------
 */

static int fetch_all(struct session *session, struct varve_error *err)
{
	CLEANUP(free_ptr)
	const struct lock_source **sources =
		xcalloc(session->plan->sources.count + 1, sizeof(const void *));
	size_t count = 0;
	int r;

	for (size_t i = 0; i < session->plan->sources.count; i++)
		if (session->plan->sources.items[i].locked)
			sources[count++] = session->plan->sources.items[i].locked;
	r = session_fetch(session, sources, count, err);
	return r < 0 ? r : 0;
}

static int create(struct session *session, const struct image_target *target,
		  struct varve_digest *ret, struct varve_error *err)
{
	CLEANUP(bundle_release) struct bundle bundle = {0};
	int r = fetch_all(session, err);

	if (r == 0)
		r = add_inputs(session, &bundle, err);
	if (r < 0)
		return r;
	add_artifacts(session->plan, &bundle);
	if (session->cli->values.layers)
		r = add_layers(session, &bundle, err);
	if (r == 0)
		r = bundle_write(&bundle, session->store, target, err);
	*ret = bundle.manifest.digest;
	return r;
}

int cmd_bundle_create(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(image_target_release) struct image_target target = {0};
	char digest[VARVE_DIGEST_TEXT];
	struct varve_digest made;
	int r = parse_target(cli, &target, err);

	if (r == 0)
		r = session_open(&session, cli, SESSION_ADD, err);
	if (r == 0 && cli->values.check)
		r = session_need_host(&session, err);
	if (r == 0)
		r = create(&session, &target, &made, err);
	progress_free(session.progress);
	session.progress = NULL;
	session.build.report = NULL;
	if (r == 0 && cli->values.check)
		r = bundle_check(&session, &target, err);
	if (r == 0)
		printf("%s %s\n", varve_digest_text(&made, digest), cli->values.outputs.items[0]);
	return r;
}
