/* SPDX-License-Identifier: Apache-2.0
 * Python's mtime-based .pyc files (PEP 552, flags 0): magic[4] flags[4] mtime[4] size[4],
 * little-endian. Clamping moves the time of a source; a .pyc that was valid for it must say the new
 * time, or Python compiles the source again at each start. One that was stale stays stale. */
#include "layer/layer_upper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { HEADER = 16, FLAGS = 4, MTIME = 8, SIZE = 12 };

static uint32_t get_u32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* DIR/__pycache__/MODULE.TAG[.opt-N].pyc -> DIR/MODULE.py; NULL where the name has another form. */
static char *source_of(const char *path)
{
	static const char cache[] = "__pycache__";
	const char *name = path_base(path), *dot = strchr(name, '.');
	size_t dir = path_dir_len(path), cache_len = sizeof(cache) - 1;
	const char *opt = dot ? strchr(dot + 1, '.') : NULL;

	if (!opt || dir < cache_len || strncmp(path + dir - cache_len, cache, cache_len) != 0)
		return NULL;
	if (dir > cache_len && path[dir - cache_len - 1] != '/')
		return NULL;
	if (!str_equal(opt, ".pyc") &&
	    (!str_starts(opt, ".opt-") || !str_equal(strchr(opt + 1, '.'), ".pyc")))
		return NULL;
	return xasprintf("%.*s%.*s.py", (int)(dir - cache_len), path, (int)(dot - name), name);
}

/* The header of a .pyc that goes by time. 1: it is one. */
static int read_header(int dirfd, const char *name, unsigned char header[HEADER])
{
	CLEANUP(fd_close) int fd = -1;
	ssize_t n;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, header, HEADER);
	if (n < 0)
		return (int)n;
	return n == HEADER && header[2] == '\r' && header[3] == '\n' &&
	       get_u32(header + FLAGS) == 0;
}

static int write_mtime(int dirfd, const char *name, uint32_t mtime)
{
	const unsigned char bytes[4] = {(unsigned char)mtime, (unsigned char)(mtime >> 8),
					(unsigned char)(mtime >> 16), (unsigned char)(mtime >> 24)};
	CLEANUP(fd_close) int fd = -1;

	fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return pwrite(fd, bytes, sizeof(bytes), MTIME) == (ssize_t)sizeof(bytes) ? 0 : -EIO;
}

/* The time that the image will show for the source. 1: it is known; the .pyc is valid for it now.
 */
static int future_time(struct layer_upper *upper, const char *source, const unsigned char *header,
		       time_t *ret)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st, below;
	int r = upper_find(upper, source, &st, &fd);

	if (r <= 0 || !S_ISREG(st.st_mode))
		return r < 0 ? r : 0;
	if (get_u32(header + MTIME) != (uint32_t)st.st_mtim.tv_sec ||
	    get_u32(header + SIZE) != (uint32_t)st.st_size)
		return 0;
	r = upper_is_unchanged(upper, source, fd, &st, &below);
	if (r < 0)
		return r;
	*ret = r > 0 ? below.st_mtim.tv_sec : upper_clamp(upper, st.st_mtim).tv_sec;
	return 1;
}

static int patch(struct layer_upper *upper, const char *path)
{
	CLEANUP(free_ptr) char *source = source_of(path);
	CLEANUP(fd_close) int fd = -1;
	unsigned char header[HEADER] = {0};
	struct stat st;
	time_t mtime;
	int r;

	if (!source)
		return 0;
	r = upper_find(upper, path, &st, &fd);
	if (r <= 0 || !S_ISREG(st.st_mode))
		return r < 0 ? r : 0;
	r = read_header(fd, path_base(path), header);
	if (r < 0)
		return varve_error_set(upper->err, r, "read %s", path);
	if (r > 0)
		r = future_time(upper, source, header, &mtime);
	if (r <= 0 || get_u32(header + MTIME) == (uint32_t)mtime)
		return r < 0 ? r : 0;
	r = write_mtime(fd, path_base(path), (uint32_t)mtime);
	if (r < 0)
		return varve_error_set(upper->err, r, "write %s", path);
	return upper_set_time(upper, fd, path, st.st_mtim);
}

int upper_patch_pycs(struct layer_upper *upper)
{
	for (size_t i = 0; i < upper->pycs.count; i++) {
		int r = patch(upper, upper->pycs.items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}
