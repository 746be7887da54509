/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash_beside.h"
#include "base/lock_file.h"
#include "base/log.h"
#include "registry/pull.h"

enum {
	READ_SIZE = 64 << 10,
	OPEN_TRIES = 100,
	FULL_LIMIT = 2, /* whole answers where a part was asked for */
	PROGRESS = 1 << 20, /* so much more is no failure in a row */
	FAILURES = 8,
	WAIT_MS = 250,
	WRITEBACK_EVERY = 8 << 20, /* so that fsync finds little to wait for */
};

/* A blob on its way. */
struct landing {
	struct registry *registry;
	const struct varve_descriptor *blob;
	_Atomic uint64_t *done;
	int fd; /* partials/NAME, locked */
	char name[80];
	struct hash_beside *hasher;
	uint64_t offset; /* bytes that are written and hashed */
	uint64_t skip; /* bytes of this answer that we have already */
	unsigned whole_answers; /* to requests for a part */
	unsigned failures; /* in a row */
	uint64_t best; /* offset at the last failure */
	int64_t moved_at; /* ms: the last byte came then, or the first request began */
	int64_t failing_since; /* ms: nothing has come since then */
	bool synced; /* will be, at the end */
	bool pieced; /* the file holds bytes of an earlier process */
	struct varve_error error; /* why we broke off */
};

static void landing_release(struct landing *l)
{
	hash_beside_freep(&l->hasher);
	fd_close(&l->fd);
}

/* --- the partial file ----------------------------------------------------------------------------
 */

/* Waits for another process that fetches the same. 1: it has brought it. */
static int open_partial(struct landing *l, const struct place *into)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		CLEANUP(fd_close)
		int fd = openat(into->partials, l->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				0644);

		if (fd < 0 && errno == EACCES) {
			/* Of a process that died just before the rename. */
			(void)unlinkat(into->partials, l->name, 0);
			continue;
		}
		if (fd < 0 || flock(fd, LOCK_EX) < 0)
			return -errno;
		if (place_has(into, l->blob)) {
			if (lock_file_is_named(into->partials, l->name, fd))
				(void)unlinkat(into->partials, l->name, 0);
			return 1;
		}
		if (lock_file_is_named(into->partials, l->name, fd)) {
			l->fd = steal_fd(&fd);
			return 0;
		}
	}
	return -EBUSY;
}

static int restart(struct landing *l)
{
	struct varve_digest unused;

	hash_beside_final(l->hasher, &unused);
	l->offset = 0;
	l->pieced = false;
	return ftruncate(l->fd, 0) < 0 ? -errno : 0;
}

/* Hashes what an earlier process has left. */
static int take_over(struct landing *l)
{
	unsigned char data[READ_SIZE];
	struct stat st;
	ssize_t n;

	if (fstat(l->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > l->blob->size)
		return restart(l);
	while (l->offset < (uint64_t)st.st_size) {
		n = pread(l->fd, data, sizeof(data), (off_t)l->offset);
		if (n <= 0)
			return restart(l);
		hash_beside_update(l->hasher, data, (size_t)n);
		l->offset += (uint64_t)n;
	}
	l->pieced = l->offset > 0;
	l->best = l->offset;
	return 0;
}

/* --- answers -------------------------------------------------------------------------------------
 */

static int begin(void *cookie, long status, const struct strv *headers)
{
	struct landing *l = cookie;
	const char *range = http_header(headers, "Content-Range");
	const char *length = http_header(headers, "Content-Length");
	unsigned long long value;

	l->skip = 0;
	if (status == 206) {
		if (range && strncasecmp(range, "bytes ", 6) == 0 &&
		    strtoull(range + 6, NULL, 10) == l->offset)
			return 0;
		return varve_error_set(&l->error, -EAGAIN,
				       "the registry sends another part than was asked for");
	}
	/* What lies behind the registry ignores ranges: the beginning is read once more, but not
	 * for ever. */
	l->skip = l->offset;
	if (l->offset > 0 && ++l->whole_answers > FULL_LIMIT)
		return varve_error_set(&l->error, -VARVE_E_NETWORK,
				       "the connection breaks again and again, and the registry "
				       "cannot send a part alone");
	if (length && str_to_u64(length, UINT64_MAX, &value) && value != l->blob->size)
		return varve_error_set(&l->error, -VARVE_E_DIGEST,
				       "the registry has %llu bytes, the manifest says %" PRIu64,
				       value, l->blob->size);
	return 0;
}

static int take(void *cookie, const void *data, size_t len)
{
	struct landing *l = cookie;
	const char *bytes = data;
	uint64_t before = l->offset / WRITEBACK_EVERY;
	size_t skip = l->skip < len ? (size_t)l->skip : len;
	int r;

	l->skip -= skip;
	bytes += skip;
	len -= skip;
	if (l->offset + len > l->blob->size)
		return varve_error_set(&l->error, -VARVE_E_DIGEST,
				       "the registry sends more than the %" PRIu64
				       " bytes of the manifest",
				       l->blob->size);
	if (lseek(l->fd, (off_t)l->offset, SEEK_SET) < 0)
		return varve_error_set(&l->error, -errno, "write the download");
	r = fd_write_all(l->fd, bytes, len);
	if (r < 0)
		return varve_error_set(&l->error, r, "write the download");
	hash_beside_update(l->hasher, bytes, len);
	l->offset += len;
	l->moved_at = clock_ms();
	if (l->synced && l->offset / WRITEBACK_EVERY != before)
		(void)sync_file_range(l->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	atomic_store(l->done, l->offset);
	return 0;
}

static int64_t deadline(const struct landing *l)
{
	return l->failing_since + (int64_t)registry_stall_seconds(l->registry) * 1000;
}

static int request(struct landing *l, struct http_client *client, struct http_answer *answer,
		   struct varve_error *err)
{
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(free_ptr) char *path = NULL;
	char digest[VARVE_DIGEST_TEXT];
	struct registry_call call = {.method = "GET",
				     .headers = &headers,
				     .begin = begin,
				     .take = take,
				     .cookie = l,
				     .once = true};

	path = xasprintf("blobs/%s", varve_digest_text(&l->blob->digest, digest));
	call.path = path;
	if (l->moved_at == 0)
		l->moved_at = clock_ms();
	if (l->failures > 0)
		call.deadline = deadline(l);
	if (l->offset > 0)
		strv_addf(&headers, "Range: bytes=%" PRIu64 "-", l->offset);
	l->error = (struct varve_error){0};
	return registry_call(l->registry, client, &call, answer, err);
}

static bool is_transient(long status)
{
	return status == 408 || status == 425 || status == 429 || status == 499 ||
	       status / 100 == 5;
}

/* Waits; false when it has failed too often without getting further. */
static bool again(struct landing *l, int64_t retry_after)
{
	int64_t now = clock_ms();
	unsigned wait;

	if (l->offset >= l->best + PROGRESS || l->failures == 0) {
		l->failures = 0;
		l->failing_since = l->moved_at;
	}
	l->best = l->offset > l->best ? l->offset : l->best;
	if (++l->failures > FAILURES ||
	    now - l->failing_since >= (int64_t)registry_stall_seconds(l->registry) * 1000)
		return false;
	wait = WAIT_MS << (l->failures < 5 ? l->failures - 1 : 4);
	if (retry_after > 0)
		wait = (unsigned)retry_after * 1000;
	registry_wait(l->registry, wait);
	return !registry_stopped(l->registry);
}

/* 1: another request; 0: all bytes are there; negative: failed. */
static int judge(struct landing *l, const struct http_answer *answer, int code,
		 struct varve_error *err)
{
	if (l->error.code < 0 && l->error.code != -EAGAIN) {
		*err = l->error;
		return l->error.code;
	}
	if (code < 0 && !answer->broken && l->error.code != -EAGAIN)
		return code;
	if (code == 0 && answer->status == 416)
		return restart(l) < 0 ? -EIO : 1;
	if (code == 0 && !is_transient(answer->status) && answer->status / 100 != 2)
		return registry_complain(l->registry, answer, err, "get blob");
	if (code == 0 && answer->status / 100 == 2 && l->offset == l->blob->size)
		return 0;
	if (l->error.code == -EAGAIN)
		*err = l->error;
	else if (code == 0 && answer->status / 100 == 2)
		varve_error_set(err, -VARVE_E_NETWORK,
				"the registry ends after %" PRIu64 " of %" PRIu64 " bytes",
				l->offset, l->blob->size);
	else if (code == 0)
		registry_complain(l->registry, answer, err, "get blob");
	if (again(l, answer->retry_after))
		return 1;
	return err->code == -EAGAIN ? -VARVE_E_NETWORK : err->code;
}

/* 1: once more from the start, since the part from before was perhaps the wrong one. */
static int check(struct landing *l, struct varve_error *err)
{
	char want[VARVE_DIGEST_TEXT], have[VARVE_DIGEST_TEXT];
	struct varve_digest actual;
	bool pieced = l->pieced;

	hash_beside_final(l->hasher, &actual);
	if (varve_digest_equal(&actual, &l->blob->digest))
		return 0;
	if (restart(l) == 0 && pieced)
		return 1;
	return varve_error_set(err, -VARVE_E_DIGEST,
			       "%" PRIu64 " bytes came, but they are %s, wanted was %s",
			       l->blob->size, varve_digest_text(&actual, have),
			       varve_digest_text(&l->blob->digest, want));
}

static int fetch(struct landing *l, struct http_client *client, struct varve_error *err)
{
	int r = 1;

	while (r == 1) {
		CLEANUP(http_answer_release) struct http_answer answer = {0};

		if (l->offset < l->blob->size || l->blob->size == 0) {
			r = request(l, client, &answer, err);
			r = judge(l, &answer, r, err);
		} else {
			r = 0;
		}
		if (r == 0)
			r = check(l, err);
	}
	return r;
}

int pull_blob(struct registry *registry, struct http_client *client, struct place *into,
	      const struct varve_descriptor *blob, _Atomic uint64_t *done, struct varve_error *err)
{
	CLEANUP(landing_release)
	struct landing l = {
		.registry = registry, .blob = blob, .done = done, .fd = -1, .synced = into->store};
	char digest[VARVE_DIGEST_TEXT], hex[VARVE_DIGEST_HEX];
	int r;

	(void)snprintf(l.name, sizeof(l.name), "%sfetch-%s", into->store ? "" : ".varve-",
		       varve_digest_hex(&blob->digest, hex));
	r = open_partial(&l, into);
	l.hasher = hash_beside_new(blob->size, HASH_BESIDE_LARGE);
	hash_beside_file(l.hasher, l.fd);
	if (r == 0)
		r = take_over(&l);
	if (r < 0)
		return varve_error_set(err, r, "open the partial download of %s",
				       varve_digest_text(&blob->digest, digest));
	if (r == 0)
		r = fetch(&l, client, err);
	if (r == 0)
		r = place_land(into, l.fd, l.name, &blob->digest, err);
	if (r >= 0)
		atomic_store(done, blob->size);
	else if (err && !str_starts(err->text, registry_name(registry)))
		varve_error_prefix(err, "%s: blob %s", registry_name(registry),
				   varve_digest_text(&blob->digest, digest));
	return r < 0 ? r : 0;
}
