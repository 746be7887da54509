/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_tar.h"

enum { COPY_BLOCK = 128 << 10 };

static void make_header(const char *name, uint64_t size, struct buf *out)
{
	const struct tar_entry entry = {.type = TAR_FILE, .path = name, .mode = 0644, .size = size};

	tar_header(&entry, out);
}

static int begin(const char *path, struct image_tar *tar, struct varve_error *err)
{
	size_t len = path_dir_len(path);
	CLEANUP(free_ptr) char *dir = len ? xstrndup(path, len) : xstrdup(*path == '/' ? "/" : ".");
	int r;

	tar->name = xstrdup(path_base(path));
	if (!*tar->name)
		return varve_error_set(err, -VARVE_E_USAGE, "is a directory; name a file in it");
	r = fd_mkdir_p(AT_FDCWD, dir, 0755);
	if (r < 0)
		return varve_error_set(err, r, "make directory %.300s", dir);
	tar->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tar->dirfd < 0)
		return varve_error_set(err, -errno, "open directory %.300s", dir);
	return tempfile_begin(tar->dirfd, 0644, &tar->file, err);
}

int image_tar_begin(const char *path, struct image_tar *ret, struct varve_error *err)
{
	struct image_tar tar = IMAGE_TAR_INIT;
	int r = begin(path, &tar, err);

	if (r < 0) {
		image_tar_abort(&tar);
		return r;
	}
	*ret = tar;
	return 0;
}

void image_tar_abort(struct image_tar *tar)
{
	if (!tar)
		return;
	tempfile_abort(&tar->file);
	fd_close(&tar->dirfd);
	free_ptr(&tar->name);
	free_ptr(&tar->member);
}

int image_tar_fd(const struct image_tar *tar)
{
	return tar->file.fd;
}

static int write_all(struct image_tar *tar, const void *data, size_t len, struct varve_error *err)
{
	int r = fd_write_all(tar->file.fd, data, len);

	return r < 0 ? varve_error_set(err, r, "write") : 0;
}

int image_tar_start(struct image_tar *tar, const char *name, uint64_t size, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT;

	make_header(name, size, &header);
	tar->start = lseek(tar->file.fd, 0, SEEK_CUR);
	if (tar->start < 0)
		return varve_error_set(err, -errno, "seek");
	free(tar->member);
	tar->member = xstrdup(name);
	tar->header = header.len;
	tar->size = size;
	return write_all(tar, header.data, header.len, err);
}

int image_tar_directory(struct image_tar *tar, const char *name, struct varve_error *err)
{
	const struct tar_entry entry = {.type = TAR_DIRECTORY, .path = name, .mode = 0755};
	CLEANUP(buf_release) struct buf header = BUF_INIT;

	tar_header(&entry, &header);
	return write_all(tar, header.data, header.len, err);
}

static int take_back(struct image_tar *tar, struct varve_error *err)
{
	if (ftruncate(tar->file.fd, tar->start) < 0 ||
	    lseek(tar->file.fd, tar->start, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "truncate");
	return IMAGE_TAR_AGAIN;
}

static int correct_header(struct image_tar *tar, uint64_t size, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT;
	ssize_t n;

	if (size == tar->size)
		return 0;
	tar->size = size;
	make_header(tar->member, size, &header);
	if (header.len != tar->header)
		return take_back(tar, err);
	n = pwrite(tar->file.fd, header.data, header.len, tar->start);
	if (n != (ssize_t)header.len)
		return varve_error_set(err, n < 0 ? -errno : -EIO, "write");
	return 0;
}

int image_tar_end(struct image_tar *tar, uint64_t size, struct varve_error *err)
{
	static const char zeros[TAR_BLOCK];
	int r = correct_header(tar, size, err);

	if (r != 0)
		return r;
	return write_all(tar, zeros, tar_padding(size), err);
}

int image_tar_text(struct image_tar *tar, const char *name, const struct buf *text,
		   struct varve_error *err)
{
	int r = image_tar_start(tar, name, text->len, err);

	if (r >= 0)
		r = write_all(tar, text->data, text->len, err);
	if (r < 0)
		return r;
	return image_tar_end(tar, text->len, err);
}

static int copy_bytes(struct image_tar *tar, int fd, uint64_t size, struct varve_error *err)
{
	CLEANUP(free_ptr) char *block = xmalloc(COPY_BLOCK);
	int r = 0;

	while (size > 0 && r >= 0) {
		ssize_t n = fd_read_full(fd, block, size < COPY_BLOCK ? size : COPY_BLOCK);

		if (n <= 0)
			return varve_error_set(err, n < 0 ? (int)n : -ESTALE, "read a blob");
		size -= (uint64_t)n;
		r = write_all(tar, block, (size_t)n, err);
	}
	return r;
}

int image_tar_file(struct image_tar *tar, const char *name, int fd, uint64_t size,
		   struct varve_error *err)
{
	int r = image_tar_start(tar, name, size, err);

	if (r >= 0)
		r = copy_bytes(tar, fd, size, err);
	if (r < 0)
		return r;
	return image_tar_end(tar, size, err);
}

int image_tar_commit(struct image_tar *tar, struct varve_error *err)
{
	static const char zeros[TAR_END];
	int r = write_all(tar, zeros, sizeof(zeros), err);

	if (r < 0)
		return r;
	return tempfile_commit(&tar->file, tar->dirfd, tar->name, true, true, err);
}
