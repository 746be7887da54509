/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <varve/error.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { COPY_SIZE = 1 << 20, READ_SIZE = 64 << 10 };

void fd_close(int *fd)
{
	int saved = errno;

	if (!fd || *fd < 0)
		return;
	(void)close(*fd);
	*fd = -1;
	errno = saved;
}

int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)data + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int fd_read_all(int fd, size_t limit, struct buf *buf)
{
	size_t have = 0, want = READ_SIZE;
	struct stat st;

	/* The size is a hint only: one byte more shows the end without a second read. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size < limit)
		want = (size_t)st.st_size + 1;
	for (;;) {
		ssize_t n;

		buf_reserve(buf, want);
		n = fd_read_full(fd, buf->data + buf->len, want);
		if (n < 0)
			return (int)n;
		have += (size_t)n;
		if (have > limit)
			return -EFBIG;
		buf->len += (size_t)n;
		buf->data[buf->len] = '\0';
		if ((size_t)n < want)
			return 0;
		want = READ_SIZE;
	}
}

int fd_read_file(int dirfd, const char *path, size_t limit, struct buf *buf,
		 struct varve_error *err)
{
	CLEANUP(fd_close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "open %s", path);
	r = fd_read_all(fd, limit, buf);
	if (r < 0)
		return varve_error_set(err, r, "read %s", path);
	return 0;
}

/* One file being copied: from offset to end lies data, without a hole. */
struct copy {
	int from, to;
	off_t offset, end;
	bool by_hand; /* copy_file_range does not work between the two */
	char *buffer; /* made when first needed */
};

static int copy_by_hand(struct copy *c)
{
	size_t want = c->end - c->offset < COPY_SIZE ? (size_t)(c->end - c->offset) : COPY_SIZE;
	ssize_t n, done = 0;

	if (!c->buffer)
		c->buffer = xmalloc(COPY_SIZE);
	n = pread(c->from, c->buffer, want, c->offset);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ESTALE;
	while (done < n) {
		ssize_t w = pwrite(c->to, c->buffer + done, (size_t)(n - done), c->offset + done);

		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0)
			done += w;
	}
	c->offset += n;
	return 0;
}

static int copy_some(struct copy *c)
{
	off_t from = c->offset, to = c->offset;
	ssize_t n;

	if (c->by_hand)
		return copy_by_hand(c);
	n = copy_file_range(c->from, &from, c->to, &to, (size_t)(c->end - c->offset), 0);
	if (n > 0)
		c->offset += n;
	/* Any refusal, and nothing where data should be: the plain way says what is wrong. */
	else if (n == 0 || errno != EINTR)
		c->by_hand = true;
	return 0;
}

/* Finds the next stretch of data from c->end on; false at the end of the file. */
static bool next_data(struct copy *c, off_t size)
{
	off_t data = lseek(c->from, c->end, SEEK_DATA), hole;

	if (c->end >= size || (data < 0 && errno == ENXIO))
		return false;
	hole = data < 0 ? -1 : lseek(c->from, data, SEEK_HOLE);
	c->offset = data < 0 ? c->end : data;
	c->end = hole < 0 || hole > size ? size : hole;
	return c->offset < size;
}

static int copy_stretch(struct copy *c)
{
	int r = 0;

	while (r == 0 && c->offset < c->end)
		r = copy_some(c);
	return r;
}

static int copy_data(struct copy *c, off_t size)
{
	int r;

	while (next_data(c, size)) {
		r = copy_stretch(c);
		if (r < 0)
			return r;
	}
	/* A hole at the end. */
	return ftruncate(c->to, size) < 0 ? -errno : 0;
}

static int check_size(int fd, uint64_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size == size ? 0 : -ESTALE;
}

int fd_copy(int from, int to, uint64_t size)
{
	struct copy c = {.from = from, .to = to};
	int r = check_size(from, size);

	if (r < 0)
		return r;
	if (size && ioctl(to, FICLONE, from) == 0)
		return check_size(to, size);
	r = copy_data(&c, (off_t)size);
	free_ptr(&c.buffer);
	return r < 0 ? r : check_size(from, size);
}

int fd_copy_range(int from, int to, uint64_t at, uint64_t len)
{
	struct copy c = {.from = from, .to = to, .offset = (off_t)at, .end = (off_t)(at + len)};
	int r = copy_stretch(&c);

	free_ptr(&c.buffer);
	return r;
}

static int make_dir(int dirfd, const char *path, mode_t mode)
{
	struct stat st;
	int r;

	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	r = -errno;
	/* A read-only or foreign parent is no obstacle where the directory is there already. */
	if (r == -ENOENT || fstatat(dirfd, path, &st, 0) < 0)
		return r;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fd_mkdir_p(int dirfd, const char *path, mode_t mode)
{
	CLEANUP(free_ptr) char *copy = NULL;
	int r = make_dir(dirfd, path, mode);

	if (r != -ENOENT)
		return r;
	copy = xstrdup(path);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		r = make_dir(dirfd, copy, mode);
		*p = '/';
		if (r < 0)
			return r;
	}
	return make_dir(dirfd, path, mode);
}

int fd_sync_dir(int dirfd)
{
	/* fsync needs a descriptor that is open for reading; the caller's may be O_PATH. */
	CLEANUP(fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}
