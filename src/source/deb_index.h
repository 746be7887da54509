/* SPDX-License-Identifier: Apache-2.0
 * Package indexes of Debian archives, fetched by the digests of a verified Release file. */
#ifndef SOURCE_DEB_INDEX_H
#define SOURCE_DEB_INDEX_H

#include "source/deb_release.h"
#include "source/source_kind.h"

/* One Packages file in memory. */
struct deb_index {
	char *text; /* NUL-terminated mapping; NULL: none */
	size_t len, mapped;
	char *mirror; /* name for locations; owned */
	char *suite; /* owned */
	bool optional; /* for who asks for it only: NotAutomatic */
};
void deb_index_release(struct deb_index *index);

/* Where a suite is. */
struct deb_suite {
	const char *url; /* mirror's URL, without slash at the end */
	const char *name; /* bookworm, bookworm-security; "x/": a flat archive in directory x */
	const char *mirror; /* mirror's name */
	const char *keyring;
	const char *architecture;
};

/* InRelease: fetched, verified, parsed. ret_digest: of the file. */
int deb_index_suite(struct source_context *context, const struct deb_suite *suite,
		    struct deb_release *ret, struct varve_digest *ret_digest,
		    struct varve_error *err);
/* The Packages file of a component, as a blob of the store (kept: locking again needs no download),
 * decompressed. */
int deb_index_open(struct source_context *context, const struct deb_suite *suite,
		   const struct deb_release *release, const char *component, struct deb_index *ret,
		   struct varve_error *err);

#endif
