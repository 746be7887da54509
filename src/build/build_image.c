/* SPDX-License-Identifier: Apache-2.0
 * From a built stage to an image in the store. */
#include "build/build.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "build/secret_proof.h"
#include "layer/layer_frames.h"
#include "store/store_batch.h"

/* The steps of a stage and of all below it, bottom first. Returns their number. */
static size_t steps_of_stage(const struct plan *plan, int stage, int *ret)
{
	size_t count = 0, i;
	int at;

	for (at = plan->stages[stage].top; at >= 0; at = plan->steps[at].below)
		ret[count++] = at;
	for (i = 0; i < count / 2; i++) {
		int swap = ret[i];

		ret[i] = ret[count - 1 - i];
		ret[count - 1 - i] = swap;
	}
	return count;
}

static char *first_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end && end[1] != '\0' ? xasprintf("%.*s ...", (int)(end - text), text)
				     : xstrndup(text, end ? (size_t)(end - text) : strlen(text));
}

/* What history says of a step: its action, in words that do not depend on names. */
static char *describe(const struct plan *plan, const struct plan_step *step)
{
	const char *from = step->from.content == PLAN_FROM_SOURCE && step->action != ACTION_RUN
				   ? plan->sources.items[step->from.index].name
				   : "";

	if (step->action == ACTION_INSTALL && step->wheels.count == 1)
		return xasprintf("install %s: %s", from, step->wheels.items[0]);
	if (step->action == ACTION_INSTALL)
		return xasprintf("install %s", from);
	if (step->action == ACTION_RUN) {
		CLEANUP(free_ptr)
		char *line = first_line(
			step->argv.count > 0 ? step->argv.items[step->argv.count - 1] : "");

		return xasprintf("run %s", line);
	}
	if (step->from.content == PLAN_FROM_STAGE)
		return xasprintf("copy %s:/%s to %s", plan->stages[step->from.index].name,
				 step->from.path ? step->from.path : "", step->to);
	return xasprintf("copy %s to %s", from, step->to);
}

static void label(json_t *labels, const char *name, const char *value)
{
	if (!json_object_get(labels, name))
		json_set(labels, name, json_text(value));
}

/* The recipe's config with the labels that say where the image comes from. */
static json_t *labelled_config(const struct plan *plan, const struct plan_image *image)
{
	json_t *config = json_deep_copy(image->config);
	json_t *labels = json_object_get(config, "Labels");
	CLEANUP(free_ptr) char *recipe = xasprintf("sha256:%s", plan->recipe_digest);
	char lock[VARVE_DIGEST_TEXT];

	if (!labels) {
		labels = json_object();
		json_set(config, "Labels", labels);
	}
	label(labels, "dev.varve.recipe", plan->recipe_name);
	label(labels, "dev.varve.recipe.digest", recipe);
	label(labels, "dev.varve.lock.digest", varve_digest_text(&image->lock_digest, lock));
	label(labels, "dev.varve.image", image->name_in_recipe);
	if (json_array_size(image->checks) > 0) {
		CLEANUP(buf_release) struct buf checks = BUF_INIT;

		json_canonical(image->checks, &checks);
		label(labels, "dev.varve.checks", buf_text(&checks));
	}
	return config;
}

/* The rows of an image's history: those of the base's layers, then one for each layer of a step, or
 * one for a step without. */
struct parts {
	struct image_layer *layers;
	char **texts; /* two per layer */
	json_t **notes; /* annotations of a layer's descriptor, or NULL */
	size_t count;
};

static void parts_release(struct parts *parts)
{
	size_t i;

	for (i = 0; i < 2 * parts->count; i++)
		free(parts->texts[i]);
	for (i = 0; i < parts->count; i++)
		json_decref(parts->notes[i]);
	free(parts->notes);
	free(parts->texts);
	free(parts->layers);
}

/* The layers of the image below come first, as they are. */
static size_t parts_begin(const struct build *build, int top, struct parts *ret)
{
	size_t room = plan_chain_room(build->plan, build->known, top), i;
	CLEANUP(free_ptr) struct varve_layer *base = xcalloc(room, sizeof(*base));

	ret->layers = xcalloc(room, sizeof(*ret->layers));
	ret->texts = xcalloc(2 * room, sizeof(*ret->texts));
	ret->notes = xcalloc(room, sizeof(json_t *));
	ret->count = plan_base_layers(build->plan, top, base);
	for (i = 0; i < ret->count; i++)
		ret->layers[i].layer = base[i];
	return ret->count;
}

/* number: of the layer, from 0. */
static char *describe_layer(const struct build *build, int index, size_t number)
{
	size_t count = build->known[index].layers.count;
	char *text = describe(build->plan, &build->plan->steps[index]), *numbered;

	if (count < 2)
		return text;
	numbered = xasprintf("%s (layer %zu of %zu)", text, number + 1, count);
	free(text);
	return numbered;
}

static void parts_add(struct build *build, int index, size_t number, struct parts *ret)
{
	const struct layer_list *layers = &build->known[index].layers;
	size_t i = ret->count++;
	char key[VARVE_DIGEST_TEXT];

	ret->texts[2 * i] = describe_layer(build, index, number);
	ret->texts[2 * i + 1] =
		xasprintf("varve key %s", varve_digest_text(&build->steps[index].key, key));
	ret->layers[i] = (struct image_layer){
		.created_by = ret->texts[2 * i],
		.comment = ret->texts[2 * i + 1],
		.epoch = build->plan->steps[index].epoch,
	};
	if (layers->count > 0)
		ret->layers[i].layer = layers->items[number];
}

static void parts_fill(struct build *build, const int *steps, size_t count, struct parts *ret)
{
	for (size_t i = 0; i < count; i++) {
		size_t layers = build->known[steps[i]].layers.count;

		for (size_t number = 0; number < (layers ? layers : 1); number++)
			parts_add(build, steps[i], number, ret);
	}
}

/* The history of the image below. Owned by the caller; NULL: there is none. */
static int base_history(struct build *build, int top, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *config = NULL;
	const struct lock_source *base = plan_base_locked(build->plan, top);
	int r;

	if (!base)
		return 0;
	r = source_image_config(build->sources, base, &config, err);
	if (r == 0)
		*ret = json_incref(json_object_get(config, "history"));
	return r;
}

/* Where layers of the image below may be fetched, for who has this image and not those: the
 * annotations that image-spec has for it. NULL: it is of no registry. */
static json_t *base_annotations(const struct build *build, int top)
{
	const struct lock_source *source = plan_base_locked(build->plan, top);
	struct varve_digest manifest;
	CLEANUP(free_ptr) char *home = source ? source_image_home(source, &manifest) : NULL;
	json_t *annotations;

	if (!home)
		return NULL;
	annotations = json_object();
	json_set(annotations, IMAGE_BASE_NAME, json_text(home));
	json_set(annotations, IMAGE_BASE_DIGEST, json_of_digest(&manifest));
	return annotations;
}

/* What anyone who has the image can read of it: config and labels, and the history of the steps. */
static int prove_documents(const struct build *build, const json_t *config,
			   const struct parts *parts, struct varve_error *err)
{
	CLEANUP(secret_proof_release) struct secret_proof proof = {0};
	CLEANUP(json_decrefp) json_t *history = json_array();
	size_t i;
	int r;

	if (build->options->secret_count == 0)
		return 0;
	r = secret_proof_begin(build->options, NULL, NULL, &proof, err);
	if (r < 0)
		return r;
	for (i = 0; i < parts->count; i++)
		if (parts->texts[2 * i])
			json_append(history, json_text(parts->texts[2 * i]));
	secret_proof_document(&proof, "config", config);
	secret_proof_document(&proof, "history", history);
	return secret_proof_verdict(&proof, err);
}

/* Who fetches parts of a layer finds out where they are from its descriptor. Layers of the image
 * below may have stayed at its registry. */
static int parts_annotate(const struct build *build, struct parts *parts, struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	int r = 0;

	for (size_t i = 0; i < parts->count && r >= 0; i++) {
		struct image_layer *one = &parts->layers[i];
		CLEANUP(fd_close) int blob = -1;

		if (one->layer.entry_count == 0 ||
		    !str_equal(one->layer.blob.media_type, VARVE_MEDIA_LAYER_ZSTD))
			continue;
		blob = openat(store_blobs_fd(build->store),
			      varve_digest_hex(&one->layer.blob.digest, hex),
			      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (blob < 0)
			continue;
		r = layer_chunked_annotations(blob, &parts->notes[i], err);
		one->annotations = parts->notes[i];
	}
	return r < 0 ? r : 0;
}

static int add_image(struct build *build, const struct plan_image *image, struct store_batch *batch,
		     struct varve_descriptor *ret_manifest, struct varve_error *err)
{
	const struct plan *plan = build->plan;
	CLEANUP(free_ptr)
	int *steps = xcalloc(plan_chain_room(plan, build->known, plan->stages[image->stage].top),
			     sizeof(*steps));
	CLEANUP(json_decrefp) json_t *config = labelled_config(plan, image);
	CLEANUP(parts_release) struct parts parts = {0};
	CLEANUP(json_decrefp) json_t *history = NULL;
	CLEANUP(json_decrefp) json_t *annotations = NULL;
	struct image_spec spec;
	size_t count = steps_of_stage(plan, image->stage, steps), base, i;
	int r;

	for (i = 0; i < count; i++) {
		r = build_compress(build, steps[i], err);
		if (r < 0)
			return r;
	}
	base = parts_begin(build, plan->stages[image->stage].top, &parts);
	parts_fill(build, steps, count, &parts);
	r = prove_documents(build, config, &parts, err);
	if (r < 0) {
		varve_error_prefix(err, "image %s", image->name);
		return r;
	}
	r = parts_annotate(build, &parts, err);
	if (r < 0)
		return r;
	r = base_history(build, plan->stages[image->stage].top, &history, err);
	if (r < 0)
		return r;
	annotations = base_annotations(build, plan->stages[image->stage].top);
	spec = (struct image_spec){
		.platform = plan->platform,
		.config = config,
		.layers = parts.layers,
		.layer_count = parts.count,
		.base_count = base,
		.base_history = history,
		.epoch = image->epoch,
		.annotations = annotations,
	};
	image_write(&spec, image->name, batch, ret_manifest);
	return 0;
}

int build_images(struct build *build, struct varve_descriptor *ret_manifests,
		 struct varve_error *err)
{
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	const struct plan *plan = build->plan;
	char digest[VARVE_DIGEST_TEXT];
	int r = 0;

	for (size_t i = 0; i < plan->image_count && r == 0; i++)
		if ((r = add_image(build, &plan->images[i], &batch, &ret_manifests[i], err)) == 0 &&
		    batch.size > STORE_BATCH_LARGE)
			r = store_batch_flush(&batch, build->store, err);
	if (r == 0)
		r = store_batch_write(&batch, build->store, err);
	for (size_t i = 0; i < plan->image_count && r == 0; i++)
		build_tell(build, VARVE_EVENT_IMAGE, plan->images[i].name,
			   varve_digest_text(&ret_manifests[i].digest, digest));
	return r;
}
