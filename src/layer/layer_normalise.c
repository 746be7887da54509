/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_upper.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

static void upper_release(struct layer_upper *upper)
{
	layer_lower_release(&upper->lower);
	strv_release(&upper->pycs);
	upper_release_links(upper);
	strv_release(&upper->implied);
}

void upper_notice(struct layer_upper *upper, const char *format, ...)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	va_list args;

	if (!upper->notices || !upper->notices->lines)
		return;
	va_start(args, format);
	buf_addv(&line, format, args);
	va_end(args);
	strv_take(upper->notices->lines, buf_steal(&line));
}

struct timespec upper_clamp(const struct layer_upper *upper, struct timespec mtime)
{
	struct timespec t = {.tv_sec = mtime.tv_sec};

	if (t.tv_sec > upper->rules->epoch)
		t.tv_sec = upper->rules->epoch;
	if (t.tv_sec < 0)
		t.tv_sec = 0;
	return t;
}

int upper_set_time(struct layer_upper *upper, int dirfd, const char *path, struct timespec mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};

	if (utimensat(dirfd, path_base(path), times, AT_SYMLINK_NOFOLLOW) < 0)
		return varve_error_set(upper->err, -errno, "set time of %s", path);
	return 0;
}

int upper_unlink(struct layer_upper *upper, int dirfd, const char *path, int flags)
{
	if (unlinkat(dirfd, path_base(path), flags) < 0)
		return varve_error_set(upper->err, -errno, "remove %s", path);
	return 0;
}

int upper_find(struct layer_upper *upper, const char *path, struct stat *ret_st, int *ret_dirfd)
{
	CLEANUP(free_ptr) char *directory = xstrndup(path, path_dir_len(path));
	CLEANUP(fd_close) int fd = -1;
	int r;

	/* Paths of an upper come from a walk: their directories are directories. */
	fd = openat(upper->root, *directory ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0
				       : varve_error_set(upper->err, -errno, "open %s", directory);
	if (fstatat(fd, path_base(path), ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : varve_error_set(upper->err, -errno, "stat %s", path);
	r = owner_read(upper->rules->owners, fd, path_base(path), ret_st);
	if (r < 0)
		return varve_error_set(upper->err, r, "read owner of %s", path);
	if (layer_is_whiteout(ret_st))
		return 0;
	*ret_dirfd = steal_fd(&fd);
	return 1;
}

int upper_is_unchanged(struct layer_upper *upper, const char *path, int dirfd,
		       const struct stat *st, struct stat *ret_lower_st)
{
	const struct link_group *group = upper_link_group(upper, st);

	if (!group)
		return layer_lower_equals(&upper->lower, path, dirfd, st, ret_lower_st, upper->err);
	if (!group->dropped)
		return 0;
	return layer_lower_find(&upper->lower, path, ret_lower_st, NULL, upper->err);
}

/* The root has no entry in a layer: its attributes are the same in every tree. */
static int normalise_root(struct layer_upper *upper)
{
	struct stat st;
	int r = fstat(upper->root, &st) < 0 ? -errno : 0;

	if (r == 0)
		r = owner_read(upper->rules->owners, upper->root, ".", &st);
	if (r == 0 && ((st.st_mode & 07777) != 0755 || st.st_uid != 0 || st.st_gid != 0))
		upper_notice(upper, "/: owner and mode of the root stay 0:0 and 0755");
	if (r == 0)
		r = layer_xattrs_strip(upper->root);
	if (r == 0)
		r = owner_write(upper->rules->owners, upper->root, ".", 0, 0);
	if (r == 0 && fchmod(upper->root, 0755) < 0)
		r = -errno;
	if (r < 0)
		return varve_error_set(upper->err, r, "set attributes of the root");
	return upper_set_time(upper, upper->root, ".", (struct timespec){0});
}

int layer_normalise(int upper, int lower, const struct layer_rules *rules,
		    const struct layer_notices *notices, struct strv *ret_implied,
		    struct varve_error *err)
{
	static int (*const passes[])(struct layer_upper *) = {
		upper_clean, upper_decide_links, upper_patch_pycs, upper_reduce, normalise_root};
	CLEANUP(upper_release)
	struct layer_upper u = {.root = upper, .rules = rules, .notices = notices, .err = err};

	layer_lower_init(&u.lower, lower, rules->owners);
	for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
		int r = passes[i](&u);

		if (r < 0)
			return r;
	}
	strv_sort(&u.implied);
	*ret_implied = u.implied;
	u.implied = (struct strv)STRV_INIT;
	return 0;
}
