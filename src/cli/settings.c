/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/registry_rules.h"

static int unknown(const char *path, const char *key, const char *const *known,
		   struct varve_error *err)
{
	const char *nearest = str_nearest(key, known);

	varve_error_set(err, -VARVE_E_USAGE, "%s: unknown setting \"%s\"", path, key);
	if (nearest)
		varve_error_hint(err, "did you mean \"%s\"?", nearest);
	return -VARVE_E_USAGE;
}

/* A string, an object of strings, or an array of objects. */
static bool is_setting(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member)
	{
		if (!json_is_object(member))
			return false;
	}
	if (!json_is_object(value))
		return json_is_string(value) || json_is_array(value);
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		if (!json_is_string(member))
			return false;
	}
	return true;
}

static int check(const json_t *settings, const char *path, struct varve_error *err)
{
	static const char *const known[] = {"store",      "mirrors", "options", "registry",
					    "registries", "scratch", "slurm",   NULL};
	const char *key;
	json_t *value;
	size_t i;

	if (!json_is_object(settings))
		return varve_error_set(err, -VARVE_E_USAGE, "%s: not a JSON object", path);
	json_object_foreach((json_t *)(uintptr_t)settings, key, value)
	{
		for (i = 0; known[i] && strcmp(known[i], key) != 0; i++)
			;
		if (!known[i])
			return unknown(path, key, known, err);
		if (!is_setting(value) || json_is_array(value) != str_equal(key, "registries"))
			return varve_error_set(err, -VARVE_E_USAGE, "%s: %s has the wrong type",
					       path, key);
	}
	return 0;
}

/* Objects are merged one level deep, arrays put together, strings replaced. */
static void merge(json_t *into, json_t *from)
{
	const char *key;
	json_t *value;

	json_object_foreach(from, key, value)
	{
		json_t *there = json_object_get(into, key);

		if (json_is_object(there) && json_is_object(value))
			json_object_update(there, value);
		else if (json_is_array(there) && json_is_array(value))
			json_array_extend(there, value);
		else
			json_set(into, key, json_deep_copy(value));
	}
}

static int add_file(json_t *settings, const char *path, struct varve_error *err)
{
	CLEANUP(registry_rules_release) struct registry_rules rules = {0};
	CLEANUP(json_decrefp) json_t *one = NULL;
	int r;

	if (access(path, F_OK) < 0)
		return 0;
	r = json_read_file(AT_FDCWD, path, &one, err);
	if (r == 0)
		r = check(one, path, err);
	if (r == 0)
		r = registry_rules_add(&rules, json_object_get(one, "registries"), path, err);
	if (r == 0)
		merge(settings, one);
	return r;
}

int settings_read(json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *settings = json_object();
	CLEANUP(free_ptr) char *own = NULL;
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	int r;

	r = add_file(settings, "/etc/varve/config.json", err);
	if (config && *config == '/')
		own = xasprintf("%s/varve/config.json", config);
	else if (home && *home == '/')
		own = xasprintf("%s/.config/varve/config.json", home);
	if (r == 0 && own)
		r = add_file(settings, own, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&settings);
	return 0;
}

void settings_pairs(const json_t *settings, const char *member, struct strv *ret)
{
	json_t *object = json_object_get(settings, member), *value;
	const char *key;

	json_object_foreach(object, key, value)
		strv_addf(ret, "%s=%s", key, json_string_value(value));
	strv_sort(ret);
}
