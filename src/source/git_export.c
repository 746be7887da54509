/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "source/git_command.h"
#include "source/git_tree.h"
#include "source/git_url.h"

enum { DEPTH_LIMIT = 10, SUBMODULE_LIMIT = 1000 };

/* One repository of the export. */
struct part {
	const struct git_repository *repository;
	const char *path; /* where its files go in the source; "": the top */
	const char *subdirectory; /* of it */
	const struct strv *patterns; /* left out of it */
	unsigned depth;
};

struct exporting {
	const struct source_context *context;
	struct lock_source *ret;
	json_t *submodules; /* path -> commit */
};

static int export_part(struct exporting *e, const struct part *part, struct varve_error *err);

/* --- one archive -------------------------------------------------------------------------------
 */

static void add_artifact(struct exporting *e, const struct part *part,
			 const struct varve_digest *digest, uint64_t size)
{
	struct lock_artifact *artifact = lock_source_add(e->ret);
	CLEANUP(free_ptr) char *flat = xstrdup(part->path);
	bool is_top = *part->path == '\0';

	for (char *c = flat; *c; c++)
		if (*c == '/')
			*c = '-';
	artifact->name = is_top ? xasprintf("%s.tar", e->ret->name)
				: xasprintf("%s-%s.tar", e->ret->name, flat);
	artifact->version = xstrdup(part->repository->commit);
	artifact->architecture = xstrdup("");
	artifact->size = size;
	artifact->sha256 = *digest;
	artifact->from = is_top ? xasprintf("git:%s", part->repository->commit)
				: xasprintf("git:%s/%s", part->repository->commit, part->path);
	artifact->date = part->repository->date;
	if (is_top)
		return;
	artifact->extra = json_object();
	json_set(artifact->extra, "path", json_text(part->path));
	json_set(e->submodules, part->path, json_text(part->repository->commit));
}

static int run_archive(const struct part *part, int fd, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv arguments = STRV_INIT;
	int r;

	strv_add(&arguments, "archive");
	strv_add(&arguments, "--format=tar");
	strv_add(&arguments, part->repository->commit);
	git_pathspecs(part->subdirectory, part->patterns, &arguments);
	r = git_local(part->repository->path, (const char *const *)arguments.items, fd, NULL, err);
	if (r < 0)
		varve_error_prefix(err, "export commit %s", part->repository->commit);
	return r;
}

static int archive(struct exporting *e, const struct part *part, struct varve_error *err)
{
	const int directory = part->repository->job.dirfd;
	struct varve_digest digest;
	uint64_t size;
	CLEANUP(fd_close)
	int fd = openat(directory, "tree.tar", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "make %s/tree.tar", part->repository->job.path);
	r = run_archive(part, fd, err);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "read the archive of a commit");
	r = digest_fd(fd, &digest, &size);
	if (r < 0)
		return varve_error_set(err, r, "read the archive of a commit");
	r = store_blob_adopt(e->context->store, fd, directory, "tree.tar", &digest, err);
	if (r == 0)
		add_artifact(e, part, &digest, size);
	return r;
}

/* --- submodules --------------------------------------------------------------------------------
 */

/* The path below a subdirectory; NULL where it is not in there. Borrowed. */
static const char *path_below(const char *path, const char *subdirectory)
{
	size_t len = strlen(subdirectory);

	if (len == 0)
		return path;
	return str_starts(path, subdirectory) && path[len] == '/' ? path + len + 1 : NULL;
}

static int export_link(struct exporting *e, const struct part *outer, const struct git_link *link,
		       const char *below, struct varve_error *err)
{
	CLEANUP(git_repository_release)
	struct git_repository repository = {.job = STORE_JOB_INIT};
	CLEANUP(strv_release) struct strv patterns = STRV_INIT;
	CLEANUP(free_ptr) char *path = path_join(outer->path, below);
	CLEANUP(free_ptr) char *url = NULL;
	const struct part part = {&repository, path, "", &patterns, outer->depth + 1};
	int r;

	if (json_object_size(e->submodules) >= SUBMODULE_LIMIT || part.depth > DEPTH_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "more than %d submodules, or %d deep",
				       SUBMODULE_LIMIT, DEPTH_LIMIT);
	if (!link->url)
		return varve_error_set(err, -VARVE_E_RESOLVE, ".gitmodules says no URL for it");
	r = git_url_submodule(outer->repository->url, link->url, &url, err);
	if (r == 0)
		r = git_fetch(e->context->store, url, link->commit, &repository, err);
	git_patterns_below(outer->patterns, below, &patterns);
	return r < 0 ? r : export_part(e, &part, err);
}

static int export_links(struct exporting *e, const struct part *part, struct varve_error *err)
{
	CLEANUP(git_links_release) struct git_links links = {0};
	int r = git_links_read(part->repository, &links, err);

	for (size_t i = 0; i < links.count && r == 0; i++) {
		const char *below = path_below(links.items[i].path, part->subdirectory);

		if (!below || git_is_excluded(part->patterns, below))
			continue;
		r = export_link(e, part, &links.items[i], below, err);
		if (r < 0)
			varve_error_prefix(err, "submodule %s", links.items[i].path);
	}
	return r;
}

static int export_part(struct exporting *e, const struct part *part, struct varve_error *err)
{
	int r = archive(e, part, err);

	if (r == 0 && json_is_true(json_object_get(e->ret->spec, "submodules")))
		r = export_links(e, part, err);
	return r;
}

int git_export(const struct source_context *context, const struct git_repository *repository,
	       struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *submodules = json_object();
	CLEANUP(strv_release) struct strv patterns = STRV_INIT;
	const json_t *exclude = json_object_get(ret->spec, "exclude");
	struct exporting e = {context, ret, submodules};
	const struct part part = {
		repository, "", json_optional_string(ret->spec, "subdirectory", ""), &patterns, 0};
	int r;

	for (size_t i = 0; i < json_array_size(exclude); i++)
		strv_add(&patterns, json_string_value(json_array_get(exclude, i)));
	r = git_check_subdirectory(repository, part.subdirectory, err);
	if (r == 0)
		r = export_part(&e, &part, err);
	if (r == 0 && json_object_size(submodules) > 0)
		json_set(ret->facts, "submodules", json_incref(submodules));
	return r;
}
