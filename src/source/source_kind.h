/* SPDX-License-Identifier: Apache-2.0
 * What each kind of source gives to source.c, and what kinds share. */
#ifndef SOURCE_SOURCE_KIND_H
#define SOURCE_SOURCE_KIND_H

#include "source/source.h"

/* Fills facts and artifacts of ret; name, spec and digest are set already. */
int source_debian_resolve(struct source_context *context, const struct lock *lock,
			  struct lock_source *ret, struct varve_error *err);
int source_python_resolve(struct source_context *context, const struct lock *lock,
			  struct lock_source *ret, struct varve_error *err);
int source_url_resolve(struct source_context *context, const struct lock *lock,
		       struct lock_source *ret, struct varve_error *err);

int source_git_resolve(struct source_context *context, const struct lock *lock,
		       struct lock_source *ret, struct varve_error *err);
/* Brings the archives of a locked commit into the store, and checks that they are the lock's. */
int source_git_fetch(struct source_context *context, const struct lock_source *source,
		     struct varve_error *err);
/* Whether the ref still stands for the locked commit. */
int source_git_is_current(struct source_context *context, const struct lock_source *source,
			  bool *ret, struct varve_error *err);

int source_image_resolve(struct source_context *context, const struct lock *lock,
			 struct lock_source *ret, struct varve_error *err);
/* Brings a locked image's blobs into the store, and checks that they are the lock's. */
int source_image_fetch(struct source_context *context, const struct lock_source *source,
		       struct varve_error *err);
/* Of a registry's image only manifest and config; nothing of others. */
int source_image_fetch_config(struct source_context *context, const struct lock_source *source,
			      struct varve_error *err);
/* Appends the stanzas of installed packages from the image's /var/lib/dpkg/status; nothing where it
 * has none. The image's layers are in the store. */
int source_image_status(struct source_context *context, const struct lock_source *source,
			struct buf *ret, struct varve_error *err);

/* URL of what a recipe says: a URL, or a path, which may be relative to the recipe. Caller frees.
 */
char *source_href_url(const struct source_context *context, const char *href);

/* Base URL of the archive behind a mirror name: where the spec has a snapshot and the machine a
 * mirror "NAME-snapshot", that one's; else source_mirror's, and only the lock's digests say what
 * the bytes must be. Caller frees. */
int source_archive_url(const struct source_context *context, const json_t *spec, const char *mirror,
		       const char *suite, char **ret_url, struct varve_error *err);

/* Where an artifact of a python source lies. guess: where the index's other files lie, without
 * asking for this one. Caller frees. */
int source_python_locate(struct source_context *context, const struct lock_artifact *artifact,
			 bool guess, char **ret, struct varve_error *err);

/* The last setting NAME=URL of the machine, or NULL. Borrowed. */
const char *source_setting(const struct source_context *context, const char *name);
/* Makes context->http; -VARVE_E_LOCK naming the URL where there is to be no connection. */
int source_need_http(struct source_context *context, const char *url, struct varve_error *err);

/* One file to bring into the store. */
struct source_download {
	char *url; /* owned */
	const struct varve_digest *want; /* NULL: any; borrowed */
	uint64_t size; /* expected, 0: unknown */
	uint64_t limit; /* where size is unknown */
	struct varve_digest got; /* of the blob, after success */
	uint64_t got_size;
};
/* Downloads all of them at once; each becomes a blob. Those with a known digest go on where an
 * earlier try broke off (uploads/fetch-HEX), and wait for another process that fetches the same.
 * what: for the progress. */
int source_download(struct source_context *context, struct source_download *downloads, size_t count,
		    const char *what, struct varve_error *err);
/* Downloads one small file into memory. */
int source_download_text(struct source_context *context, const char *url, uint64_t limit,
			 struct buf *ret, struct varve_error *err);

#endif
