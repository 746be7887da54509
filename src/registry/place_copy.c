/* SPDX-License-Identifier: Apache-2.0
 * Blobs from one place to another: linked or reflinked where that is possible, verified always. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/tempfile.h"
#include "image/image_place.h"
#include "registry/place.h"
#include "registry/place_copy.h"
#include "store/store.h"

enum { READ_SIZE = 256 << 10 };

static int check(int fd, const struct varve_descriptor *blob, struct varve_error *err)
{
	char want[VARVE_DIGEST_TEXT], have[VARVE_DIGEST_TEXT];
	struct varve_digest actual;
	int r = digest_fd(fd, &actual, NULL);

	varve_digest_text(&blob->digest, want);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, r < 0 ? r : -errno, "read blob %s", want);
	if (varve_digest_equal(&actual, &blob->digest))
		return 0;
	return varve_error_set(err, -VARVE_E_DIGEST, "blob %s is damaged: its bytes are %s", want,
			       varve_digest_text(&actual, have));
}

int place_verify(const struct place *place, const struct varve_descriptor *blob,
		 struct varve_error *err)
{
	CLEANUP(fd_close) int fd = place_open(place, blob, err);

	return fd < 0 ? fd : check(fd, blob, err);
}

static int copy_bytes(int from, int to, const struct varve_descriptor *blob,
		      struct varve_error *err)
{
	int r;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	r = fd_copy(from, to, blob->size);
	return r < 0 ? varve_error_set(err, r, "copy a blob") : 0;
}

/* Verified after the copy: what was copied counts, not what was read before. */
static int copy_file(const struct place *to, int from, const struct varve_descriptor *blob,
		     struct tempfile *t, struct varve_error *err)
{
	int dirfd = to->store ? to->partials : to->blobs;
	CLEANUP(fd_close) int again = -1;
	int r = tempfile_begin(dirfd, 0644, t, err);

	if (r == 0)
		r = copy_bytes(from, t->fd, blob, err);
	if (r < 0)
		return r;
	again = openat(dirfd, t->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (again < 0)
		return varve_error_set(err, -errno, "open a copied blob");
	return check(again, blob, err);
}

static int land(struct place *to, struct tempfile *t, const struct varve_digest *digest,
		struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	int r;

	if (!to->store)
		return tempfile_commit(t, to->blobs, varve_digest_hex(digest, hex), true, true,
				       err);
	r = store_blob_adopt(to->store, t->fd, t->dirfd, t->name, digest, err);
	if (r == 0)
		t->name[0] = '\0';
	return r;
}

/* Out of the store nothing needs to be read. */
static int hand_on(struct place *from, struct place *to, const struct varve_descriptor *blob,
		   struct varve_error *err)
{
	int r;

	(void)pthread_mutex_lock(&from->mutex);
	r = image_place_blob(from->store, blob, to->blobs, &to->no_reflinks, err);
	(void)pthread_mutex_unlock(&from->mutex);
	return r;
}

int place_copy(struct place *from, struct place *to, const struct varve_descriptor *blob,
	       struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (place_has(to, blob))
		return 0;
	if (from->store && !to->store)
		return hand_on(from, to, blob, err);
	fd = place_open(from, blob, err);
	if (fd < 0)
		return fd;
	r = copy_file(to, fd, blob, &t, err);
	return r < 0 ? r : land(to, &t, &blob->digest, err);
}

/* Of a file that may change or be a pipe: what was written is what was hashed. */
static int copy_stream(int from, int to, struct varve_descriptor *ret)
{
	CLEANUP(hasher_freep) struct hasher *hasher = hasher_new();
	CLEANUP(free_ptr) char *data = xmalloc(READ_SIZE);
	uint64_t size = 0;
	ssize_t n;

	while ((n = fd_read_full(from, data, READ_SIZE)) > 0) {
		int r = fd_write_all(to, data, (size_t)n);

		if (r < 0)
			return r;
		hasher_update(hasher, data, (size_t)n);
		size += (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	hasher_final(hasher, &ret->digest);
	ret->size = size;
	return 0;
}

int place_copy_file(int fd, struct place *to, struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	struct varve_descriptor blob = *ret;
	int r = tempfile_begin(to->store ? to->partials : to->blobs, 0644, &t, err);

	if (r < 0)
		return r;
	r = copy_stream(fd, t.fd, &blob);
	if (r < 0)
		return varve_error_set(err, r, "copy the file");
	r = land(to, &t, &blob.digest, err);
	if (r == 0)
		*ret = blob;
	return r;
}

/* --- what an image is made of --------------------------------------------------------------------
 */

int place_get_manifest(void *cookie, const struct varve_descriptor *descriptor,
		       struct manifest *ret, struct varve_error *err)
{
	const struct place *place = cookie;
	struct buf bytes = BUF_INIT;
	char text[VARVE_DIGEST_TEXT];
	int r = place_read(place, descriptor, MANIFEST_LIMIT, &bytes, err);

	if (r == -VARVE_E_NOT_FOUND)
		varve_error_hint(err, "an index goes only with all that it names");
	if (r < 0)
		return r;
	r = manifest_parse(&bytes, descriptor->media_type, ret, err);
	if (r < 0)
		varve_error_prefix(err, "%s", varve_digest_text(&descriptor->digest, text));
	return r;
}

int place_copy_graph(struct place *from, struct place *to, const struct varve_descriptor *root,
		     struct varve_error *err)
{
	CLEANUP(graph_release) struct graph graph = {0};
	int r = graph_walk(root, place_get_manifest, from, &graph, err);

	for (size_t i = 0; i < graph.blob_count && r == 0; i++)
		r = place_copy(from, to, &graph.blobs[i], err);
	if (r == 0 && !to->store)
		r = image_place_sync(to->blobs, err);
	for (size_t i = 0; i < graph.manifest_count && r == 0; i++)
		r = place_put(to, &graph.manifests[i].bytes, &graph.manifests[i].self.digest, err);
	return r;
}
