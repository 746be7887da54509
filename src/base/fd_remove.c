/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

/* A directory that is being emptied. */
struct level {
	char *name; /* in the level above */
	dev_t dev;
	ino_t ino;
	struct strv dirs; /* what is left in it: directories that are not empty */
};

/* Only the deepest directory is open, so that depth costs memory and no descriptors. */
struct removal {
	struct level *levels;
	size_t count, alloc;
	int fd;
};

static void removal_release(struct removal *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free_ptr(&m->levels[i].name);
		strv_release(&m->levels[i].dirs);
	}
	free_ptr(&m->levels);
	fd_close(&m->fd);
}

/* Opens a directory of ours whatever its mode is, and lets us change it. */
static int open_for_removal(int parent, const char *name, struct stat *ret)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	CLEANUP(fd_close) int fd = openat(parent, name, flags);

	if (fd < 0 && errno == EACCES) {
		if (fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
			return -EACCES;
		fd = openat(parent, name, flags);
	}
	if (fd < 0 || fstat(fd, ret) < 0)
		return -errno;
	if ((ret->st_mode & 0700) != 0700 && ret->st_uid == geteuid() && fchmod(fd, 0700) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int remove_entry(struct removal *m, const struct dirent *entry, struct strv *left)
{
	bool is_dir = entry->d_type == DT_DIR;

	if (unlinkat(m->fd, entry->d_name, is_dir ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
		return 0;
	if (!is_dir && errno != EISDIR)
		return -errno;
	strv_add(left, entry->d_name);
	return 0;
}

/* Removes what can be removed at once and notes the rest. */
static int empty_level(struct removal *m, struct strv *left)
{
	int fd = openat(m->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	while (r == 0) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			r = remove_entry(m, entry, left);
	}
	(void)closedir(dir);
	return r;
}

static int enter(struct removal *m, int parent, char *take_name)
{
	CLEANUP(free_ptr) char *name = take_name;
	struct level *level;
	struct stat st;
	int fd = open_for_removal(parent, name, &st);

	if (fd < 0)
		return fd;
	fd_close(&m->fd);
	m->fd = fd;
	m->levels = array_grow(m->levels, m->count, &m->alloc, sizeof(*m->levels));
	level = &m->levels[m->count++];
	*level = (struct level){steal_ptr(&name), st.st_dev, st.st_ino, STRV_INIT};
	return empty_level(m, &level->dirs);
}

/* Removes the deepest level, now empty, and goes back to the one above it. */
static int leave(struct removal *m, int top)
{
	CLEANUP(free_ptr) char *name = steal_ptr(&m->levels[m->count - 1].name);
	const struct level *above = m->count > 1 ? &m->levels[m->count - 2] : NULL;
	CLEANUP(fd_close) int up = -1;
	struct stat st;

	strv_release(&m->levels[--m->count].dirs);
	if (above) {
		up = openat(m->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (up < 0 || fstat(up, &st) < 0)
			return -errno;
		/* Somebody moved the directory away: ".." is not ours to remove from. */
		if (st.st_dev != above->dev || st.st_ino != above->ino)
			return -ESTALE;
	}
	fd_close(&m->fd);
	if (unlinkat(above ? up : top, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	m->fd = steal_fd(&up);
	return 0;
}

int fd_remove_tree(int dirfd, const char *path)
{
	CLEANUP(removal_release) struct removal m = {.fd = -1};
	int r;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	r = enter(&m, dirfd, xstrdup(path));
	while (r == 0 && m.count) {
		struct strv *dirs = &m.levels[m.count - 1].dirs;

		if (dirs->count) {
			dirs->count--;
			r = enter(&m, m.fd, steal_ptr(&dirs->items[dirs->count]));
		} else {
			r = leave(&m, dirfd);
		}
		/* A directory that vanished meanwhile is what we want. */
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}
