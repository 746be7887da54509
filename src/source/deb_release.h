/* SPDX-License-Identifier: Apache-2.0
 * Release files of Debian archives: what a suite holds, signed. */
#ifndef SOURCE_DEB_RELEASE_H
#define SOURCE_DEB_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>

struct buf;

struct deb_release_file {
	char *path; /* "main/binary-amd64/Packages.xz" */
	struct varve_digest sha256;
	uint64_t size;
};

/* Valid-Until is not looked at: it tells a live system that its mirror has stopped, but what counts
 * here is the lock, which is made once and holds digests, and snapshots are past theirs by design.
 * The date goes into the lock's facts, where a stale mirror shows. */
struct deb_release {
	int64_t date; /* seconds since 1970 */
	bool by_hash; /* Acquire-By-Hash: yes */
	bool optional; /* NotAutomatic: yes */
	struct deb_release_file *files;
	size_t count, alloc;
};
void deb_release_release(struct deb_release *release);

/* Text of a Release file -> struct. Pure. what: for errors. */
int deb_release_parse(const char *text, const char *what, struct deb_release *ret,
		      struct varve_error *err);
/* NULL where the suite has no such file. */
const struct deb_release_file *deb_release_find(const struct deb_release *release,
						const char *path);

/* Checks the signature of an InRelease file with gpgv against a keyring; ret: the signed text.
 * keyring NULL or "": the host's Debian keyring. Nothing unsigned ever comes out. */
int deb_release_verify(const struct buf *inrelease, const char *keyring, const char *what,
		       struct buf *ret, struct varve_error *err);

#endif
