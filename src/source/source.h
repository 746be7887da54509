/* SPDX-License-Identifier: Apache-2.0
 * Sources: from a resolved spec (JSON, made by the plan) to locked artifacts, and from those to
 *bytes in the store.
 *
 *	spec -> source_resolve -> lock_source -> source_fetch -> blobs -> source_materialise ->
 *directory
 *
 * Specs (all members present, canonical), by kind:
 *
 *	debian: "mirror":"debian", "suites":["bookworm"], "components":["main"],
 *	"architecture":"amd64", "snapshot":"", "keyring":"", "recommends":false, "packages":[...],
 *	"bootstrap":true (nothing is below: essential packages are added),
 *	"installed":[{"name":SOURCE,"spec":DIGEST}] (image and debian sources below, bottom first);
 *	"dependencies":false where only the packages themselves are wanted (python: likewise);
 *	only where there are any: "pins":["NAME=VERSION","NAME/SUITE"],
 *	"repositories":[{"mirror":..,"suite":..,"components":[..],"keyring":..}],
 *	"keyring-digest":DIGEST beside each keyring that lies beside the recipe
 *
 *	python: "python":"3.11", "platform":"linux/amd64", "glibc":"2.28", "requirements":[...],
 *	"constraints":[...], "before":"" or date, "sdist":bool, "prereleases":bool,
 *	"lock":"" or path beside the recipe, "lock-digest":DIGEST (with lock),
 *	"index":[names of indexes looked at before "pypi", the main one];
 *	only where there are any: "beside":[{"name":SOURCE,"spec":DIGEST}] (installed in one place)
 *
 *	url: "href":..., "sha256":"" or hex, "filename":..., "unpack":bool, "strip":n
 *
 *	git: "url":..., "ref":"", "track":bool, "submodules":bool, "subdirectory":"",
 *"exclude":[...]
 *
 *	image: "reference":"oci:DIR:NAME" or "docker://HOST/NAME:TAG", "platform":"linux/amd64"
 *
 *	local: "path":..., "ignore":"": never in the lock; its digest is taken at each build
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/store.h>
#include "base/json.h"
#include "base/strv.h"
#include "lock/lock.h"

struct http;
struct varve_descriptor;

/* Images of registries, for image sources: given by who knows how to talk to registries. reference:
 * "docker://HOST/NAME[:TAG][@DIGEST]". */
struct source_registries {
	void *cookie;
	/* Brings the manifest and the config of the image for this platform into the store. */
	int (*look)(void *cookie, const char *reference, const char *platform,
		    struct varve_descriptor *ret, struct varve_error *err);
	/* Brings blobs of the repository into the store, those that are not there. */
	int (*fetch)(void *cookie, const char *reference, const struct varve_descriptor *blobs,
		     size_t count, struct varve_error *err);
};

/* Settings of the machine and the surroundings of a recipe; borrowed by all calls. */
struct source_context {
	struct varve_store *store;
	struct http *http; /* made on first use where NULL */
	const struct source_registries *registries; /* NULL: none can be reached */
	const struct strv
		*mirrors; /* "debian=URL" in order of rising weight: config, environment, options */
	const char *directory; /* of the recipe: relative paths start here */
	struct strv
		learnt; /* python: what this process found out of indexes (python_index.h); owned
			 */
	bool offline; /* no connection: what is missing is an error that names it */
	void (*progress)(void *cookie, const char *what, uint64_t done, uint64_t total);
	void *cookie;
};

/* What a mirror name stands for on this machine: --mirror/config/environment; else the host's own
 * apt sources (a stanza whose suites hold suite, else one whose URL ends in /NAME); else for a
 * snapshot the mirror named "NAME-snapshot"; else -VARVE_E_HOST saying how to set it. Caller frees.
 */
int source_mirror(const struct source_context *context, const char *name, const char *suite,
		  char **ret_url, struct varve_error *err);

/* Resolves a spec against the outside world (debian: InRelease verified by gpgv, Packages by hash,
 * libsolv; url: download and hash). lock holds what the spec's "installed" names. */
int source_resolve(struct source_context *context, const char *name, const json_t *spec,
		   const struct lock *lock, struct lock_source *ret, struct varve_error *err);

/* Brings every artifact into the store that is not there: parallel, verified by sha256, resumable
 * (partial files lie in uploads/). Returns the number fetched. Several sources in one call share
 * the transfers. */
int source_fetch(struct source_context *context, const struct lock_source *const *sources,
		 size_t count, struct varve_error *err);
/* Whether a locked source that the recipe wants to follow (a git source with track) still is what
 * resolving it would give; true for all others. */
int source_is_current(struct source_context *context, const struct lock_source *source, bool *ret,
		      struct varve_error *err);
bool source_is_fetched(const struct source_context *context, const struct lock_source *source);
/* Of a registry's image, brings manifest and config: enough to make images on it. Its layers are
 * fetched when somebody looks at them. Of other images, nothing. */
int source_image_look(struct source_context *context, const struct lock_source *source,
		      struct varve_error *err);
/* True when that much of it is here. */
bool source_image_is_known(const struct source_context *context, const struct lock_source *source);
/* "HOST/NAME[:TAG]" and the manifest's digest of a registry's image; NULL for others. Owned by the
 * caller. */
char *source_image_home(const struct lock_source *source, struct varve_digest *ret_manifest);

/* The file name of an artifact, from its place. Borrowed. */
const char *source_file_name(const struct lock_artifact *artifact);
/* Path of the program that installs a python source's wheels (python_uv.h); its wheel is in the
 * store. Caller frees. */
int source_python_installer(struct source_context *context, const struct lock_source *source,
			    char **ret, struct varve_error *err);
/* Makes a directory with the source's files: hard links of artifacts under their file names.
 * directory is empty. (An archive that a url source wants unpacked is the build's work:
 * layer_unpack_archive.) */
int source_materialise(struct source_context *context, const struct lock_source *source,
		       int directory, struct varve_error *err);

/* The config document of a locked image source, which is in the store. Owned by the caller. */
int source_image_config(const struct source_context *context, const struct lock_source *source,
			json_t **ret, struct varve_error *err);

/* --- local directories ---------------------------------------------------------------------------
 */
/* Digest of a local source: over its listing (paths, types, exec bits, sha256 of contents, link
 * targets), bytewise order, ignore rules applied (gitignore syntax; .git is always left out).
 * Contents are hashed through a stat cache (facts/stat-...) that is safe against edits within the
 * clock's granularity. ret_listing (may be NULL): canonical JSON {"path":"mode:sha256",...}, owned
 * by the caller; also kept as facts/listing-HEX for explain. Nothing is written where nothing
 * changed. */
int source_local_digest(struct source_context *context, const json_t *spec,
			struct varve_digest *ret, json_t **ret_listing, struct varve_error *err);
/* The listing that want is the digest of; owned by the caller. -ESTALE: the source is another now.
 */
int source_local_listing(struct source_context *context, const json_t *spec,
			 const struct varve_digest *want, json_t **ret, struct varve_error *err);
/* Copies the listed files into the empty directory: modes 0755 or 0644, reflink or copy; -ESTALE
 * with a text when a file no longer is what want was computed from. */
int source_local_copy(struct source_context *context, const json_t *spec,
		      const struct varve_digest *want, int directory, struct varve_error *err);

#endif
