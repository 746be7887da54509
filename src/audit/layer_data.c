/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "audit/layer_files.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "layer/layer_stream.h"
#include "layer/layer_tar_read.h"

/* One that is kept, to be sorted by its place in the tar. */
struct placed {
	const struct layer_want *want;
};

struct pass {
	struct layer_data *data;
	struct placed *wants; /* by place in the tar; owned */
	size_t count;
	struct tar_reader *reader;
	struct hasher *hasher;
	int file; /* the nameless one */
	struct varve_error *err;
};

void layer_data_release(struct layer_data *data)
{
	if (data->map)
		(void)munmap(data->map, data->size);
	free(data->items);
	*data = (struct layer_data){0};
}

void layer_data_want(struct layer_data *data, const struct layer_file *file)
{
	struct layer_want *want;

	data->items = array_grow(data->items, data->count, &data->alloc, sizeof(*want));
	want = &data->items[data->count++];
	*want = (struct layer_want){.file = file, .at = data->size};
	want->kept = file->size <= LAYER_DATA_FILE_MAX && file->size <= LAYER_DATA_MAX - data->size;
	if (want->kept)
		data->size += file->size;
}

bool layer_data_get(const struct layer_data *data, size_t i, struct content *ret)
{
	const struct layer_want *want = &data->items[i];

	*ret = (struct content){.name = want->file->path, .len = (size_t)want->file->size};
	if (want->kept && want->file->size > 0)
		ret->data = data->map + want->at;
	return want->kept;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int by_place(const void *left, const void *right)
{
	uint64_t a = ((const struct placed *)left)->want->file->order,
		 b = ((const struct placed *)right)->want->file->order;

	return (a > b) - (a < b);
}

static void sort_wants(struct pass *p)
{
	p->wants = xcalloc(p->data->count + 1, sizeof(*p->wants));
	for (size_t i = 0; i < p->data->count; i++)
		if (p->data->items[i].kept)
			p->wants[p->count++].want = &p->data->items[i];
	qsort(p->wants, p->count, sizeof(*p->wants), by_place);
}

static int write_at(int fd, const void *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		data = (const char *)data + n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int is_other(const struct layer_want *want, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_DIGEST, "%s is not what the layer's index says",
			want->file->path);
	varve_error_hint(err, "Indexes can be removed at any time: facts/layer-files in the store");
	return -VARVE_E_DIGEST;
}

static int take_file(struct pass *p, const struct layer_want *want)
{
	struct varve_digest digest;
	uint64_t done = 0;
	const void *data;
	ssize_t n;

	while ((n = tar_reader_data(p->reader, &data, p->err)) > 0) {
		int r = 0;

		if ((uint64_t)n > want->file->size - done)
			return is_other(want, p->err);
		hasher_update(p->hasher, data, (size_t)n);
		r = write_at(p->file, data, (size_t)n, want->at + done);
		if (r < 0)
			return varve_error_set(p->err, r, "keep %s for a look into it",
					       want->file->path);
		done += (uint64_t)n;
	}
	if (n < 0)
		return (int)n;
	hasher_final(p->hasher, &digest);
	return varve_digest_equal(&digest, &want->file->content) ? 0 : is_other(want, p->err);
}

static int take_files(struct pass *p)
{
	struct tar_item item;
	uint64_t order = 0;
	size_t next = 0;
	int r = 0;

	for (; next < p->count; order++) {
		r = tar_reader_next(p->reader, &item, p->err);
		if (r < 0)
			return r;
		if (r == 0)
			return is_other(p->wants[next].want, p->err);
		if (order != p->wants[next].want->file->order)
			continue;
		r = take_file(p, p->wants[next++].want);
		if (r < 0)
			return r;
	}
	return 0;
}

/* In the directory, or in memory where its file system has no nameless files. */
static int open_file(int dirfd, uint64_t size, struct varve_error *err)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = memfd_create("layer-data", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		int r = varve_error_set(err, -errno, "make a temporary file");

		fd_close(&fd);
		return r;
	}
	return fd;
}

static int map_file(struct layer_data *data, int fd, struct varve_error *err)
{
	void *map = mmap(NULL, data->size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (map == MAP_FAILED)
		return varve_error_set(err, -errno, "map a temporary file");
	data->map = map;
	return 0;
}

static ssize_t read_stream(void *cookie, void *data, size_t len, struct varve_error *err)
{
	return layer_stream_read(cookie, data, len, err);
}

int layer_data_read(struct layer_data *data, int fd, const struct varve_descriptor *blob, int dirfd,
		    struct varve_error *err)
{
	CLEANUP(layer_stream_freep) struct layer_stream *stream = NULL;
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	CLEANUP(hasher_freep) struct hasher *hasher = hasher_new();
	CLEANUP(fd_close) int file = data->size > 0 ? open_file(dirfd, data->size, err) : -1;
	struct pass p = {.data = data, .hasher = hasher, .file = file, .err = err};
	int r;

	if (data->size == 0)
		return 0;
	r = file < 0 ? file : layer_stream_new(fd, blob, &stream, err);
	if (r < 0)
		return r;
	layer_stream_leave_digest(stream);
	p.reader = reader = tar_reader_new(read_stream, stream);
	tar_reader_leave_digest(reader);
	sort_wants(&p);
	r = take_files(&p);
	free(p.wants);
	return r < 0 ? r : map_file(data, file, err);
}
