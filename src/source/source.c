/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "net/http.h"
#include "source/source_image.h"
#include "source/source_kind.h"
#include "store/store.h"

/* Brings all artifacts of a source into the store. */
typedef int (*fetch_source)(struct source_context *context, const struct lock_source *source,
			    struct varve_error *err);

static const struct {
	const char *kind;
	int (*resolve)(struct source_context *context, const struct lock *lock,
		       struct lock_source *ret, struct varve_error *err);
	fetch_source fetch; /* NULL: artifacts are downloaded, each from where the lock says */
} kinds[] = {
	{"debian", source_debian_resolve, NULL},
	{"git", source_git_resolve, source_git_fetch},
	{"image", source_image_resolve, source_image_fetch},
	{"python", source_python_resolve, NULL},
	{"url", source_url_resolve, NULL},
};

int source_resolve(struct source_context *context, const char *name, const json_t *spec,
		   const struct lock *lock, struct lock_source *ret, struct varve_error *err)
{
	const char *kind = json_optional_string(spec, "kind", "");
	struct lock_source source = {
		.name = xstrdup(name), .spec = json_deep_copy(spec), .facts = json_object()};
	size_t i;
	int r = -VARVE_E_RECIPE;

	json_digest(spec, &source.digest);
	for (i = 0; i < ARRAY_SIZE(kinds) && strcmp(kinds[i].kind, kind) != 0; i++)
		;
	if (i < ARRAY_SIZE(kinds))
		r = kinds[i].resolve(context, lock, &source, err);
	else
		varve_error_set(err, r, "sources of kind \"%s\" are not locked", kind);
	if (r < 0) {
		lock_source_release(&source);
		return r;
	}
	*ret = source;
	return 0;
}

bool source_is_fetched(const struct source_context *context, const struct lock_source *source)
{
	size_t i;

	for (i = 0; i < source->count; i++)
		if (!varve_store_has_blob(context->store, &source->artifacts[i].sha256, NULL))
			return false;
	return true;
}

/* The first suite that lies on the mirror. */
static const char *suite_on(const json_t *spec, const char *mirror)
{
	const json_t *suites = json_object_get(spec, "suites");
	const json_t *repositories = json_object_get(spec, "repositories");
	size_t i;

	for (i = 0; i < json_array_size(repositories); i++) {
		const json_t *one = json_array_get(repositories, i);

		if (strcmp(json_optional_string(one, "mirror", ""), mirror) == 0)
			return json_optional_string(one, "suite", "");
	}
	for (i = 0; i < json_array_size(suites); i++) {
		const char *suite = json_string_value(json_array_get(suites, i));

		if (suite && str_ends(suite, "-security") == str_ends(mirror, "-security"))
			return suite;
	}
	return "";
}

/* "debian:pool/x.deb" -> URL of the machine's mirror; what has "://" or is a path is a URL already.
 */
static int locate(struct source_context *context, const struct lock_source *source,
		  const struct lock_artifact *artifact, bool guess, char **ret,
		  struct varve_error *err)
{
	const char *kind = json_optional_string(source->spec, "kind", "");
	const char *colon = strchr(artifact->from, ':');
	CLEANUP(free_ptr) char *name = NULL;
	CLEANUP(free_ptr) char *url = NULL;
	int r;

	if (strcmp(kind, "python") == 0)
		return source_python_locate(context, artifact, guess, ret, err);
	if (!colon || strstr(artifact->from, "://") || strcmp(kind, "url") == 0) {
		*ret = source_href_url(context, artifact->from);
		return 0;
	}
	name = xstrndup(artifact->from, (size_t)(colon - artifact->from));
	r = source_archive_url(context, source->spec, name, suite_on(source->spec, name), &url,
			       err);
	if (r == 0)
		*ret = xasprintf("%s/%s", url, colon + 1);
	return r;
}

struct wanted {
	struct source_download *downloads;
	size_t count, alloc;
};

static void wanted_release(struct wanted *wanted)
{
	size_t i;

	for (i = 0; i < wanted->count; i++)
		free(wanted->downloads[i].url);
	free(wanted->downloads);
}

static bool is_wanted(const struct wanted *wanted, const struct varve_digest *digest)
{
	size_t i;

	for (i = 0; i < wanted->count; i++)
		if (varve_digest_equal(wanted->downloads[i].want, digest))
			return true;
	return false;
}

static int want_missing(struct source_context *context, const struct lock_source *source,
			bool guess, struct wanted *wanted, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < source->count; i++) {
		const struct lock_artifact *artifact = &source->artifacts[i];
		char *url = NULL;
		int r;

		if (varve_store_has_blob(context->store, &artifact->sha256, NULL) ||
		    is_wanted(wanted, &artifact->sha256))
			continue;
		if (context->offline)
			return varve_error_set(
				err, -VARVE_E_LOCK,
				"%s %s is not in the store, and --offline forbids to fetch it",
				artifact->name, artifact->version);
		r = locate(context, source, artifact, guess, &url, err);
		if (r < 0)
			return r;
		wanted->downloads = array_grow(wanted->downloads, wanted->count, &wanted->alloc,
					       sizeof(*wanted->downloads));
		wanted->downloads[wanted->count++] = (struct source_download){
			.url = url, .want = &artifact->sha256, .size = artifact->size};
	}
	return 0;
}

static const struct lock_artifact *first_missing(const struct source_context *context,
						 const struct lock_source *source)
{
	for (size_t i = 0; i < source->count; i++)
		if (!varve_store_has_blob(context->store, &source->artifacts[i].sha256, NULL))
			return &source->artifacts[i];
	return NULL;
}

static fetch_source fetch_of(const struct lock_source *source)
{
	const char *kind = json_optional_string(source->spec, "kind", "");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].fetch;
	return NULL;
}

/* Sources whose artifacts come together. Returns how many were missing. */
static int fetch_whole(struct source_context *context, const struct lock_source *source,
		       struct varve_error *err)
{
	const struct lock_artifact *missing = first_missing(context, source);

	if (!missing)
		return 0;
	/* An image may lie on this machine. */
	if (context->offline &&
	    (fetch_of(source) != source_image_fetch || source_image_is_remote(source)))
		return varve_error_set(err, -VARVE_E_LOCK,
				       "%s %s is not in the store, and --offline forbids to fetch "
				       "it",
				       missing->name, missing->version);
	return fetch_of(source)(context, source, err);
}

/* gc keeps what a lock names as long as the source is in use. */
static int keep_artifacts(struct source_context *context, const struct lock_source *source,
			  struct varve_error *err)
{
	CLEANUP(free_ptr)
	struct varve_digest *digests = xcalloc(source->count + 1, sizeof(*digests));
	char hex[VARVE_DIGEST_HEX];
	size_t i;

	for (i = 0; i < source->count; i++)
		digests[i] = source->artifacts[i].sha256;
	return store_root_set(context->store, varve_digest_hex(&source->digest, hex), digests,
			      source->count, err);
}

static bool has_python(const struct lock_source *const *sources, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(json_optional_string(sources[i]->spec, "kind", ""), "python") == 0)
			return true;
	return false;
}

/* guess: files of a package index lie where its other files do. Returns the number fetched. */
static int fetch_missing(struct source_context *context, const struct lock_source *const *sources,
			 size_t count, bool guess, struct varve_error *err)
{
	CLEANUP(wanted_release) struct wanted wanted = {0};
	size_t i;
	int r = 0;

	for (i = 0; i < count && r == 0; i++)
		r = fetch_of(sources[i]) ? fetch_whole(context, sources[i], err)
					 : want_missing(context, sources[i], guess, &wanted, err);
	if (r == 0)
		r = source_download(context, wanted.downloads, wanted.count,
				    count == 1 ? sources[0]->name : "sources", err);
	return r < 0 ? r : (int)wanted.count;
}

int source_fetch(struct source_context *context, const struct lock_source *const *sources,
		 size_t count, struct varve_error *err)
{
	size_t i;
	int r = fetch_missing(context, sources, count, true, err), fetched = r;

	if (r == -VARVE_E_NOT_FOUND && has_python(sources, count))
		r = fetched = fetch_missing(context, sources, count, false, err);
	if (r == -VARVE_E_NOT_FOUND)
		varve_error_hint(
			err, "the mirror no longer has it: lock again (varve lock --all), or set "
			     "a mirror that keeps old versions");
	for (i = 0; i < count && r >= 0; i++)
		r = keep_artifacts(context, sources[i], err);
	return r < 0 ? r : fetched;
}

int source_image_look(struct source_context *context, const struct lock_source *source,
		      struct varve_error *err)
{
	int r = source_image_fetch_config(context, source, err);

	return r < 0 ? r : keep_artifacts(context, source, err);
}

/* "debian:pool/x.deb" -> "x.deb", "pypi:x.whl" -> "x.whl" */
const char *source_file_name(const struct lock_artifact *artifact)
{
	const char *base = path_base(artifact->from), *colon = strchr(base, ':');

	return colon ? colon + 1 : base;
}

int source_is_current(struct source_context *context, const struct lock_source *source, bool *ret,
		      struct varve_error *err)
{
	*ret = true;
	if (!json_is_true(json_object_get(source->spec, "track")))
		return 0;
	return source_git_is_current(context, source, ret, err);
}

int source_materialise(struct source_context *context, const struct lock_source *source,
		       int directory, struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < source->count && r == 0; i++) {
		const struct lock_artifact *artifact = &source->artifacts[i];
		bool named = strcmp(json_optional_string(source->spec, "kind", ""), "url") == 0;

		if (lock_artifact_is_content(artifact))
			r = store_blob_link(context->store, &artifact->sha256, directory,
					    named ? artifact->name : source_file_name(artifact),
					    err);
	}
	return r;
}
