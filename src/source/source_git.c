/* SPDX-License-Identifier: Apache-2.0
 * git sources: a ref -> a commit -> the archive of its tree.
 *
 * Facts: {"commit":HEX,"tree":HEX (of the whole commit),"ref":"refs/heads/main" or "" for a commit,
 * "date":n,"submodules":{path:HEX}}. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/git_export.h"
#include "source/git_url.h"
#include "source/source_kind.h"

static const char *text_of(const struct lock_source *source, const char *member)
{
	return json_optional_string(source->spec, member, "");
}

static char *url_of(const struct source_context *context, const struct lock_source *source)
{
	return git_url_open(context->directory, text_of(source, "url"));
}

static int resolve_ref(const struct source_context *context, const struct lock_source *source,
		       char commit[GIT_HEX], char **ret_name, struct varve_error *err)
{
	CLEANUP(free_ptr) char *url = url_of(context, source);

	if (context->offline)
		return varve_error_set(err, -VARVE_E_LOCK,
				       "the ref \"%s\" of %s cannot be looked up: --offline "
				       "forbids it",
				       text_of(source, "ref"), url);
	return git_resolve(context->store, url, text_of(source, "ref"), commit, ret_name, err);
}

static int export_commit(const struct source_context *context, const char *commit,
			 struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(git_repository_release)
	struct git_repository repository = {.job = STORE_JOB_INIT};
	CLEANUP(free_ptr) char *url = url_of(context, ret);
	int r = git_fetch(context->store, url, commit, &repository, err);

	if (r == 0)
		r = git_export(context, &repository, ret, err);
	if (r < 0)
		return r;
	json_set(ret->facts, "commit", json_text(repository.commit));
	json_set(ret->facts, "tree", json_text(repository.tree));
	json_set(ret->facts, "date", json_integer(repository.date));
	return 0;
}

int source_git_resolve(struct source_context *context, const struct lock *lock,
		       struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = NULL;
	char commit[GIT_HEX];
	int r = resolve_ref(context, ret, commit, &name, err);

	(void)lock;
	if (r == 0)
		r = export_commit(context, commit, ret, err);
	if (r == 0)
		json_set(ret->facts, "ref", json_text(name));
	return r;
}

/* --- what the lock says -------------------------------------------------------------------------
 */

static int same_artifacts(const struct lock_source *want, const struct lock_source *got,
			  struct varve_error *err)
{
	char wanted[VARVE_DIGEST_HEX], given[VARVE_DIGEST_HEX];

	for (size_t i = 0; i < want->count && i < got->count; i++) {
		const struct lock_artifact *a = &want->artifacts[i], *b = &got->artifacts[i];

		if (varve_digest_equal(&a->sha256, &b->sha256))
			continue;
		varve_error_set(err, -VARVE_E_DIGEST,
				"the archive of commit %s is %s, the lock says %s", a->version,
				varve_digest_hex(&b->sha256, given),
				varve_digest_hex(&a->sha256, wanted));
		varve_error_hint(err,
				 "the lock was edited, or made by a git that archives "
				 "otherwise: varve lock --upgrade %s",
				 want->name);
		return -VARVE_E_DIGEST;
	}
	if (want->count == got->count)
		return 0;
	return varve_error_set(err, -VARVE_E_LOCK, "commit %s gives %zu archives, the lock has %zu",
			       json_optional_string(want->facts, "commit", ""), got->count,
			       want->count);
}

int source_git_fetch(struct source_context *context, const struct lock_source *source,
		     struct varve_error *err)
{
	struct lock_source again = {.name = xstrdup(source->name),
				    .spec = json_incref(source->spec),
				    .facts = json_object()};
	const char *commit = json_optional_string(source->facts, "commit", "");
	int r;

	if (git_is_object(commit))
		r = export_commit(context, commit, &again, err);
	else
		r = varve_error_set(err, -VARVE_E_LOCK, "the lock has no commit of source \"%s\"",
				    source->name);
	if (r == 0)
		r = same_artifacts(source, &again, err);
	lock_source_release(&again);
	return r;
}

int source_git_is_current(struct source_context *context, const struct lock_source *source,
			  bool *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = NULL;
	char commit[GIT_HEX];
	int r = resolve_ref(context, source, commit, &name, err);

	if (r == 0)
		*ret = str_equal(json_optional_string(source->facts, "commit", ""), commit) &&
		       str_equal(json_optional_string(source->facts, "ref", ""), name);
	return r;
}
