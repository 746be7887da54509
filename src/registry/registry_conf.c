/* SPDX-License-Identifier: Apache-2.0
 * registries.conf of the container tools. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "base/toml.h"
#include "registry/registry_rules.h"

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* DIR/registries.conf.d/ *.conf, in order of their names. */
static void list_more(const char *dir, struct strv *ret)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/registries.conf.d", dir);
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(close_dir) DIR *open = opendir(path);
	const struct dirent *entry;

	while (open && (entry = readdir(open)) != NULL) {
		if (str_ends(entry->d_name, ".conf"))
			strv_addf(&names, "%s/%s", path, entry->d_name);
	}
	strv_sort(&names);
	strv_extend(ret, &names);
}

/* NULL: none. Caller frees. */
static char *own_dir(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		return xasprintf("%s/containers", config);
	return home && *home == '/' ? xasprintf("%s/.config/containers", home) : NULL;
}

/* Files, each of which wins over those before. */
static void find_files(struct strv *ret)
{
	static const char system_dir[] = "/etc/containers";
	const char *only = getenv("CONTAINERS_REGISTRIES_CONF");
	CLEANUP(free_ptr) char *own = own_dir();
	CLEANUP(free_ptr) char *main = NULL;

	if (only && *only) {
		strv_add(ret, only);
		return;
	}
	main = own ? xasprintf("%s/registries.conf", own) : NULL;
	if (main && access(main, F_OK) == 0)
		strv_take(ret, steal_ptr(&main));
	else if (access("/etc/containers/registries.conf", F_OK) == 0)
		strv_add(ret, "/etc/containers/registries.conf");
	list_more(system_dir, ret);
	if (own)
		list_more(own, ret);
}

/* The first version of the format: lists of hosts that are insecure, or blocked. */
static void add_old(const json_t *document, const char *table, const char *member, json_t *rules)
{
	const json_t *old = json_object_get(json_object_get(document, "registries"), table), *host;
	size_t i;

	json_array_foreach(json_object_get(old, "registries"), i, host)
	{
		json_t *rule = json_object();

		json_set(rule, "location", json_incref((json_t *)(uintptr_t)host));
		json_set(rule, member, json_true());
		json_append(rules, rule);
	}
}

static int add_file(struct registry_rules *rules, const char *path, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(json_decrefp) json_t *old = json_array();
	int r = fd_read_file(AT_FDCWD, path, TOML_LIMIT, &text, err);

	if (r == 0)
		r = toml_parse(buf_text(&text), text.len, path, &document, err);
	if (r == -VARVE_E_FORMAT || r == -VARVE_E_LIMIT)
		return -VARVE_E_USAGE;
	if (r < 0)
		return r;
	add_old(document, "insecure", "insecure", old);
	add_old(document, "block", "blocked", old);
	r = registry_rules_add(rules, old, path, err);
	return r < 0 ? r
		     : registry_rules_add(rules, json_object_get(document, "registry"), path, err);
}

int registry_rules_read(struct registry_rules *rules, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv files = STRV_INIT;
	int r = 0;

	find_files(&files);
	for (size_t i = 0; i < files.count && r == 0; i++)
		r = add_file(rules, files.items[i], err);
	return r;
}
