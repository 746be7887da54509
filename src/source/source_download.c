/* SPDX-License-Identifier: Apache-2.0
 * Downloads into the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"
#include "net/http.h"
#include "net/http_url.h"
#include "source/settling.h"
#include "source/source_kind.h"
#include "store/store.h"

/* Files that are open at once: well below the limit of descriptors that processes start with. */
enum { LANDING_FILES = 256 };
/* Connections to one host. */
enum { LANDING_CONNECTIONS = 8 };

/* The files of a set of downloads, on their way. */
struct landing {
	struct source_context *context;
	struct http_transfer *transfers;
	struct source_download **downloads; /* what each transfer is for */
	char (*names)[96]; /* in uploads/ */
	size_t count, ended;
	struct settling settling; /* files that are whole, on their way to be blobs */
	int uploads;
	const char *what;
	uint64_t before, total; /* bytes of the sets before, and of all sets */
	struct varve_error *err;
};

static void landing_release(struct landing *l)
{
	size_t i;

	settling_release(&l->settling);
	for (i = 0; i < l->count; i++)
		fd_close(&l->transfers[i].fd);
	free(l->transfers);
	free(l->downloads);
	free(l->names);
	fd_close(&l->uploads);
}

int source_need_http(struct source_context *context, const char *url, struct varve_error *err)
{
	CLEANUP(free_ptr) char *shown = http_url_display(url);
	struct http_options options = {0};

	if (context->offline)
		return varve_error_set(err, -VARVE_E_LOCK,
				       "%s is not in the store, and --offline forbids to fetch it",
				       shown);
	/* What is fetched together mostly lies on one host. */
	options.per_host = LANDING_CONNECTIONS;
	return context->http ? 0 : http_new(&options, &context->http, err);
}

/* A process that died between making the file read-only, as blobs are, and renaming it. What cannot
 * be written cannot be held alone everywhere (lock_file.h): a shared lock tells whether somebody
 * lives, then the file becomes one of those that can. */
static void drop_read_only(const struct landing *l, const char *name)
{
	CLEANUP(fd_close)
	int fd = openat(l->uploads, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_SH) < 0 || !lock_file_is_named(l->uploads, name, fd) ||
	    fchmod(fd, 0644) < 0)
		return;
	fd_close(&fd);
	fd = openat(l->uploads, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0 && lock_file_is_named(l->uploads, name, fd))
		(void)unlinkat(l->uploads, name, 0);
}

/* Another process that fetches the same is waited for. What it finished was renamed to be a blob
 * and must not be written to: 0, or 1 when there is nothing left to do. */
static int open_locked(const struct landing *l, const struct source_download *d, const char *name,
		       int *ret)
{
	bool dropped = false;

	for (;;) {
		CLEANUP(fd_close)
		int fd = openat(l->uploads, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0 && errno == EACCES && !dropped) {
			drop_read_only(l, name);
			dropped = true;
			continue;
		}
		if (fd < 0 || flock(fd, LOCK_EX) < 0)
			return -errno;
		if (d->want && varve_store_has_blob(l->context->store, d->want, NULL)) {
			if (lock_file_is_named(l->uploads, name, fd))
				(void)unlinkat(l->uploads, name, 0);
			return 1;
		}
		if (lock_file_is_named(l->uploads, name, fd)) {
			*ret = steal_fd(&fd);
			return 0;
		}
	}
}

static int name_landing(const struct source_download *d, size_t i, size_t size, char *ret)
{
	char hex[VARVE_DIGEST_HEX];

	return d->want ? snprintf(ret, size, "fetch-%s", varve_digest_hex(d->want, hex))
		       : snprintf(ret, size, "fetch-%d-%zu", (int)getpid(), i);
}

/* Opens uploads/fetch-HEX for one more transfer, which goes on where an earlier one stopped. */
static int open_landing(struct landing *l, struct source_download *d)
{
	struct http_transfer *t = &l->transfers[l->count];
	struct stat st;
	int r;

	(void)name_landing(d, l->count, sizeof(*l->names), l->names[l->count]);
	*t = (struct http_transfer){
		.url = d->url, .size = d->size, .limit = d->limit, .want = d->want, .fd = -1};
	r = open_locked(l, d, l->names[l->count], &t->fd);
	if (r == 1) {
		d->got = *d->want;
		d->got_size = d->size;
	}
	if (r != 0)
		return r;
	l->downloads[l->count++] = d;
	if ((!d->want && ftruncate(t->fd, 0) < 0) || fstat(t->fd, &st) < 0)
		return -errno;
	t->resume_from = (uint64_t)st.st_size;
	if (d->size > 0 && t->resume_from > d->size && ftruncate(t->fd, 0) == 0)
		t->resume_from = 0;
	return 0;
}

/* Bytewise by digest: what is without one is nobody else's. */
static int by_digest(const void *a, const void *b)
{
	const struct source_download *x = *(struct source_download *const *)a;
	const struct source_download *y = *(struct source_download *const *)b;

	if (!x->want || !y->want)
		return (x->want != NULL) - (y->want != NULL);
	return memcmp(x->want->bytes, y->want->bytes, sizeof(x->want->bytes));
}

static bool is_twice(const struct source_download *a, const struct source_download *b)
{
	return a->want && b->want && varve_digest_equal(a->want, b->want);
}

/* Every process takes the locks in the same order, so that two never wait for each other; nor does
 * one for itself. */
static int prepare(struct landing *l, struct source_download *const *sorted, size_t count,
		   struct varve_error *err)
{
	size_t i;
	int r;

	r = store_open_dir(l->context->store, "uploads", &l->uploads, err);
	for (i = 0; i < count && r == 0; i++) {
		if (i > 0 && is_twice(sorted[i - 1], sorted[i])) {
			sorted[i]->got = *sorted[i]->want;
			sorted[i]->got_size = sorted[i]->size;
			continue;
		}
		r = open_landing(l, sorted[i]);
		if (r < 0)
			return varve_error_set(err, r, "make uploads/%s", l->names[l->count]);
		r = 0;
	}
	return r;
}

/* What is whole becomes a blob, whatever becomes of the others. */
static void keep(struct landing *l, size_t i)
{
	struct source_download *d = l->downloads[i];

	d->got = l->transfers[i].got;
	d->got_size = l->transfers[i].got_size;
	settling_add(&l->settling, &(struct store_adoption){.fd = l->transfers[i].fd,
							    .dirfd = l->uploads,
							    .name = l->names[i],
							    .digest = &d->got});
}

static void on_progress(void *cookie, const struct http_transfer *ended, uint64_t bytes)
{
	struct landing *l = cookie;

	if (ended && ended->result == 0)
		keep(l, (size_t)(ended - l->transfers));
	if (!ended)
		settling_hurry(&l->settling);
	/* Ends come in bursts; the last one is told of, as the end of all. */
	if (ended && ++l->ended < l->count)
		return;
	if (l->context->progress)
		l->context->progress(l->context->cookie, l->what, l->before + bytes, l->total);
}

/* Wrong bytes are no start for the next try, nor are none. The file may be a blob by now, and the
 * name another process's. */
static void drop_useless(const struct landing *l)
{
	struct stat st;
	size_t i;

	for (i = 0; i < l->count; i++) {
		bool wrong = l->transfers[i].result == -VARVE_E_DIGEST ||
			     l->transfers[i].result == -VARVE_E_LIMIT || !l->downloads[i]->want;

		if ((wrong || (fstat(l->transfers[i].fd, &st) == 0 && st.st_size == 0)) &&
		    lock_file_is_named(l->uploads, l->names[i], l->transfers[i].fd))
			(void)unlinkat(l->uploads, l->names[i], 0);
	}
}

/* set: what is the same for all sets. */
static int download_set(const struct landing *set, struct source_download *const *sorted,
			size_t count)
{
	CLEANUP(landing_release) struct landing l = *set;
	int r, kept;

	l.transfers = xcalloc(count + 1, sizeof(*l.transfers));
	l.downloads = xcalloc(count + 1, sizeof(struct source_download *));
	l.names = xcalloc(count + 1, sizeof(*l.names));
	settling_init(&l.settling, l.context->store, count);
	r = prepare(&l, sorted, count, l.err);
	if (r == 0 && l.count > 0) {
		r = http_fetch(l.context->http, l.transfers, l.count, on_progress, &l, l.err);
		kept = settling_end(&l.settling, r < 0 ? NULL : l.err);
		drop_useless(&l);
		r = r < 0 ? r : kept;
	}
	return r;
}

int source_download(struct source_context *context, struct source_download *downloads, size_t count,
		    const char *what, struct varve_error *err)
{
	CLEANUP(free_ptr) struct source_download **sorted = xcalloc(count + 1, sizeof(void *));
	struct landing set = {.context = context, .uploads = -1, .what = what, .err = err};
	size_t i;
	int r;

	if (count == 0)
		return 0;
	for (i = 0; i < count; i++) {
		sorted[i] = &downloads[i];
		set.total += downloads[i].size;
	}
	qsort(sorted, count, sizeof(void *), by_digest);
	r = source_need_http(context, downloads[0].url, err);
	for (i = 0; i < count && r == 0; i += LANDING_FILES) {
		size_t end = count - i < LANDING_FILES ? count : i + LANDING_FILES, k;

		r = download_set(&set, sorted + i, end - i);
		for (k = i; k < end; k++)
			set.before += sorted[k]->size;
	}
	return r;
}

int source_download_text(struct source_context *context, const char *url, uint64_t limit,
			 struct buf *ret, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = memfd_create("download", MFD_CLOEXEC);
	struct http_transfer transfer = {.url = url, .fd = fd, .limit = limit};
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "make a buffer");
	r = source_need_http(context, url, err);
	if (r == 0)
		r = http_fetch(context->http, &transfer, 1, NULL, NULL, err);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "read what was downloaded");
	r = fd_read_all(fd, limit, ret);
	return r < 0 ? varve_error_set(err, r, "read what was downloaded") : 0;
}
