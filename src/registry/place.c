/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/tempfile.h"
#include "store/store.h"

void place_init(struct place *place, int blobs, int partials, struct varve_store *store)
{
	*place = (struct place){.blobs = blobs, .partials = partials, .store = store};
	(void)pthread_mutex_init(&place->mutex, NULL);
}

void place_of_store(struct place *place, struct varve_store *store, int uploads)
{
	place_init(place, store_blobs_fd(store), uploads, store);
}

void place_release(struct place *place)
{
	(void)pthread_mutex_destroy(&place->mutex);
}

bool place_has(const struct place *place, const struct varve_descriptor *blob)
{
	char hex[VARVE_DIGEST_HEX];
	struct stat st;

	return fstatat(place->blobs, varve_digest_hex(&blob->digest, hex), &st,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == blob->size;
}

int place_open(const struct place *place, const struct varve_descriptor *blob,
	       struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(fd_close)
	int fd = openat(place->blobs, varve_digest_hex(&blob->digest, hex),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return varve_error_set(err, -VARVE_E_NOT_FOUND, "blob sha256:%s is not here", hex);
	if (fd < 0 || fstat(fd, &st) < 0)
		return varve_error_set(err, -errno, "open blob sha256:%s", hex);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != blob->size)
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "blob sha256:%s is damaged: it has %" PRIu64
				       " bytes, its descriptor says %" PRIu64,
				       hex, (uint64_t)st.st_size, blob->size);
	return steal_fd(&fd);
}

int place_read(const struct place *place, const struct varve_descriptor *blob, size_t limit,
	       struct buf *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	CLEANUP(fd_close) int fd = -1;
	char text[VARVE_DIGEST_TEXT];
	struct varve_digest actual;
	int r;

	varve_digest_text(&blob->digest, text);
	if (blob->size > limit)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: %" PRIu64 " bytes are too many",
				       text, blob->size);
	fd = place_open(place, blob, err);
	if (fd < 0)
		return fd;
	r = fd_read_all(fd, limit, &bytes);
	if (r < 0)
		return varve_error_set(err, r, "read blob %s", text);
	digest_bytes(bytes.data, bytes.len, &actual);
	if (!varve_digest_equal(&actual, &blob->digest))
		return varve_error_set(err, -VARVE_E_DIGEST, "blob %s is damaged", text);
	*ret = bytes;
	bytes = (struct buf)BUF_INIT;
	return 0;
}

int place_put(struct place *place, const struct buf *bytes, const struct varve_digest *digest,
	      struct varve_error *err)
{
	const struct varve_descriptor blob = {.digest = *digest, .size = bytes->len};
	char hex[VARVE_DIGEST_HEX];
	struct varve_digest unused;

	if (place->store)
		return store_blob_put(place->store, bytes->data, bytes->len, &unused, err);
	if (place_has(place, &blob))
		return 0;
	return tempfile_write(place->blobs, varve_digest_hex(digest, hex), bytes->data, bytes->len,
			      true, err);
}

static int land_in_directory(struct place *place, int fd, const char *name, const char *hex,
			     struct varve_error *err)
{
	/* Not synced, unlike the store's: who reads a layout checks its digests, and a pull that is
	 * run again fetches what a crash took. That a process is killed loses nothing. */
	if (fchmod(fd, 0644) < 0 || renameat(place->partials, name, place->blobs, hex) < 0)
		return varve_error_set(err, -errno, "move blob %s to its name", hex);
	return 0;
}

int place_land(struct place *place, int fd, const char *name, const struct varve_digest *digest,
	       struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	int r;

	varve_digest_hex(digest, hex);
	if (place->store)
		(void)fdatasync(fd); /* here, not while others wait */
	(void)pthread_mutex_lock(&place->mutex);
	if (place->store)
		r = store_blob_adopt(place->store, fd, place->partials, name, digest, err);
	else
		r = land_in_directory(place, fd, name, hex, err);
	(void)pthread_mutex_unlock(&place->mutex);
	return r;
}
