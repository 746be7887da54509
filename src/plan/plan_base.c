/* SPDX-License-Identifier: Apache-2.0
 * Stages that stand on an image source. What of the image is needed here lies in the lock: the
 * config as a fact, the layers as artifacts. */
#include "plan/plan_compile.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"

int plan_base(const struct plan *plan, int top)
{
	while (top >= 0)
		top = plan->steps[top].below;
	return plan_is_image(top) ? plan_image_source(top) : PLAN_NONE;
}

const struct lock_source *plan_base_locked(const struct plan *plan, int top)
{
	int base = plan_base(plan, top);

	return base == PLAN_NONE ? NULL : plan->sources.items[base].locked;
}

static int read_layer(const struct lock_artifact *artifact, struct varve_layer *ret,
		      struct varve_error *err)
{
	const char *type = json_optional_string(artifact->extra, "media-type", "");

	*ret = (struct varve_layer){.entry_count = 1};
	if (strlen(type) >= sizeof(ret->blob.media_type))
		return varve_error_set(err, -VARVE_E_LOCK, "a media type is too long");
	(void)snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s", type);
	ret->blob.digest = artifact->sha256;
	ret->blob.size = artifact->size;
	return json_get_digest(artifact->extra, "diff-id", &ret->diff_id, err);
}

static bool is_layer(const struct lock_artifact *artifact)
{
	return json_object_get(artifact->extra, "diff-id") != NULL;
}

size_t plan_base_layers(const struct plan *plan, int top, struct varve_layer *ret)
{
	const struct lock_source *locked = plan_base_locked(plan, top);
	size_t count = 0;

	for (size_t i = 0; locked && i < locked->count; i++)
		if (is_layer(&locked->artifacts[i]) &&
		    read_layer(&locked->artifacts[i], &ret[count], NULL) == 0)
			count++;
	return count;
}

size_t plan_chain_room(const struct plan *plan, const struct plan_known *known, int top)
{
	const struct lock_source *locked = plan_base_locked(plan, top);
	size_t room = locked ? locked->count + 1 : 1;

	for (; top >= 0; top = plan->steps[top].below)
		room += known[top].layers.count + 1;
	return room;
}

int compile_check_base(const struct plan_source *source, struct varve_error *err)
{
	const struct lock_source *locked = source->locked;
	struct varve_layer layer;
	int r = 0;

	if (!locked || source->kind != SOURCE_IMAGE)
		return 0;
	for (size_t i = 0; i < locked->count && r == 0; i++)
		if (is_layer(&locked->artifacts[i]))
			r = read_layer(&locked->artifacts[i], &layer, err);
	if (r == 0 && !json_is_object(json_object_get(locked->facts, "config")))
		r = varve_error_set(err, -VARVE_E_LOCK, "the config of the image is missing");
	if (r < 0)
		varve_error_prefix(err, "source \"%s\" in the lock", source->name);
	return r < 0 ? -VARVE_E_LOCK : 0;
}

static const json_t *base_config(const struct plan *plan, int top)
{
	const struct lock_source *locked = plan_base_locked(plan, top);

	return locked ? json_object_get(locked->facts, "config") : NULL;
}

void compile_base_environment(const struct plan *plan, int top, struct strv *environment)
{
	const json_t *list = json_object_get(base_config(plan, top), "Env");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *pair = json_string_value(json_array_get(list, i));
		size_t len = pair ? strcspn(pair, "=") : 0;
		CLEANUP(free_ptr) char *name = pair ? xstrndup(pair, len) : NULL;

		if (len > 0 && pair[len] == '=')
			strv_setenv(environment, name, pair + len + 1);
	}
}

/* What an earlier build by varve noted of itself is not so of this image. */
static void drop_own_labels(json_t *labels)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(labels, next, name, value)
	{
		if (str_starts(name, "dev.varve."))
			(void)json_object_del(labels, name);
	}
}

/* The members that are objects are joined, all others replaced. */
static void join(json_t *into, const json_t *config)
{
	json_t *borrowed = (json_t *)(uintptr_t)config; /* jansson's iterators lack the const */
	const char *name;
	json_t *value;

	json_object_foreach(borrowed, name, value)
	{
		json_t *old = json_object_get(into, name);

		if (json_is_object(old) && json_is_object(value))
			(void)json_object_update(old, value);
		else
			json_set(into, name, json_incref(value));
	}
}

json_t *compile_inherit(const struct plan *plan, int top, json_t *take_config)
{
	static const char *const members[] = {"Cmd",     "Entrypoint", "ExposedPorts",
					      "Labels",  "StopSignal", "User",
					      "Volumes", "WorkingDir"};
	const json_t *base = base_config(plan, top);
	json_t *config = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		json_t *value = json_object_get(base, members[i]);

		/* A command is arguments for its entry point: another one has other arguments. */
		if (str_equal(members[i], "Cmd") && json_object_get(take_config, "Entrypoint"))
			continue;
		if (value && !json_is_null(value))
			json_set(config, members[i], json_deep_copy(value));
	}
	drop_own_labels(json_object_get(config, "Labels"));
	if (json_object_size(json_object_get(config, "Labels")) == 0)
		(void)json_object_del(config, "Labels");
	join(config, take_config);
	json_decref(take_config);
	return config;
}
