/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_repository.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"
#include "source/git_command.h"

void git_repository_release(struct git_repository *repository)
{
	if (repository->store && repository->job.dirfd >= 0)
		(void)store_job_remove(repository->store, &repository->job);
	free(repository->path);
	free(repository->url);
	*repository = (struct git_repository){.job = STORE_JOB_INIT};
}

static int begin(struct varve_store *store, const char *url, size_t hex_digits,
		 struct git_repository *ret, struct varve_error *err)
{
	int r;

	*ret = (struct git_repository){.store = store, .job = STORE_JOB_INIT, .url = xstrdup(url)};
	r = store_job_begin(store, &ret->job, err);
	if (r < 0)
		return r;
	ret->path = path_join(ret->job.path, "git");
	return git_init(ret->path, hex_digits, err);
}

/* --- what went wrong ---------------------------------------------------------------------------
 */

/* The first whole object name in a text that is not the commit's own. */
static bool find_object(const char *text, const char *commit, char ret[GIT_HEX])
{
	size_t len = strlen(commit);

	for (const char *at = text; *at; at++) {
		size_t run = strspn(at, "0123456789abcdef");

		if (run == len && strncmp(at, commit, len) != 0) {
			(void)snprintf(ret, GIT_HEX, "%.*s", (int)len, at);
			return true;
		}
		if (run > 0)
			at += run - 1;
	}
	return false;
}

/* The path of an object in the commit, by its trees alone. NULL: unknown. Caller frees. */
static char *path_of_object(const struct git_repository *repository, const char *commit,
			    const char *object)
{
	const char *const list[] = {"ls-tree", "-r", "-t", "-z", "--full-tree", commit, NULL};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	size_t at = 0;

	if (git_local(repository->path, list, -1, &out, NULL) < 0)
		return NULL;
	while (at < out.len) {
		const char *row = out.data + at, *tab = strchr(row, '\t');

		if (tab && strstr(row, object) && strstr(row, object) < tab)
			return xstrdup(tab + 1);
		at += strlen(row) + 1;
	}
	return NULL;
}

/* A server that lacks an object says which one, but not where it belongs: a repository with the
 * trees alone tells that. */
static void name_missing_object(struct varve_store *store, const char *url, const char *commit,
				struct varve_error *err)
{
	CLEANUP(git_repository_release)
	struct git_repository trees = {.job = STORE_JOB_INIT};
	const char *const fetch[] = {"fetch",
				     "--quiet",
				     "--depth=1",
				     "--no-tags",
				     "--filter=blob:none",
				     "--no-write-fetch-head",
				     "--",
				     url,
				     commit,
				     NULL};
	CLEANUP(free_ptr) char *path = NULL;
	char object[GIT_HEX];

	if (!err || !find_object(err->text, commit, object) ||
	    begin(store, url, strlen(commit), &trees, NULL) < 0 ||
	    git_remote(trees.path, fetch, NULL, NULL) < 0)
		return;
	path = path_of_object(&trees, commit, object);
	if (path)
		varve_error_set(err, -VARVE_E_NETWORK,
				"%s lacks an object of commit %s: %s (%s)\n"
				"the repository there is damaged: git fsck in it tells more",
				url, commit, path, object);
}

/* --- fetching ----------------------------------------------------------------------------------
 */

static bool has_commit(const struct git_repository *repository, const char *commit)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s^{commit}", commit);
	const char *const check[] = {"cat-file", "-e", name, NULL};

	return git_local(repository->path, check, -1, NULL, NULL) == 0;
}

static int fetch_shallow(const struct git_repository *repository, const char *commit,
			 struct varve_error *err)
{
	const char *const fetch[] = {
		"fetch", "--quiet",       "--depth=1", "--no-tags", "--no-write-fetch-head",
		"--",    repository->url, commit,      NULL};

	return git_remote(repository->path, fetch, NULL, err);
}

/* filter: "--filter=..." or "--no-filter". */
static int fetch_all(const struct git_repository *repository, const char *filter,
		     struct varve_error *err)
{
	const char *const fetch[] = {"fetch",
				     "--quiet",
				     "--no-tags",
				     "--no-write-fetch-head",
				     filter,
				     "--",
				     repository->url,
				     "+refs/heads/*:refs/varve/heads/*",
				     "+refs/tags/*:refs/varve/tags/*",
				     NULL};

	return git_remote(repository->path, fetch, NULL, err);
}

/* Servers that give out tips only, and plain files over http. */
static bool refuses_commits(const struct varve_error *err)
{
	static const char *const signs[] = {"not our ref",
					    "unadvertised object",
					    "shallow capabilities",
					    "does not support shallow",
					    "remote did not send all necessary objects",
					    "couldn't find remote ref"};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strstr(err->text, signs[i]))
			return true;
	return false;
}

static int fetch_commit(const struct git_repository *repository, const char *commit,
			struct varve_error *err)
{
	struct varve_error why = {0};
	int r = fetch_shallow(repository, commit, &why);

	if (r == -VARVE_E_NETWORK && refuses_commits(&why))
		r = fetch_all(repository, "--no-filter", &why);
	if (r < 0) {
		name_missing_object(repository->store, repository->url, commit, &why);
		if (err)
			*err = why;
		return r;
	}
	if (has_commit(repository, commit))
		return 0;
	varve_error_set(err, -VARVE_E_RESOLVE, "%s has no commit %s", repository->url, commit);
	varve_error_hint(err, "a branch may have been rewritten: varve lock --upgrade SOURCE takes "
			      "what is there now");
	return -VARVE_E_RESOLVE;
}

/* name: of a commit, or of a tag that names one. */
static int read_commit(struct git_repository *repository, const char *name, struct varve_error *err)
{
	CLEANUP(free_ptr) char *peeled = xasprintf("%s^{commit}", name);
	const char *const parse[] = {"rev-parse", "--verify", "--quiet", peeled, NULL};
	const char *const show[] = {"cat-file", "commit", peeled, NULL};
	CLEANUP(buf_release) struct buf hex = BUF_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = git_local(repository->path, parse, -1, &hex, err);

	if (r == 0)
		r = git_local(repository->path, show, -1, &text, err);
	if (r < 0)
		return r;
	(void)snprintf(repository->commit, GIT_HEX, "%.*s", (int)strcspn(buf_text(&hex), "\n"),
		       buf_text(&hex));
	return git_commit_parse(buf_text(&text), repository->tree, &repository->date, err);
}

int git_fetch(struct varve_store *store, const char *url, const char *commit,
	      struct git_repository *ret, struct varve_error *err)
{
	struct git_repository repository;
	int r = begin(store, url, strlen(commit), &repository, err);

	if (r == 0)
		r = fetch_commit(&repository, commit, err);
	if (r == 0)
		r = read_commit(&repository, commit, err);
	if (r < 0) {
		git_repository_release(&repository);
		return r;
	}
	*ret = repository;
	return 0;
}

/* --- refs --------------------------------------------------------------------------------------
 */

static int list_refs(const char *url, const char *const *patterns, struct git_refs *ret,
		     struct varve_error *err)
{
	CLEANUP(strv_release) struct strv arguments = STRV_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	int r;

	strv_add(&arguments, "ls-remote");
	strv_add(&arguments, "--quiet");
	strv_add(&arguments, "--symref");
	strv_add(&arguments, "--");
	strv_add(&arguments, url);
	for (; *patterns; patterns++)
		strv_add(&arguments, *patterns);
	r = git_remote(NULL, (const char *const *)arguments.items, &out, err);
	return r < 0 ? r : git_refs_parse(buf_text(&out), ret, err);
}

/* The server is asked for what ref may mean, not for all that it has. */
static int list_meanings(const char *url, const char *ref, struct git_refs *ret,
			 struct varve_error *err)
{
	CLEANUP(free_ptr) char *branch = xasprintf("refs/heads/%s", ref);
	CLEANUP(free_ptr) char *tag = xasprintf("refs/tags/%s", ref);
	CLEANUP(free_ptr) char *peeled = xasprintf("refs/tags/%s^{}", ref);
	CLEANUP(free_ptr) char *whole = xasprintf("%s^{}", ref);
	const char *const short_form[] = {branch, tag, peeled, NULL};
	const char *const whole_form[] = {ref, whole, NULL};
	const char *const head[] = {"HEAD", NULL};

	if (*ref == '\0' || str_equal(ref, "HEAD"))
		return list_refs(url, head, ret, err);
	return list_refs(url, str_starts(ref, "refs/") ? whole_form : short_form, ret, err);
}

/* The tip that an abbreviation is the start of: 1, 0 for none, -VARVE_E_RESOLVE for several. */
static int find_tip(const struct git_refs *refs, const char *start, char commit[GIT_HEX],
		    struct varve_error *err)
{
	int found = 0;

	for (size_t i = 0; i < refs->count; i++) {
		const char *hex = refs->items[i].hex;

		if (!str_starts(hex, start) || (found && strcmp(hex, commit) == 0))
			continue;
		if (found)
			return varve_error_set(err, -VARVE_E_RESOLVE,
					       "\"%s\" is the start of several commits: %s and %s",
					       start, commit, hex);
		(void)snprintf(commit, GIT_HEX, "%s", hex);
		found = 1;
	}
	return found;
}

/* All commits, without trees and files where the server can leave them out. */
static int find_in_history(struct varve_store *store, const char *url, size_t hex_digits,
			   const char *start, char commit[GIT_HEX], struct varve_error *err)
{
	CLEANUP(git_repository_release)
	struct git_repository history = {.job = STORE_JOB_INIT};
	CLEANUP(free_ptr) char *name = xasprintf("%s^{commit}", start);
	const char *const parse[] = {"rev-parse", "--verify", name, NULL};
	CLEANUP(buf_release) struct buf hex = BUF_INIT;
	int r = begin(store, url, hex_digits, &history, err);

	if (r == 0)
		r = fetch_all(&history, "--filter=tree:0", err);
	if (r < 0)
		return r;
	if (git_local(history.path, parse, -1, &hex, NULL) < 0)
		return 0;
	(void)snprintf(commit, GIT_HEX, "%.*s", (int)strcspn(buf_text(&hex), "\n"), buf_text(&hex));
	return 1;
}

static int no_such_ref(const struct git_refs *refs, const char *url, const char *ref,
		       struct varve_error *err)
{
	const char *nearest = git_refs_nearest(refs, ref);

	if (*ref == '\0')
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "%s has no default branch: give the source a ref", url);
	varve_error_set(err, -VARVE_E_RESOLVE, "%s has no branch, tag or commit \"%s\"", url, ref);
	if (nearest)
		varve_error_hint(err, "did you mean \"%s\"?", nearest);
	return -VARVE_E_RESOLVE;
}

static void take_ref(const struct git_ref *ref, char commit[GIT_HEX], char **ret_name)
{
	(void)snprintf(commit, GIT_HEX, "%s", ref->hex);
	*ret_name = xstrdup(ref->target ? ref->target : ref->name);
}

/* Among all that the server has. The ref itself may have come meanwhile, by a push. */
static int resolve_otherwise(struct varve_store *store, const char *url, const char *ref,
			     char commit[GIT_HEX], char **ret_name, struct varve_error *err)
{
	static const char *const tips[] = {"HEAD", "refs/heads/*", "refs/tags/*", NULL};
	CLEANUP(git_refs_release) struct git_refs refs = {0};
	const struct git_ref *chosen = NULL;
	int r = list_refs(url, tips, &refs, err);

	if (r == 0)
		r = git_refs_choose(&refs, ref, &chosen, err);
	if (r < 0)
		return r;
	if (chosen) {
		take_ref(chosen, commit, ret_name);
		return 0;
	}
	if (git_is_abbreviation(ref)) {
		r = find_tip(&refs, ref, commit, err);
		if (r == 0 && refs.count > 0)
			r = find_in_history(store, url, strlen(refs.items[0].hex), ref, commit,
					    err);
	}
	if (r <= 0)
		return r < 0 ? r : no_such_ref(&refs, url, ref, err);
	*ret_name = xstrdup("");
	return 0;
}

int git_resolve(struct varve_store *store, const char *url, const char *ref, char commit[GIT_HEX],
		char **ret_name, struct varve_error *err)
{
	CLEANUP(git_refs_release) struct git_refs refs = {0};
	const struct git_ref *chosen = NULL;
	int r;

	if (git_is_object(ref)) {
		(void)snprintf(commit, GIT_HEX, "%s", ref);
		*ret_name = xstrdup("");
		return 0;
	}
	r = list_meanings(url, ref, &refs, err);
	if (r == 0)
		r = git_refs_choose(&refs, ref, &chosen, err);
	if (r < 0)
		return r;
	if (!chosen)
		return resolve_otherwise(store, url, ref, commit, ret_name, err);
	take_ref(chosen, commit, ret_name);
	return 0;
}
