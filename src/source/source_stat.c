/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <varve/store.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/store.h"

enum { TRIES = 3, MAGIC_SIZE = 16, HEADER_SIZE = VARVE_DIGEST_SIZE + MAGIC_SIZE };

static const char magic[MAGIC_SIZE] = "varve-stat-1";
static const int64_t racy_ns = 2000000000;

struct record {
	uint64_t dev, ino, size;
	int64_t mtime, ctime; /* nanoseconds */
	struct varve_digest digest;
};

struct source_stat {
	struct varve_store *store;
	char name[8 + VARVE_DIGEST_HEX]; /* of the fact */
	int64_t opened; /* nanoseconds */
	struct record *old; /* as read, sorted */
	size_t old_count;
	struct record *seen; /* in this run; sorted when saved */
	size_t seen_count, seen_alloc;
};

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct record record_of(const struct stat *st)
{
	return (struct record){.dev = st->st_dev,
			       .ino = st->st_ino,
			       .size = (uint64_t)st->st_size,
			       .mtime = nanoseconds(st->st_mtim),
			       .ctime = nanoseconds(st->st_ctim)};
}

static bool is_same(const struct record *a, const struct record *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime &&
	       a->ctime == b->ctime;
}

bool source_stat_same(const struct stat *a, const struct stat *b)
{
	struct record one = record_of(a), other = record_of(b);

	return is_same(&one, &other);
}

/* --- the fact ------------------------------------------------------------------------------------
 */

static int by_inode(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

static void read_fact(struct source_stat *cache)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_digest digest;
	size_t size;

	if (store_fact_read(cache->store, cache->name, &text) < 0 || text.len < HEADER_SIZE)
		return;
	digest_bytes(text.data + VARVE_DIGEST_SIZE, text.len - VARVE_DIGEST_SIZE, &digest);
	size = text.len - HEADER_SIZE;
	/* Facts are written without fsync: after a power failure they may hold anything. */
	if (memcmp(digest.bytes, text.data, VARVE_DIGEST_SIZE) != 0 ||
	    memcmp(text.data + VARVE_DIGEST_SIZE, magic, MAGIC_SIZE) != 0 ||
	    size % sizeof(*cache->old) != 0)
		return;
	cache->old_count = size / sizeof(*cache->old);
	cache->old = xmalloc(size);
	memcpy(cache->old, text.data + HEADER_SIZE, size);
}

struct source_stat *source_stat_open(struct varve_store *store, const char *path, const char *rules)
{
	struct source_stat *cache = xcalloc(1, sizeof(*cache));
	CLEANUP(free_ptr) char *key = xasprintf("%s\n%s", path, rules);
	char hex[VARVE_DIGEST_HEX];
	struct varve_digest digest;
	struct timespec now;

	_Static_assert(sizeof(struct record) == 72, "records are written as they lie in memory");
	digest_bytes(key, strlen(key), &digest);
	snprintf(cache->name, sizeof(cache->name), "stat-%s", varve_digest_hex(&digest, hex));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	cache->opened = nanoseconds(now);
	cache->store = store;
	read_fact(cache);
	return cache;
}

void source_stat_free(struct source_stat *cache)
{
	if (!cache)
		return;
	free(cache->old);
	free(cache->seen);
	free(cache);
}

void source_stat_freep(struct source_stat **cache)
{
	source_stat_free(*cache);
	*cache = NULL;
}

/* Further names of an inode are the same record. */
static void sort_seen(struct source_stat *cache)
{
	size_t kept = 0;

	if (cache->seen_count)
		qsort(cache->seen, cache->seen_count, sizeof(*cache->seen), by_inode);
	for (size_t i = 0; i < cache->seen_count; i++)
		if (!kept || by_inode(&cache->seen[kept - 1], &cache->seen[i]) != 0)
			cache->seen[kept++] = cache->seen[i];
	cache->seen_count = kept;
}

void source_stat_save(struct source_stat *cache)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_digest digest;
	size_t size;
	int r;

	sort_seen(cache);
	size = cache->seen_count * sizeof(*cache->seen);
	if (cache->seen_count == cache->old_count &&
	    (!size || memcmp(cache->seen, cache->old, size) == 0))
		return;
	buf_reserve(&text, HEADER_SIZE + size);
	buf_add(&text, digest.bytes, VARVE_DIGEST_SIZE);
	buf_add(&text, magic, MAGIC_SIZE);
	buf_add(&text, cache->seen, size);
	digest_bytes(text.data + VARVE_DIGEST_SIZE, text.len - VARVE_DIGEST_SIZE, &digest);
	memcpy(text.data, digest.bytes, VARVE_DIGEST_SIZE);
	r = store_fact_write(cache->store, cache->name, text.data, text.len);
	if (r < 0)
		log_debug("facts/%s is not written: %s", cache->name, strerror(-r));
}

/* --- files ---------------------------------------------------------------------------------------
 */

int source_stat_changed(const char *path, struct varve_error *err)
{
	/* Not with -ESTALE at once: what strerror says of it is about NFS. */
	(void)varve_error_set(err, -VARVE_E_CHECK,
			      "%s changed while it was being read; run the build again", path);
	if (err)
		err->code = -ESTALE;
	return -ESTALE;
}

static void remember(struct source_stat *cache, const struct record *record)
{
	int64_t newest = record->mtime > record->ctime ? record->mtime : record->ctime;

	if (newest > cache->opened - racy_ns)
		return;
	cache->seen =
		array_grow(cache->seen, cache->seen_count, &cache->seen_alloc, sizeof(*record));
	cache->seen[cache->seen_count++] = *record;
}

bool source_stat_find(const struct source_stat *cache, const struct stat *st,
		      struct varve_digest *ret)
{
	struct record want = record_of(st), *found = NULL;

	if (cache->old_count)
		found = bsearch(&want, cache->old, cache->old_count, sizeof(want), by_inode);
	if (!found || !is_same(found, &want))
		return false;
	*ret = found->digest;
	return true;
}

/* 1: it changed meanwhile. */
static int hash_file(int fd, struct record *ret)
{
	struct stat before, after;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0 || fstat(fd, &before) < 0)
		return -errno;
	*ret = record_of(&before);
	r = digest_fd(fd, &ret->digest, NULL);
	if (r < 0)
		return r;
	if (fstat(fd, &after) < 0)
		return -errno;
	return source_stat_same(&before, &after) ? 0 : 1;
}

static int read_file(struct source_stat *cache, int dirfd, const char *name,
		     struct varve_digest *ret)
{
	/* Without waiting, should it have become a fifo since. */
	CLEANUP(fd_close)
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct record record = {.dev = 0};
	int r = 1;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? -ESTALE : -errno;
	for (int i = 0; r == 1 && i < TRIES; i++)
		r = hash_file(fd, &record);
	if (r != 0)
		return r == 1 ? -ESTALE : r;
	remember(cache, &record);
	*ret = record.digest;
	return 0;
}

int source_stat_digest(struct source_stat *cache, int dirfd, const char *name,
		       const struct stat *st, struct varve_digest *ret)
{
	struct record record = record_of(st);

	if (!source_stat_find(cache, st, &record.digest))
		return read_file(cache, dirfd, name, ret);
	remember(cache, &record);
	*ret = record.digest;
	return 0;
}
