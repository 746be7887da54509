/* SPDX-License-Identifier: Apache-2.0
 * Blobs that are handed on as files, unread: linked or reflinked. To hash a gigabyte for that would
 * be all that it costs, so what a file looked like when it was hashed last is a fact:
 *
 *	facts/whole/HEX = dev " " ino " " size " " mtime-ns "\n"	(store_blob_look)
 *
 * Who takes such a fact for more than it is loses nothing: whoever reads a blob's bytes verifies
 * them. */
#include "store/store_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { NAME = 8 + VARVE_DIGEST_HEX };
#define NANOSECONDS INT64_C(1000000000)

static const char *fact_name(const struct varve_digest *digest, char buffer[NAME])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(buffer, NAME, "whole/%s", varve_digest_hex(digest, hex));
	return buffer;
}

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * NANOSECONDS + st->st_mtim.tv_nsec;
}

void store_blob_look(const struct stat *st, char text[STORE_BLOB_LOOK])
{
	(void)snprintf(text, STORE_BLOB_LOOK, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n",
		       (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
		       mtime_of(st));
}

static bool is_known(struct varve_store *store, const struct varve_digest *digest,
		     const struct stat *st)
{
	CLEANUP(buf_release) struct buf fact = BUF_INIT;
	char name[NAME], text[STORE_BLOB_LOOK];

	store_blob_look(st, text);
	return store_fact_read(store, fact_name(digest, name), &fact) == 0 &&
	       str_equal(buf_text(&fact), text);
}

/* A file written to within the clock's granularity of being hashed would look the same. */
static void remember(struct varve_store *store, const struct varve_digest *digest,
		     const struct stat *st, const struct timespec *before)
{
	const int64_t racy = 2 * NANOSECONDS;
	char name[NAME], text[STORE_BLOB_LOOK];

	if (mtime_of(st) > (int64_t)before->tv_sec * NANOSECONDS + before->tv_nsec - racy)
		return;
	store_blob_look(st, text);
	(void)store_fact_write(store, fact_name(digest, name), text, strlen(text));
}

int store_blob_open_whole(struct varve_store *store, const struct varve_digest *digest, int *ret_fd,
			  struct varve_error *err)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(fd_close)
	int fd = openat(store->blobs_fd, varve_digest_hex(digest, hex),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const bool hashed_before = digest_set_has(&store->verified, digest);
	struct timespec now;
	struct stat st;
	int r;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_known(store, digest, &st)) {
		*ret_fd = steal_fd(&fd);
		return 0;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	fd_close(&fd);
	r = varve_store_open_blob(store, digest, &fd, err);
	if (r < 0)
		return r;
	if (!hashed_before && fstat(fd, &st) == 0)
		remember(store, digest, &st, &now);
	*ret_fd = steal_fd(&fd);
	return 0;
}
