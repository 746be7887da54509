/* SPDX-License-Identifier: Apache-2.0
 * CDI documents (version 0.x and 1.0), in JSON or YAML. Of what one may say these count:
 *
 *	kind: VENDOR/CLASS
 *	devices: [{name, containerEdits: EDITS}]
 *	containerEdits: EDITS
 *	EDITS = {env: [NAME=VALUE], deviceNodes: [{path, hostPath}],
 *		 mounts: [{hostPath, containerPath, options: [ro, ...]}]}
 */
#include "cli/gpu.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "recipe/recipe_yaml.h"

/* NULL where there is no such member, or another kind of value. */
static const struct node *member(const struct node *map, const char *key, enum node_type type)
{
	const struct node *node = map->type == NODE_MAP ? node_get(map, key) : NULL;

	return node && node->type == type ? node : NULL;
}

static const char *text_of(const struct node *map, const char *key)
{
	const struct node *node = member(map, key, NODE_SCALAR);

	return node ? node->text : NULL;
}

static bool has_option(const struct node *mount, const char *option)
{
	const struct node *list = member(mount, "options", NODE_LIST);
	size_t i;

	for (i = 0; list && i < list->count; i++)
		if (list->members[i].value->type == NODE_SCALAR &&
		    strcmp(list->members[i].value->text, option) == 0)
			return true;
	return false;
}

static int bad_path(const struct node *at, const char *what, struct varve_error *err)
{
	return recipe_error(&at->at, err, "%s lacks an absolute path", what);
}

static int add_node(const struct node *node, struct gpu *ret, struct varve_error *err)
{
	const char *path = text_of(node, "path"), *host = text_of(node, "hostPath");

	if (!path || *path != '/' || (host && *host != '/'))
		return bad_path(node, "a device node", err);
	gpu_add(ret, &(struct sandbox_bind){
			     .source = host ? host : path, .target = path, .device = true});
	return 0;
}

static bool is_library(const char *path)
{
	const char *base = path_base(path);

	return str_starts(base, "lib") && strstr(base, ".so");
}

static void note_library(struct gpu *gpu, const char *path)
{
	CLEANUP(free_ptr) char *directory = xstrndup(path, path_dir_len(path));

	if (is_library(path) && !strv_contains(&gpu->libraries, directory))
		strv_add(&gpu->libraries, directory);
}

static int add_mount(const struct node *node, struct gpu *ret, struct varve_error *err)
{
	const char *host = text_of(node, "hostPath"), *path = text_of(node, "containerPath");

	if (!host || *host != '/' || !path || *path != '/')
		return bad_path(node, "a mount", err);
	gpu_add(ret, &(struct sandbox_bind){
			     .source = host, .target = path, .writable = !has_option(node, "ro")});
	note_library(ret, path);
	return 0;
}

static int add_variable(const struct node *node, struct gpu *ret, struct varve_error *err)
{
	if (node->type != NODE_SCALAR || !strchr(node->text, '=') || node->text[0] == '=')
		return recipe_error(&node->at, err, "a variable that is not NAME=VALUE");
	strv_add(&ret->environment, node->text);
	return 0;
}

static int add_edits(const struct node *edits, struct gpu *ret, struct varve_error *err)
{
	static const struct {
		const char *key;
		int (*add)(const struct node *node, struct gpu *ret, struct varve_error *err);
	} parts[] = {{"deviceNodes", add_node}, {"mounts", add_mount}, {"env", add_variable}};
	size_t i, k;
	int r = 0;

	for (i = 0; edits && i < ARRAY_SIZE(parts); i++) {
		const struct node *list = member(edits, parts[i].key, NODE_LIST);

		for (k = 0; list && k < list->count && r == 0; k++)
			r = parts[i].add(list->members[k].value, ret, err);
	}
	return r;
}

static int add_devices(const struct node *devices, struct gpu *ret, struct varve_error *err)
{
	const struct node *all = NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < devices->count; i++)
		if (str_equal(text_of(devices->members[i].value, "name"), "all"))
			all = devices->members[i].value;
	for (i = 0; i < devices->count && r == 0; i++)
		if (!all || devices->members[i].value == all)
			r = add_edits(member(devices->members[i].value, "containerEdits", NODE_MAP),
				      ret, err);
	return r;
}

int gpu_cdi_parse(const char *text, size_t len, const char *name, struct gpu *ret,
		  struct varve_error *err)
{
	CLEANUP(node_pool_release) struct node_pool pool = {NULL, 0};
	const struct node *devices;
	const char *kind;
	struct node *root = NULL;
	int r = yaml_read(text, len, name, &pool, &root, err);

	if (r < 0)
		return r;
	devices = member(root, "devices", NODE_LIST);
	kind = text_of(root, "kind");
	if (!text_of(root, "cdiVersion") || !kind || !strchr(kind, '/') || !devices ||
	    devices->count == 0)
		return recipe_error(&root->at, err,
				    "no description of devices (CDI): cdiVersion, kind or devices "
				    "is missing");
	r = add_edits(member(root, "containerEdits", NODE_MAP), ret, err);
	return r < 0 ? r : add_devices(devices, ret, err);
}

/* --- finding -----------------------------------------------------------------------------------
 */

static int is_description(const struct dirent *entry)
{
	return str_ends(entry->d_name, ".json") || str_ends(entry->d_name, ".yaml");
}

/* Names tell what they are of by convention only: VENDOR.com-gpu.yaml, nvidia.yaml. */
static bool is_of_gpu(const char *name)
{
	return strstr(name, "nvidia") || strstr(name, "gpu");
}

char *gpu_cdi_find(const char *root)
{
	static const char *const places[] = {"var/run/cdi", "etc/cdi"};
	char *found = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places) && !found; i++) {
		CLEANUP(free_ptr) char *directory = xasprintf("%s/%s", root, places[i]);
		struct dirent **names = NULL;
		int count = scandir(directory, &names, is_description, alphasort), k;

		for (k = 0; k < count; k++) {
			if (!found && is_of_gpu(names[k]->d_name))
				found = path_join(directory, names[k]->d_name);
			free(names[k]);
		}
		free(names);
	}
	return found;
}
