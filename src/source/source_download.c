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
#include "net/http.h"
#include "source/source_kind.h"
#include "store/store.h"

/* The files of a set of downloads, on their way. */
struct landing {
	struct source_context *context;
	struct source_download *downloads;
	struct http_transfer *transfers;
	char (*names)[96]; /* in uploads/ */
	size_t count;
	int uploads;
	const char *what;
	uint64_t total;
	int result; /* the first blob that could not be kept */
	struct varve_error *err;
};

static void landing_release(struct landing *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		fd_close(&l->transfers[i].fd);
	free(l->transfers);
	free(l->names);
	fd_close(&l->uploads);
}

static int need_http(struct source_context *context, const char *url, struct varve_error *err)
{
	if (context->offline)
		return varve_error_set(err, -VARVE_E_LOCK,
				       "%s is not in the store, and --offline forbids to fetch it", url);
	return context->http ? 0 : http_new(NULL, &context->http, err);
}

/* Opens uploads/fetch-HEX under a lock; another process that fetches the same is waited for. */
static int open_landing(struct landing *l, size_t i)
{
	const struct source_download *d = &l->downloads[i];
	char hex[VARVE_DIGEST_HEX];
	struct stat st;
	int fd;

	if (d->want)
		(void)snprintf(l->names[i], sizeof(l->names[i]), "fetch-%s", varve_digest_hex(d->want, hex));
	else
		(void)snprintf(l->names[i], sizeof(l->names[i]), "fetch-%d-%zu", (int)getpid(), i);
	fd = openat(l->uploads, l->names[i], O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	l->transfers[i].fd = fd;
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || (!d->want && ftruncate(fd, 0) < 0) || fstat(fd, &st) < 0)
		return -errno;
	l->transfers[i].resume_from = (uint64_t)st.st_size;
	if (d->size > 0 && l->transfers[i].resume_from >= d->size && ftruncate(fd, 0) == 0)
		l->transfers[i].resume_from = 0;
	return 0;
}

static int prepare(struct landing *l, struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < l->count; i++)
		l->transfers[i].fd = -1;
	r = store_open_dir(l->context->store, "uploads", &l->uploads, err);
	for (i = 0; i < l->count && r == 0; i++) {
		l->transfers[i].url = l->downloads[i].url;
		l->transfers[i].size = l->downloads[i].size;
		l->transfers[i].limit = l->downloads[i].limit;
		l->transfers[i].want = l->downloads[i].want;
		l->total += l->downloads[i].size;
		r = open_landing(l, i);
		if (r < 0)
			(void)varve_error_set(err, r, "make uploads/%s", l->names[i]);
	}
	return r;
}

/* A file that is whole becomes a blob at once: what comes later may fail. */
static void keep(struct landing *l, size_t i)
{
	struct source_download *d = &l->downloads[i];
	int r;

	d->got = l->transfers[i].got;
	d->got_size = l->transfers[i].got_size;
	r = store_blob_adopt(l->context->store, l->transfers[i].fd, l->uploads, l->names[i], &d->got,
			     l->result == 0 ? l->err : NULL);
	if (r < 0 && l->result == 0)
		l->result = r;
}

static void on_progress(void *cookie, const struct http_transfer *ended, uint64_t bytes)
{
	struct landing *l = cookie;

	if (ended && ended->result == 0)
		keep(l, (size_t)(ended - l->transfers));
	if (l->context->progress)
		l->context->progress(l->context->cookie, l->what, bytes, l->total);
}

/* Wrong bytes are no start for the next try. */
static void drop_wrong(struct landing *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (!l->downloads[i].want || l->transfers[i].result == -VARVE_E_DIGEST)
			(void)unlinkat(l->uploads, l->names[i], 0);
}

int source_download(struct source_context *context, struct source_download *downloads, size_t count,
		    const char *what, struct varve_error *err)
{
	CLEANUP(landing_release) struct landing l = {
		.context = context,
		.downloads = downloads,
		.transfers = xcalloc(count + 1, sizeof(*l.transfers)),
		.names = xcalloc(count + 1, sizeof(*l.names)),
		.count = count,
		.uploads = -1,
		.what = what,
		.err = err,
	};
	int r;

	if (count == 0)
		return 0;
	r = need_http(context, downloads[0].url, err);
	if (r == 0)
		r = prepare(&l, err);
	if (r == 0) {
		r = http_fetch(context->http, l.transfers, count, on_progress, &l, err);
		drop_wrong(&l);
	}
	return r < 0 ? r : l.result;
}

int source_download_text(struct source_context *context, const char *url, uint64_t limit,
			 struct buf *ret, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = memfd_create("download", MFD_CLOEXEC);
	struct http_transfer transfer = {.url = url, .fd = fd, .limit = limit};
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "make a buffer");
	r = need_http(context, url, err);
	if (r == 0)
		r = http_fetch(context->http, &transfer, 1, NULL, NULL, err);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "read %s", url);
	r = fd_read_all(fd, limit, ret);
	return r < 0 ? varve_error_set(err, r, "read %s", url) : 0;
}
