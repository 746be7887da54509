/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/fd_sync_all.h"

/* Writing back is started this often, so that the fsync at the end finds little left to wait for.
 */
enum { WRITEBACK_EVERY = 8 << 20 };

bool varve_store_has_blob(const struct varve_store *store, const struct varve_digest *digest,
			  uint64_t *ret_size)
{
	char hex[VARVE_DIGEST_HEX];
	struct stat st;

	if (fstatat(store->blobs_fd, varve_digest_hex(digest, hex), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	return true;
}

int store_blobs_fd(const struct varve_store *store)
{
	return store->blobs_fd;
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* A damaged blob would be taken for present for ever; without it the next build makes it again.
 * Only the very file that was read is removed, not one that came in its place. */
static void drop_damaged(const struct varve_store *store, int fd, const char *hex)
{
	struct stat ours, there;

	if (fstat(fd, &ours) == 0 &&
	    fstatat(store->blobs_fd, hex, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		(void)unlinkat(store->blobs_fd, hex, 0);
}

static int verify(struct varve_store *store, int fd, const struct varve_digest *digest,
		  struct varve_error *err)
{
	char want[VARVE_DIGEST_HEX], have[VARVE_DIGEST_HEX];
	struct varve_digest actual;
	int r;

	if (digest_set_has(&store->verified, digest))
		return 0;
	varve_digest_hex(digest, want);
	r = digest_fd(fd, &actual, NULL);
	if (r < 0)
		return varve_error_set(err, r, "read blob sha256:%s of %s", want, store->path);
	if (!varve_digest_equal(&actual, digest)) {
		drop_damaged(store, fd, want);
		return varve_error_set(
			err, -VARVE_E_DIGEST,
			"blob sha256:%s in %s is damaged: its bytes are sha256:%s; it "
			"was removed, run the command again to get it back",
			want, store->path, varve_digest_hex(&actual, have));
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "seek in blob sha256:%s", want);
	digest_set_add(&store->verified, digest);
	return 0;
}

int varve_store_open_blob(struct varve_store *store, const struct varve_digest *digest, int *ret_fd,
			  struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(fd_close) int fd = -1;
	int r;

	varve_digest_hex(digest, hex);
	fd = openat(store->blobs_fd, hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return varve_error_set(err, -VARVE_E_NOT_FOUND,
				       "the store %s has no blob sha256:%s", store->path, hex);
	if (fd < 0)
		return varve_error_set(err, -errno, "open blob sha256:%s of %s", hex, store->path);
	r = verify(store, fd, digest, err);
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int store_blob_read(struct varve_store *store, const struct varve_digest *digest, size_t limit,
		    struct buf *ret, struct varve_error *err)
{
	char text[VARVE_DIGEST_TEXT];
	CLEANUP(fd_close) int fd = -1;
	uint64_t size;
	int r;

	varve_digest_text(digest, text);
	if (varve_store_has_blob(store, digest, &size) && size > limit)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "blob %s has %" PRIu64 " bytes, more than %zu", text, size,
				       limit);
	r = varve_store_open_blob(store, digest, &fd, err);
	if (r < 0)
		return r;
	r = fd_read_all(fd, limit, ret);
	if (r < 0)
		return varve_error_set(err, r, "read blob %s of %s", text, store->path);
	return 0;
}

static int copy_blob(int from, int dirfd, const char *name)
{
	CLEANUP(fd_close)
	int to = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	struct stat st;
	int r;

	if (to < 0 || fstat(from, &st) < 0)
		return -errno;
	r = fd_copy(from, to, (uint64_t)st.st_size);
	if (r < 0)
		(void)unlinkat(dirfd, name, 0);
	return r;
}

int store_blob_link(struct varve_store *store, const struct varve_digest *digest, int dirfd,
		    const char *name, struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(fd_close) int fd = -1;
	int r;

	r = varve_store_open_blob(store, digest, &fd, err);
	if (r < 0)
		return r;
	if (linkat(store->blobs_fd, varve_digest_hex(digest, hex), dirfd, name, 0) == 0)
		return 0;
	/* Another file system, too many links, fs.protected_hardlinks: a copy does as well. */
	r = errno == EEXIST ? -EEXIST : copy_blob(fd, dirfd, name);
	if (r < 0)
		varve_error_set(err, r, "link blob sha256:%s to %.200s", hex, name);
	return store_failed(store, r, name, err);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static int write_bytes(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct store_blob_writer *w = (struct store_blob_writer *)sink;
	uint64_t before = w->written / WRITEBACK_EVERY;
	int r;

	r = fd_write_all(w->file.fd, data, len);
	if (r < 0) {
		varve_error_set(err, r, "write a blob in %s", w->store->path);
		return store_failed(w->store, r, "a blob", err);
	}
	if (!w->is_hashed)
		hasher_update(w->hasher, data, len);
	w->written += len;
	if (w->written / WRITEBACK_EVERY != before)
		(void)sync_file_range(w->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int close_nothing(struct sink *sink, struct varve_error *err)
{
	(void)sink;
	(void)err;
	return 0;
}

static int leave_room(struct sink *sink, uint64_t len, int *ret_fd, struct varve_error *err)
{
	struct store_blob_writer *w = (struct store_blob_writer *)sink;

	if (!w->is_hashed)
		return varve_error_set(err, -EOPNOTSUPP, "a blob that is hashed as it comes");
	if (lseek(w->file.fd, (off_t)len, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "seek in a blob");
	w->written = len;
	*ret_fd = w->file.fd;
	return 0;
}

static const struct sink_ops blob_ops = {write_bytes, close_nothing, leave_room};

int store_blob_begin(struct varve_store *store, struct store_blob_writer *ret,
		     struct varve_error *err)
{
	struct tempfile file = TEMPFILE_INIT;
	int r = store_temp_begin(store, 0444, &file, err);

	if (r < 0)
		return store_failed(store, r, "a blob", err);
	*ret = (struct store_blob_writer){.sink = {.ops = &blob_ops}, .store = store, .file = file};
	ret->hasher = hasher_new();
	return 0;
}

/* Moves the file to its name. A blob of this size that is there already stays, and ours costs no
 * fsync; one of another size can only be damaged and is replaced. */
static int settle(struct store_blob_writer *w, const struct varve_digest *digest,
		  struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	uint64_t size = 0;
	bool there = varve_store_has_blob(w->store, digest, &size);
	int r;

	if (there && size == w->written) {
		tempfile_abort(&w->file);
		return 0;
	}
	r = store_temp_commit(&w->file, w->store->blobs_fd, varve_digest_hex(digest, hex), there,
			      true, err);
	if (r < 0)
		return store_failed(w->store, r, "a blob", err);
	digest_set_add(&w->store->verified, digest);
	return 0;
}

int store_blob_commit(struct store_blob_writer *w, const struct varve_digest *want,
		      struct varve_digest *ret_digest, struct varve_error *err)
{
	char a[VARVE_DIGEST_TEXT], b[VARVE_DIGEST_TEXT];
	struct varve_digest digest;
	int r;

	if (w->sink.error < 0) {
		if (err)
			*err = w->sink.text;
		return w->sink.error;
	}
	hasher_final(w->hasher, &digest);
	if (w->is_hashed && want)
		digest = *want;
	if (want && !varve_digest_equal(want, &digest))
		return varve_error_set(
			err, -VARVE_E_DIGEST, "expected %s, got %s (%" PRIu64 " bytes)",
			varve_digest_text(want, a), varve_digest_text(&digest, b), w->written);
	r = settle(w, &digest, err);
	if (r < 0)
		return r;
	store_blob_abort(w);
	if (ret_digest)
		*ret_digest = digest;
	return 0;
}

void store_blob_abort(struct store_blob_writer *w)
{
	if (!w->store)
		return;
	tempfile_abort(&w->file);
	hasher_freep(&w->hasher);
	w->store = NULL;
}

static int sync_adopted(const struct store_adoption *blobs, size_t count)
{
	CLEANUP(free_ptr) int *fds = xcalloc(count + 1, sizeof(*fds));

	for (size_t i = 0; i < count; i++) {
		fds[i] = blobs[i].fd;
		if (fchmod(fds[i], 0444) < 0)
			return -errno;
	}
	return fd_sync_all(fds, count);
}

static int move(struct varve_store *store, const struct store_adoption *one)
{
	char hex[VARVE_DIGEST_HEX];

	return renameat(one->dirfd, one->name, store->blobs_fd,
			varve_digest_hex(one->digest, hex)) < 0
		       ? -errno
		       : 0;
}

void store_blob_hurry(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int store_blobs_adopt(struct varve_store *store, const struct store_adoption *blobs, size_t count,
		      struct varve_error *err)
{
	const char *name = "files";
	size_t i;
	int r = sync_adopted(blobs, count), synced;

	for (i = 0; i < count && r == 0; i++) {
		name = blobs[i].name;
		r = move(store, &blobs[i]);
	}
	/* Also for those that were moved before one that cannot be. */
	synced = count > 0 ? fd_sync_dir(store->blobs_fd) : 0;
	if (r == 0)
		r = synced;
	if (r < 0) {
		(void)varve_error_set(err, r, "move %s to the blobs", name);
		return store_failed(store, r, "a blob", err);
	}
	for (i = 0; i < count; i++)
		digest_set_add(&store->verified, blobs[i].digest);
	return 0;
}

int store_blob_adopt(struct varve_store *store, int fd, int dirfd, const char *name,
		     const struct varve_digest *digest, struct varve_error *err)
{
	const struct store_adoption one = {fd, dirfd, name, digest};

	return store_blobs_adopt(store, &one, 1, err);
}

int store_blob_put(struct varve_store *store, const void *data, size_t len,
		   struct varve_digest *ret_digest, struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer w = {0};
	struct varve_digest digest;
	uint64_t size;
	int r;

	digest_bytes(data, len, &digest);
	if (varve_store_has_blob(store, &digest, &size) && size == len) {
		*ret_digest = digest;
		return 0;
	}
	r = store_blob_begin(store, &w, err);
	if (r < 0)
		return r;
	(void)sink_write(&w.sink, data, len);
	return store_blob_commit(&w, NULL, ret_digest, err);
}
