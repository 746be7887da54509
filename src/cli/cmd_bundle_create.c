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
#include "cli/recipe_inputs.h"
#include "cli/session_lock.h"
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

/* What the bundle is for. */
struct contents {
	const struct plan_sources *sources; /* of the plan, or all */
	struct plan_sources all; /* with --all; owned */
	struct combinations combinations; /* the same; else empty */
};

static void contents_release(struct contents *contents)
{
	plan_sources_release(&contents->all);
	combinations_release(&contents->combinations);
}

/* Whether the bundle leaves the option's value to whoever builds from it. */
static bool is_open(const struct combinations *all, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < all->count && i < 1; i++)
		for (size_t k = 0; k < all->items[i].count; k++)
			if (strncmp(all->items[i].items[k], name, len) == 0 &&
			    all->items[i].items[k][len] == '=')
				return true;
	return false;
}

/* Values that change what is built; others are the machine's. */
static json_t *list_settings(const struct session *session, const struct combinations *all)
{
	const struct recipe *recipe = session->cli->recipe;
	json_t *list = json_array();

	for (size_t i = 0; i < recipe->option_count; i++) {
		const char *name = recipe->options[i].name.text;
		CLEANUP(free_ptr)
		char *text = xasprintf("%s=%s", name, recipe_scope_get(session->scope, name));

		if (recipe->options[i].keyed && !is_open(all, name))
			json_append(list, json_text(text));
	}
	return list;
}

static const struct lock_source *locked(const struct session *session,
					const struct plan_source *source)
{
	return lock_find(&session->lock, source->name, &source->digest);
}

static json_t *list_sources(const struct session *session, const struct plan_sources *sources)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sources->count; i++) {
		const struct plan_source *source = &sources->items[i];
		json_t *entry;

		if (!locked(session, source))
			continue;
		entry = json_object();
		json_set(entry, "name", json_text(source->name));
		json_set(entry, "spec", json_of_digest(&source->digest));
		json_append(list, entry);
	}
	return list;
}

static json_t *make_config(const struct session *session, const struct contents *contents,
			   const struct bundle_inputs *inputs)
{
	CLEANUP(free_ptr) char *recipe = bundle_inputs_path(inputs, session->cli->recipe_path);
	CLEANUP(free_ptr) char *lock = recipe_inputs_lock(session, inputs);
	json_t *config = json_object();

	json_set(config, "varve-bundle", json_integer(1));
	json_set(config, "name", json_text(session->plan->recipe_name));
	json_set(config, "recipe", json_text(recipe));
	json_set(config, "lock", json_text(lock));
	json_set(config, "platform", json_text(session->plan->platform));
	json_set(config, "settings", list_settings(session, &contents->combinations));
	json_set(config, "images", json_of_strv(&session->cli->values.images));
	json_set(config, "sources", list_sources(session, contents->sources));
	return config;
}

static int add_inputs(struct session *session, const struct contents *contents,
		      struct bundle *bundle, struct varve_error *err)
{
	CLEANUP(bundle_inputs_release) struct bundle_inputs inputs = {0};
	CLEANUP(strv_release) struct strv files = STRV_INIT;
	CLEANUP(json_decrefp) json_t *locals = recipe_inputs_locals(contents->sources);
	struct varve_descriptor blob;
	int r;

	recipe_inputs_files(session, contents->sources, &files);
	r = bundle_inputs_collect(&session->sources, &files, locals, &inputs, err);
	if (r == 0)
		r = bundle_inputs_pack(&inputs, session->store, &blob, err);
	if (r < 0)
		return r;
	bundle_add(bundle, &blob, "inputs.tar");
	bundle->config = make_config(session, contents, &inputs);
	return 0;
}

static void add_artifacts(const struct session *session, const struct plan_sources *sources,
			  struct bundle *bundle)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct lock_source *source = locked(session, &sources->items[i]);

		for (size_t k = 0; source && k < source->count; k++) {
			const struct lock_artifact *artifact = &source->artifacts[k];
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
	for (size_t i = 0; i < record.layers.count; i++)
		bundle_add(bundle, &record.layers.items[i].blob, name);
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

static int fetch_all(struct session *session, const struct plan_sources *wanted,
		     struct varve_error *err)
{
	CLEANUP(free_ptr)
	const struct lock_source **sources = xcalloc(wanted->count + 1, sizeof(const void *));
	size_t count = 0;
	int r;

	for (size_t i = 0; i < wanted->count; i++)
		if (locked(session, &wanted->items[i]))
			sources[count++] = locked(session, &wanted->items[i]);
	r = session_fetch(session, sources, count, err);
	return r < 0 ? r : 0;
}

/* The plan's sources, or with --all those of every combination of options. */
static int collect(struct session *session, struct contents *ret, struct varve_error *err)
{
	bool complete;
	int r;

	ret->sources = &session->plan->sources;
	if (!session->cli->values.all)
		return 0;
	ret->sources = &ret->all;
	r = session_combinations(session, &ret->combinations, err);
	return r < 0 ? r : session_all_sources(session, &ret->all, &complete, err);
}

static int create(struct session *session, const struct contents *contents,
		  const struct image_target *target, struct varve_digest *ret,
		  struct varve_error *err)
{
	CLEANUP(bundle_release) struct bundle bundle = {0};
	int r = fetch_all(session, contents->sources, err);

	if (r == 0)
		r = add_inputs(session, contents, &bundle, err);
	if (r < 0)
		return r;
	add_artifacts(session, contents->sources, &bundle);
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
	CLEANUP(contents_release) struct contents contents = {0};
	char digest[VARVE_DIGEST_TEXT];
	struct varve_digest made;
	int r = parse_target(cli, &target, err);

	if (r == 0)
		r = session_open(&session, cli, SESSION_ADD, err);
	if (r == 0 && cli->values.check)
		r = session_need_host(&session, err);
	if (r == 0)
		r = collect(&session, &contents, err);
	if (r == 0)
		r = create(&session, &contents, &target, &made, err);
	progress_free(session.progress);
	session.progress = NULL;
	session.build.report = NULL;
	if (r == 0 && cli->values.check)
		r = bundle_check(&session, &target, &contents.combinations, err);
	if (r == 0)
		printf("%s %s\n", varve_digest_text(&made, digest), cli->values.outputs.items[0]);
	return r;
}
