/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_furnish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock_file.h"
#include "base/path.h"

void sandbox_furniture_release(struct sandbox_furniture *f)
{
	size_t i;

	for (i = 0; i < f->count; i++) {
		fd_close(&f->pieces[i].parent);
		free(f->pieces[i].name);
		free(f->pieces[i].aside);
		free(f->pieces[i].home);
	}
	free(f->pieces);
	free(f->aside_path);
	fd_close(&f->root);
	fd_close(&f->aside);
	fd_close(&f->caches);
	*f = (struct sandbox_furniture)SANDBOX_FURNITURE_INIT;
}

static int begin(const char *root, struct sandbox_furniture *f)
{
	f->aside_path = xasprintf("%s.aside", root);
	f->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->root < 0 || mkdir(f->aside_path, 0700) < 0)
		return -errno;
	f->aside = open(f->aside_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->aside < 0 ? -errno : 0;
}

static struct sandbox_piece *refuse(int r, int *ret_error)
{
	*ret_error = r < 0 ? r : -EINVAL;
	return NULL;
}

/* Makes room at target, an absolute path inside. The piece is on the list then; NULL: an error. */
static struct sandbox_piece *make_room(struct sandbox_furniture *f, const char *target,
				       int *ret_error)
{
	CLEANUP(free_ptr) char *clean = path_clean(target);
	CLEANUP(free_ptr) char *directory = NULL;
	CLEANUP(free_ptr) char *aside = NULL;
	CLEANUP(fd_close) int parent = -1;
	const char *name;

	if (!clean || !*clean)
		return refuse(-EINVAL, ret_error);
	directory = xstrndup(clean, path_dir_len(clean));
	parent = path_open_dir_in(f->root, directory, true);
	if (parent < 0)
		return refuse(parent, ret_error);
	name = path_base(clean);
	aside = xasprintf("%zu", f->count);
	if (renameat(parent, name, f->aside, aside) < 0) {
		if (errno != ENOENT)
			return refuse(-errno, ret_error);
		free_ptr(&aside);
	}
	f->pieces = array_grow(f->pieces, f->count, &f->alloc, sizeof(*f->pieces));
	f->pieces[f->count] = (struct sandbox_piece){
		.parent = steal_fd(&parent), .name = xstrdup(name), .aside = steal_ptr(&aside)};
	return &f->pieces[f->count++];
}

/* --- private directories -----------------------------------------------------------------------
 */

static int make_private(struct sandbox_furniture *f, const char *target, mode_t mode)
{
	const struct sandbox_piece *piece;
	int r = 0;

	piece = make_room(f, target, &r);
	if (!piece)
		return r;
	if (mkdirat(piece->parent, piece->name, 0700) < 0 ||
	    fchmodat(piece->parent, piece->name, mode, 0) < 0)
		return -errno;
	return 0;
}

static int make_temporary(struct sandbox_furniture *f, const char *directory)
{
	struct sandbox_piece *piece;
	int r = 0;

	if (!directory)
		return make_private(f, "/tmp", 01777);
	piece = make_room(f, "/tmp", &r);
	if (!piece)
		return r;
	if (renameat(AT_FDCWD, directory, piece->parent, piece->name) < 0)
		return -errno;
	piece->home = xstrdup(directory);
	return fchmodat(piece->parent, piece->name, 01777, 0) < 0 ? -errno : 0;
}

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
	       {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

/* A node that cannot be opened (nodev) is worse than none: what is written to no device at all goes
 * into a file that is thrown away. */
static int make_device(int dev, const char *name, dev_t number)
{
	int fd, r = 0;

	if (mknodat(dev, name, S_IFCHR | 0666, number) < 0 || fchmodat(dev, name, 0666, 0) < 0)
		return -errno;
	if (strcmp(name, "tty") == 0) /* there may be none to open */
		return 0;
	fd = openat(dev, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		(void)unlinkat(dev, name, 0);
	}
	fd_close(&fd);
	return r;
}

static int fill_dev(int dev, int notice_fd)
{
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
					       {"/proc/self/fd/0", "stdin"},
					       {"/proc/self/fd/1", "stdout"},
					       {"/proc/self/fd/2", "stderr"}};
	size_t i;
	int r, refused = 0;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		r = make_device(dev, devices[i].name, makedev(devices[i].major, devices[i].minor));
		if (r < 0)
			refused = -r;
	}
	if (refused)
		(void)dprintf(
			notice_fd,
			"varve: no devices in /dev here: %s (CAP_MKNOD, a file system without "
			"nodev)\n",
			strerror(refused));
	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			return -errno;
	if (mkdirat(dev, "shm", 0700) < 0 || fchmodat(dev, "shm", 01777, 0) < 0)
		return -errno;
	return 0;
}

static int make_dev(struct sandbox_furniture *f, int notice_fd)
{
	CLEANUP(fd_close) int dev = -1;
	const struct sandbox_piece *piece;
	int r = make_private(f, "/dev", 0755);

	if (r < 0)
		return r;
	piece = &f->pieces[f->count - 1];
	dev = openat(piece->parent, piece->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dev < 0 ? -errno : fill_dev(dev, notice_fd);
}

/* --- binds -------------------------------------------------------------------------------------
 */

static int bind_copy(struct sandbox_furniture *f, const struct sandbox_host *host,
		     sandbox_copy *copy, const struct sandbox_bind *bind, struct varve_error *err)
{
	const struct sandbox_piece *piece;
	int r = 0;

	piece = make_room(f, bind->target, &r);
	if (!piece)
		return varve_error_set(err, r, "make room for %s", bind->target);
	return copy(&host->owners, bind->source, piece->parent, piece->name, err);
}

/* A cache is in one place at a time: who took one holds the lock file beside it. */
static int lock_caches(struct sandbox_furniture *f, const char *cache)
{
	CLEANUP(free_ptr) char *directory = xstrndup(cache, path_dir_len(cache));
	CLEANUP(fd_close) int caches = -1;

	if (f->caches >= 0)
		return 0;
	caches = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (caches < 0)
		return -errno;
	f->caches = lock_file_open(caches, ".lock", LOCK_EXCLUSIVE, true, NULL);
	return f->caches < 0 ? f->caches : 0;
}

static int take_cache(struct sandbox_furniture *f, const struct sandbox_bind *bind)
{
	struct sandbox_piece *piece;
	int r = lock_caches(f, bind->source);

	if (r < 0)
		return r;
	/* Who had it before us may have lost it. */
	if (mkdir(bind->source, 0755) < 0 && errno != EEXIST)
		return -errno;
	piece = make_room(f, bind->target, &r);
	if (!piece)
		return r;
	if (renameat(AT_FDCWD, bind->source, piece->parent, piece->name) < 0)
		return -errno;
	piece->home = xstrdup(bind->source);
	return 0;
}

static int bind_move(struct sandbox_furniture *f, const struct sandbox_bind *bind,
		     struct varve_error *err)
{
	int r = take_cache(f, bind);

	return r < 0 ? varve_error_set(err, r, "move %s to %s", bind->source, bind->target) : 0;
}

int sandbox_furnish(const struct sandbox_host *host, const struct sandbox_spec *spec, int notice_fd,
		    struct sandbox_furniture *ret, struct varve_error *err)
{
	size_t i;
	int r = begin(spec->root, ret);

	if (r == 0)
		r = make_private(ret, "/proc", 0555);
	if (r == 0)
		r = make_dev(ret, notice_fd);
	if (r == 0)
		r = make_temporary(ret, spec->temporary);
	if (r == 0)
		r = make_private(ret, "/run", 0755);
	if (r < 0)
		return varve_error_set(err, r, "furnish the root %s", spec->root);
	for (i = 0; i < spec->bind_count && r == 0; i++)
		r = spec->binds[i].writable
			    ? bind_move(ret, &spec->binds[i], err)
			    : bind_copy(ret, host, spec->copy, &spec->binds[i], err);
	return r;
}

static int send_home(const struct sandbox_piece *piece)
{
	if (renameat(piece->parent, piece->name, AT_FDCWD, piece->home) == 0)
		return 0;
	/* The command removed it, or there is a new one: an empty cache it is then. */
	if (errno != ENOENT)
		return -errno;
	return mkdir(piece->home, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int clear_piece(const struct sandbox_furniture *f, const struct sandbox_piece *piece)
{
	int r = piece->home ? send_home(piece) : fd_remove_tree(piece->parent, piece->name);

	/* ENOENT: the command removed the directory that it was in. */
	if (r == 0 && piece->aside &&
	    renameat(f->aside, piece->aside, piece->parent, piece->name) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int sandbox_clear(struct sandbox_furniture *f, struct varve_error *err)
{
	size_t i;
	int r, result = 0;

	for (i = f->count; i-- > 0;) {
		r = clear_piece(f, &f->pieces[i]);
		if (r < 0 && result == 0)
			result = varve_error_set(err, r, "take away what was at %s in the root",
						 f->pieces[i].name);
	}
	if (f->aside >= 0)
		(void)fd_remove_tree(AT_FDCWD, f->aside_path);
	return result;
}
