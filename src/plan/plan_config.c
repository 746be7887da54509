/* SPDX-License-Identifier: Apache-2.0
 * The config of an image (image-spec 1.1, config.md, "config"), and its checks. */
#include "plan/plan_compile.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int set_text(struct compiler *c, json_t *config, const char *key,
		    const struct recipe_value *value, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand(c, value, &text, err);

	if (r == 0 && text && *text)
		json_set(config, key, json_text(text));
	return r;
}

static int set_path(struct compiler *c, json_t *config, const char *key,
		    const struct recipe_value *value, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r;

	if (!value->text)
		return 0;
	r = compile_path(c, value, false, &path, err);
	if (r == 0)
		json_set(config, key, json_text(path));
	return r;
}

static int set_list(struct compiler *c, json_t *config, const char *key,
		    const struct recipe_values *values, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	int r = compile_values(c, values, &list, err);

	if (r == 0 && list.count > 0)
		json_set(config, key, json_of_strv(&list));
	return r;
}

static int set_labels(struct compiler *c, json_t *config, const struct recipe_pairs *pairs,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *labels = json_object();
	size_t i;

	for (i = 0; i < pairs->count; i++) {
		CLEANUP(free_ptr) char *value = NULL;
		int r = compile_expand(c, &pairs->items[i].value, &value, err);

		if (r < 0)
			return r;
		json_set(labels, pairs->items[i].name.text, json_text(value ? value : ""));
	}
	if (json_object_size(labels) > 0)
		json_set(config, "Labels", json_incref(labels));
	return 0;
}

/* "8080", "8080/tcp", "53/udp" */
static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	CLEANUP(free_ptr) char *number = xstrndup(text, digits);
	unsigned long long port;

	if (!str_to_u64(number, 65535, &port) || port == 0)
		return false;
	text += digits;
	return *text == '\0' || strcmp(text, "/tcp") == 0 || strcmp(text, "/udp") == 0;
}

static int set_ports(struct compiler *c, json_t *config, const struct recipe_values *values,
		     struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *ports = json_object();
	size_t i;

	for (i = 0; i < values->count; i++) {
		CLEANUP(free_ptr) char *text = NULL;
		CLEANUP(free_ptr) char *port = NULL;
		int r = compile_expand(c, &values->items[i], &text, err);

		if (r < 0)
			return r;
		if (!text || !is_port(text))
			return recipe_error(&values->items[i].at, err,
					    "port \"%s\" is not of the form 8080 or 53/udp",
					    text ? text : "");
		port = xasprintf("%s%s", text, strchr(text, '/') ? "" : "/tcp");
		json_set(ports, port, json_object());
	}
	if (json_object_size(ports) > 0)
		json_set(config, "ExposedPorts", json_incref(ports));
	return 0;
}

static int set_volumes(struct compiler *c, json_t *config, const struct recipe_values *values,
		       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *volumes = json_object();
	size_t i;

	for (i = 0; i < values->count; i++) {
		CLEANUP(free_ptr) char *path = NULL;
		int r = compile_path(c, &values->items[i], false, &path, err);

		if (r < 0)
			return r;
		json_set(volumes, path, json_object());
	}
	if (json_object_size(volumes) > 0)
		json_set(config, "Volumes", json_incref(volumes));
	return 0;
}

static void set_environment(json_t *config, const struct strv *environment)
{
	CLEANUP(strv_release) struct strv sorted = STRV_INIT;

	if (environment->count == 0)
		return;
	strv_extend(&sorted, environment);
	strv_sort(&sorted);
	json_set(config, "Env", json_of_strv(&sorted));
}

int compile_config(struct compiler *c, const struct recipe_image *from,
		   const struct strv *environment, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *config = json_object();
	int r;

	set_environment(config, environment);
	r = set_list(c, config, "Cmd", &from->command, err);
	if (r == 0)
		r = set_list(c, config, "Entrypoint", &from->entrypoint, err);
	if (r == 0)
		r = set_path(c, config, "WorkingDir", &from->workdir, err);
	if (r == 0)
		r = set_text(c, config, "User", &from->user, err);
	if (r == 0)
		r = set_text(c, config, "StopSignal", &from->stop_signal, err);
	if (r == 0)
		r = set_labels(c, config, &from->labels, err);
	if (r == 0)
		r = set_ports(c, config, &from->ports, err);
	if (r == 0)
		r = set_volumes(c, config, &from->volumes, err);
	if (r == 0)
		*ret = steal_ptr(&config);
	return r;
}

/* --- checks --- */
static int compile_gpu(struct compiler *c, const struct recipe_value *value, json_t *check,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	bool gpu = false;
	int r = compile_expand(c, value, &text, err);

	if (r == 0 && text && *text)
		r = recipe_boolean(value, text, &gpu, err);
	if (r == 0 && gpu)
		json_set(check, "gpu", json_true());
	return r;
}

static int compile_check(struct compiler *c, const struct recipe_check *from, json_t *list,
			 struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *check = json_object();
	int r = set_text(c, check, "name", &from->name, err);

	if (r == 0)
		r = set_text(c, check, "run", &from->run, err);
	if (r == 0)
		r = set_text(c, check, "user", &from->user, err);
	if (r == 0)
		r = compile_gpu(c, &from->gpu, check, err);
	if (r == 0)
		json_append(list, json_incref(check));
	return r;
}

int compile_checks(struct compiler *c, const char *image, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *list = json_array();
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->recipe->check_count; i++) {
		const struct recipe_check *check = &c->recipe->checks[i];
		bool wanted;

		if (check->image.text && !str_equal(check->image.text, image))
			continue;
		r = recipe_condition(c->scope, &check->condition, &wanted, err);
		if (r == 0 && wanted)
			r = compile_check(c, check, list, err);
	}
	if (r == 0)
		*ret = steal_ptr(&list);
	return r;
}
