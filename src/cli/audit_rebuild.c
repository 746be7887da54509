/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/audit_rebuild.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { RECIPE_DEPTH = 64 };

/* --- files in reverse order ----------------------------------------------------------------------
 */

static int read_names(int directory, struct strv *ret)
{
	int copy = dup(directory);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!dir) {
		fd_close(&copy);
		return -errno;
	}
	while ((entry = readdir(dir)))
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			strv_add(ret, entry->d_name);
	(void)closedir(dir);
	strv_sort(ret);
	return 0;
}

static int link_reversed(int from, int to, unsigned depth);

static int link_one(int from, int to, const char *name, unsigned depth)
{
	CLEANUP(fd_close) int below = -1;
	CLEANUP(fd_close) int made = -1;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return linkat(from, name, to, name, 0) < 0 ? -errno : 0;
	if (mkdirat(to, name, 0755) < 0)
		return -errno;
	below = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	made = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return below < 0 || made < 0 ? -errno : link_reversed(below, made, depth + 1);
}

static int link_reversed(int from, int to, unsigned depth)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	int r = depth > RECIPE_DEPTH ? -ELOOP : read_names(from, &names);

	for (size_t i = names.count; i-- > 0 && r == 0;)
		r = link_one(from, to, names.items[i], depth);
	return r;
}

/* The recipe of the audit, or of this rebuild alone: then its path below directory. */
static int place_recipe(const struct audit_rebuild *rebuild, bool reversed, const char *directory,
			char **ret, struct varve_error *err)
{
	const char *recipe = rebuild->audited->recipe;
	CLEANUP(free_ptr) char *top = path_join(rebuild->place->path, "recipe");
	CLEANUP(free_ptr) char *copy = path_join(directory, "another recipe");
	CLEANUP(fd_close) int from = -1;
	CLEANUP(fd_close) int to = -1;
	int r;

	*ret = xstrdup(recipe);
	if (!reversed || !str_starts(recipe, top))
		return 0;
	from = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = mkdir(copy, 0755) < 0 ? -errno : 0;
	to = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = from < 0 || to < 0 ? -errno : link_reversed(from, to, 0);
	if (r < 0)
		return varve_error_set(err, r, "copy the recipe");
	free(*ret);
	*ret = path_join(copy, recipe + strlen(top) + 1);
	return 0;
}

/* --- a fresh store -------------------------------------------------------------------------------
 */

struct filling {
	const struct audit_rebuild *rebuild;
	const char *store; /* path */
};

static int bring_blob(struct varve_store *from, struct varve_store *to,
		      const struct varve_digest *digest, struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	int r;

	if (varve_store_has_blob(to, digest, NULL))
		return 0;
	r = store_blob_link(from, digest, store_blobs_fd(to), varve_digest_hex(digest, hex), err);
	return r == -EEXIST ? 0 : r;
}

static int bring_record(struct varve_store *from, struct varve_store *to,
			const struct varve_digest *key, struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	int r = store_record_read(from, key, &record, err);

	if (r == -VARVE_E_NOT_FOUND)
		return 0;
	for (size_t i = 0; i < record.layers.count && r == 0; i++)
		r = bring_blob(from, to, &record.layers.items[i].blob.digest, err);
	return r < 0 ? r : store_record_write(to, &record, err);
}

/* All steps that are attested, but for the one that is to run. */
static int bring_records(const struct audit_rebuild *rebuild, struct varve_store *to,
			 struct varve_error *err)
{
	CLEANUP(free_ptr) char *alone = xasprintf("step %s", rebuild->step);
	const json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach(rebuild->audited->provenance.steps, i, one)
	{
		const char *name = json_optional_string(one, "name", "");
		const json_t *set = json_object_get(one, "digest");
		struct varve_digest key;

		if (r < 0 || !str_starts(name, "step ") || str_equal(name, alone) ||
		    varve_digest_parse_hex(json_optional_string(set, "sha256", ""), &key) < 0)
			continue;
		r = bring_record(rebuild->remote->session.store, to, &key, err);
	}
	return r;
}

/* In the child, where a file system in memory is mounted by now. */
static int fill(void *cookie, struct varve_error *err)
{
	const struct filling *filling = cookie;
	const struct audited *audited = filling->rebuild->audited;
	CLEANUP(varve_store_closep) struct varve_store *to = NULL;
	int r = varve_store_open(filling->store, &to, err);

	for (size_t i = 0; i < audited->count && r == 0; i++)
		r = bring_blob(filling->rebuild->remote->session.store, to, &audited->blobs[i],
			       err);
	if (r == 0 && filling->rebuild->step)
		r = bring_records(filling->rebuild, to, err);
	return r;
}

/* --- the build -----------------------------------------------------------------------------------
 */

static void arguments(const struct audit_rebuild *rebuild, const char *recipe, const char *store,
		      const char *layout, struct strv *ret)
{
	const struct audited *audited = rebuild->audited;
	const struct cli_values *values = &rebuild->remote->session.cli->values;
	bool offline = values->offline || (values->bundle && audited->complete) ||
		       (audited->foreign && audited->complete && audited->provenance.hermetic);

	strv_add(ret, "varve");
	strv_add(ret, "build");
	strv_add(ret, recipe);
	strv_add(ret, offline ? "--offline" : "--locked");
	strv_addf(ret, "--store=%s", store);
	strv_addf(ret, "--output=%s", layout);
	strv_addf(ret, "--progress=%s", values->progress ? values->progress : "plain");
	strv_add(ret, "--json");
	for (size_t i = 0; i < audited->settings.count; i++)
		strv_addf(ret, "--set=%s", audited->settings.items[i]);
	strv_extend(ret, &audited->arguments);
}

static int failed(int status, struct varve_error *err)
{
	static const int codes[] = {0,
				    -VARVE_E_STEP,
				    -VARVE_E_RECIPE,
				    -VARVE_E_HOST,
				    -VARVE_E_NETWORK,
				    -VARVE_E_COMPARE};

	return varve_error_set(
		err, status > 0 && status < (int)ARRAY_SIZE(codes) ? codes[status] : -VARVE_E_STEP,
		"the rebuild failed (exit status %d); its messages are above", status);
}

static int read_digest(int output, struct varve_digest *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *list = NULL;
	int r = rebuild_read_output(output, &text, err);

	if (r == 0)
		r = json_parse(buf_text(&text), text.len, "the result of varve build", &list, err);
	if (r == 0 && json_array_size(list) != 1)
		r = varve_error_set(err, -VARVE_E_USAGE,
				    "the recipe builds %zu images; choose one with --image NAME",
				    json_array_size(list));
	return r < 0 ? r : json_get_digest(json_array_get(list, 0), "digest", ret, err);
}

static int run(const struct audit_rebuild *rebuild, struct audit_surroundings *s,
	       const char *directory, const char *layout, struct varve_digest *ret,
	       struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(free_ptr) char *recipe = NULL;
	CLEANUP(free_ptr) char *memory = path_join(directory, "memory");
	CLEANUP(free_ptr)
	char *store = path_join(s->conditions.memory ? memory : directory, "store");
	CLEANUP(free_ptr) char *result = xasprintf("%s.json", rebuild->name);
	CLEANUP(fd_close) int output = rebuild_output(rebuild->place, result, err);
	struct filling filling = {rebuild, store};
	int r = output < 0 ? output : place_recipe(rebuild, s->reversed, directory, &recipe, err);

	if (r < 0)
		return r;
	if (mkdir(memory, 0755) < 0)
		return varve_error_set(err, -errno, "make %s", memory);
	if (s->conditions.memory)
		s->conditions.memory = memory;
	s->conditions.environment = &s->environment;
	arguments(rebuild, recipe, store, layout, &argv);
	r = rebuild_run(&(struct rebuild_run){.host = &rebuild->remote->session.host,
					      .argv = &argv,
					      .conditions = &s->conditions,
					      .output = output,
					      .before = fill,
					      .cookie = &filling},
			err);
	if (r != 0)
		return r < 0 ? r : failed(r, err);
	return read_digest(output, ret, err);
}

int audit_rebuild(const struct audit_rebuild *rebuild, struct audit_surroundings *surroundings,
		  struct varve_digest *ret_digest, char **ret_layout, struct varve_error *err)
{
	CLEANUP(free_ptr) char *directory = path_join(rebuild->place->path, rebuild->name);
	CLEANUP(free_ptr) char *layout = xasprintf("oci:%s/image", directory);
	int r;

	if (mkdir(directory, 0755) < 0)
		return varve_error_set(err, -errno, "make %s", directory);
	r = run(rebuild, surroundings, directory, layout, ret_digest, err);
	surroundings->conditions.memory = NULL; /* it was the child's, and the text is ours */
	if (r == 0)
		*ret_layout = steal_ptr(&layout);
	return r;
}
