/* SPDX-License-Identifier: Apache-2.0 */
#include "build/mounts.h"

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

void mounts_release(struct mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->count; i++) {
		free((void *)(uintptr_t)mounts->binds[i].source);
		free((void *)(uintptr_t)mounts->binds[i].target);
	}
	free(mounts->binds);
	*mounts = (struct mounts){0};
}

void mounts_add(struct mounts *mounts, const char *source, const char *target, bool writable)
{
	mounts->binds =
		array_grow(mounts->binds, mounts->count, &mounts->alloc, sizeof(*mounts->binds));
	mounts->binds[mounts->count++] = (struct sandbox_bind){
		.source = xstrdup(source),
		.target = xstrdup(target),
		.writable = writable,
	};
}

/* Makes job/NAME and opens it. */
static int make_content(struct step *step, const char *name, int *ret, struct varve_error *err)
{
	if (mkdirat(step->job.dirfd, name, 0755) < 0 && errno != EEXIST)
		return varve_error_set(err, -errno, "make %s/%s", step->job.path, name);
	*ret = openat(step->job.dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return varve_error_set(err, -errno, "open %s/%s", step->job.path, name);
	return 0;
}

/* The only entry of a directory, for sources that are one file. */
static char *only_entry(int directory)
{
	DIR *stream = fdopendir(dup(directory));
	struct dirent *entry;
	char *name = NULL;

	while (stream && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && !name)
			name = xstrdup(entry->d_name);
	if (stream)
		closedir(stream);
	return name;
}

static bool is_single_file(const struct step *step, const struct plan_source *source)
{
	struct stat st;

	if (source->kind == SOURCE_URL)
		return !json_is_true(json_object_get(source->spec, "unpack"));
	if (source->kind == SOURCE_LOCAL) {
		CLEANUP(free_ptr)
		char *path = path_join(step->build->sources->directory,
				       json_optional_string(source->spec, "path", ""));

		return stat(path, &st) == 0 && S_ISREG(st.st_mode);
	}
	return false;
}

static int unpack_archive(struct step *step, const struct plan_source *source, int directory,
			  struct varve_error *err)
{
	CLEANUP(fd_close) int archive = -1;
	uint64_t strip = 0;
	int r;

	(void)json_get_u64(source->spec, "strip", &strip, NULL);
	r = varve_store_open_blob(step->build->store, &source->locked->artifacts[0].sha256,
				  &archive, err);
	if (r == 0)
		r = layer_unpack_archive(archive, directory, (unsigned)strip, err);
	if (r < 0)
		varve_error_prefix(err, "unpack source \"%s\"", source->name);
	return r;
}

/* Archives of one commit and of its submodules, each in its place. */
static int unpack_trees(struct step *step, const struct plan_source *source, int directory,
			struct varve_error *err)
{
	const char *subdirectory = json_optional_string(source->spec, "subdirectory", "");
	unsigned strip = *subdirectory ? 1 : 0;
	int r = 0;

	for (; *subdirectory; subdirectory++)
		strip += *subdirectory == '/';
	for (size_t i = 0; i < source->locked->count && r == 0; i++) {
		const struct lock_artifact *artifact = &source->locked->artifacts[i];
		const char *path = json_optional_string(artifact->extra, "path", "");
		CLEANUP(fd_close) int place = path_open_dir_in(directory, path, true);
		CLEANUP(fd_close) int archive = -1;

		if (place < 0)
			return varve_error_set(err, place, "open %s in source \"%s\"", path,
					       source->name);
		r = varve_store_open_blob(step->build->store, &artifact->sha256, &archive, err);
		if (r == 0)
			r = layer_unpack_archive(archive, place, *path ? 0 : strip, err);
	}
	if (r < 0)
		varve_error_prefix(err, "unpack source \"%s\"", source->name);
	return r;
}

bool mounts_makes_content(const struct step *step, const struct plan_mount *mount)
{
	const struct plan_source *source;

	if (mount->content != PLAN_FROM_SOURCE)
		return false;
	source = &step->build->plan->sources.items[mount->index];
	if (source->kind == SOURCE_URL)
		return json_is_true(json_object_get(source->spec, "unpack"));
	return source->kind == SOURCE_LOCAL || source->kind == SOURCE_GIT;
}

static int fill_content(struct step *step, const struct plan_source *source, int directory,
			struct varve_error *err)
{
	if (source->kind == SOURCE_LOCAL)
		return source_local_copy(step->build->sources, source->spec, &source->content,
					 directory, err);
	if (source->kind == SOURCE_URL && json_is_true(json_object_get(source->spec, "unpack")))
		return unpack_archive(step, source, directory, err);
	if (source->kind == SOURCE_GIT)
		return unpack_trees(step, source, directory, err);
	return source_materialise(step->build->sources, source->locked, directory, err);
}

static int source_content(struct step *step, const struct plan_source *source, const char *name,
			  char **ret, bool *ret_is_file, struct varve_error *err)
{
	CLEANUP(free_ptr) char *entry = NULL;
	CLEANUP(fd_close) int directory = -1;
	int r;

	r = make_content(step, name, &directory, err);
	if (r < 0)
		return r;
	r = fill_content(step, source, directory, err);
	if (r < 0)
		return r;
	*ret_is_file = is_single_file(step, source);
	if (*ret_is_file)
		entry = only_entry(directory);
	*ret = xasprintf("%s/%s%s%s", step->job.path, name, entry ? "/" : "", entry ? entry : "");
	return 0;
}

static int stage_content(struct step *step, const struct plan_mount *mount, const char *name,
			 char **ret, bool *ret_is_file, struct varve_error *err)
{
	const struct plan *plan = step->build->plan;
	CLEANUP(step_stack_release) struct step_stack stack = {0};
	struct layer_resolved found = {.path = NULL};
	CLEANUP(free_ptr) char *path = NULL;
	struct stat st;
	int r;

	r = step_view(step, plan->stages[mount->index].top, &(struct step_place){name, -1, -1},
		      &stack, err);
	if (r == 0)
		r = layer_resolve(stack.trees, stack.count, mount->path, NULL, &found, err);
	path = found.path;
	if (r < 0 || !path)
		return r;
	*ret = xasprintf("%s/%s%s%s", step->job.path, name, *path ? "/" : "", path);
	if (lstat(*ret, &st) < 0)
		r = varve_error_set(err, -VARVE_E_STEP, "stage \"%s\" has no \"/%s\"",
				    plan->stages[mount->index].name, mount->path);
	else
		*ret_is_file = !S_ISDIR(st.st_mode);
	if (r < 0) {
		free(*ret);
		*ret = NULL;
	}
	return r;
}

int mounts_content(struct step *step, const struct plan_mount *mount, const char *name, char **ret,
		   bool *ret_is_file, struct varve_error *err)
{
	if (mount->content == PLAN_FROM_STAGE)
		return stage_content(step, mount, name, ret, ret_is_file, err);
	return source_content(step, &step->build->plan->sources.items[mount->index], name, ret,
			      ret_is_file, err);
}

/* A directory of the store that outlives the step. Returns it, opened; the caller closes. */
static int add_kept(struct step *step, const char *name, const char *target, struct mounts *ret,
		    struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_join(store_path(step->build->store), name);
	int directory = -1;
	int r = store_open_dir(step->build->store, name, &directory, err);

	if (r < 0)
		return r;
	mounts_add(ret, path, target, true);
	return directory;
}

static int add_cache(struct step *step, const struct plan_cache *cache, struct mounts *ret,
		     struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = xasprintf("caches/%s", cache->name);
	CLEANUP(fd_close) int directory = add_kept(step, name, cache->target, ret, err);

	return directory < 0 ? directory : 0;
}

char *mounts_resume_name(const struct build_step *state)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("caches/.resume-%s", varve_digest_hex(&state->key, hex));
}

/* Named by the key: what another input made is never found. */
static int add_resume(struct step *step, struct mounts *ret, struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *name = mounts_resume_name(&step->build->steps[step->index]);
	CLEANUP(fd_close) int directory = add_kept(step, name, step->plan->resume, ret, err);

	if (directory < 0)
		return directory;
	(void)futimens(directory, NULL); /* gc goes by its age */
	return 0;
}

static int add_secret(struct step *step, const char *name, struct mounts *ret,
		      struct varve_error *err)
{
	const struct build_options *options = step->build->options;
	CLEANUP(free_ptr) char *target = xasprintf("/run/secrets/%s", name);
	size_t i;

	for (i = 0; i < options->secret_count; i++) {
		if (strcmp(options->secrets[i].name, name) != 0)
			continue;
		if (access(options->secrets[i].path, R_OK) < 0)
			return varve_error_set(err, -errno, "read secret \"%s\" from %s", name,
					       options->secrets[i].path);
		mounts_add(ret, options->secrets[i].path, target, false);
		return 0;
	}
	varve_error_set(err, -VARVE_E_USAGE, "step %s needs the secret \"%s\"", step->name, name);
	varve_error_hint(err, "give it with --secret %s=FILE", name);
	return -VARVE_E_USAGE;
}

int mounts_prepare(struct step *step, struct mounts *ret, struct varve_error *err)
{
	const struct plan_step *plan = step->plan;
	char name[32];
	bool is_file;
	size_t i;
	int r = 0;

	for (i = 0; i < plan->mount_count && r == 0; i++) {
		CLEANUP(free_ptr) char *path = NULL;

		snprintf(name, sizeof(name), "mount-%zu", i);
		r = mounts_content(step, &plan->mounts[i], name, &path, &is_file, err);
		/* A one-file source is mounted as the directory that holds it, under its own name.
		 */
		if (r == 0 && plan->mounts[i].content == PLAN_FROM_SOURCE && is_file)
			path[path_dir_len(path)] = '\0';
		if (r == 0)
			mounts_add(ret, path, plan->mounts[i].target, false);
	}
	for (i = 0; i < plan->cache_count && r == 0; i++)
		r = add_cache(step, &plan->caches[i], ret, err);
	if (r == 0 && plan->resume && step->build->steps[step->index].has_key)
		r = add_resume(step, ret, err);
	for (i = 0; i < plan->secrets.count && r == 0; i++)
		r = add_secret(step, plan->secrets.items[i], ret, err);
	return r;
}
