/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_place_parent.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

struct layer_place {
	struct place_parent parent; /* of the entry at hand */
};

struct layer_place *layer_place_new(int root, const struct owners *owners, bool owned)
{
	struct layer_place *p = xcalloc(1, sizeof(*p));

	p->parent = (struct place_parent){.root = root, .owners = owners, .owned = owned, .fd = -1};
	return p;
}

void layer_place_freep(struct layer_place **place)
{
	struct layer_place *p = *place;

	*place = NULL;
	if (!p)
		return;
	place_parent_release(&p->parent);
	free(p);
}

static int enter_parent(struct layer_place *p, const char *path, struct varve_error *err)
{
	CLEANUP(free_ptr) char *directory = xstrndup(path, path_dir_len(path));

	return place_parent_enter(&p->parent, directory, err);
}

/* What stands at the place of the entry, as owner_read makes it out. -ENOENT: nothing. */
static int look(const struct layer_place *p, const char *path, struct stat *ret)
{
	if (fstatat(p->parent.fd, path_base(path), ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return p->parent.owners ? owner_read(p->parent.owners, p->parent.fd, path_base(path), ret)
				: 0;
}

/* Takes away what stands at the place of a new entry. ret_whiteout: it was one (may be NULL). */
static int make_room(struct layer_place *p, const char *path, bool *ret_whiteout,
		     struct varve_error *err)
{
	const char *name = path_base(path);
	CLEANUP(free_ptr) char *real = NULL;
	struct stat st;
	int r = look(p, path, &st);

	if (r < 0)
		return r == -ENOENT ? 0 : varve_error_set(err, r, "stat %s", path);
	if (ret_whiteout)
		*ret_whiteout = layer_is_whiteout(&st);
	real = path_join(p->parent.real, name);
	r = unlinkat(p->parent.fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
	if (r == -ENOTEMPTY || r == -EEXIST)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s: an entry replaces a directory of the same layer", path);
	if (r < 0)
		return varve_error_set(err, r, "replace %s", path);
	if (S_ISDIR(st.st_mode))
		place_dirs_remove(&p->parent.dirs, real);
	return 0;
}

static int prepare(struct layer_place *p, const char *path, struct varve_error *err)
{
	int r = enter_parent(p, path, err);

	return r < 0 ? r : make_room(p, path, NULL, err);
}

static int set_owner(struct layer_place *p, const char *path, const struct place_attributes *a)
{
	return a->owned ? owner_write(p->parent.owners, p->parent.fd, path_base(path), a->uid,
				      a->gid)
			: 0;
}

static int attributes_failed(struct varve_error *err, int r, const char *path,
			     const struct place_attributes *a)
{
	if (r == -EINVAL && a->owned)
		return varve_error_set(err, -VARVE_E_HOST,
				       "%s belongs to %u:%u, which this user cannot store: more "
				       "subordinate ids are needed",
				       path, a->uid, a->gid);
	return varve_error_set(err, r, "set attributes of %s", path);
}

static void copy_xattrs(struct layer_xattrs *to, const struct layer_xattrs *from)
{
	layer_xattrs_release(to);
	for (size_t i = 0; from && i < from->count; i++)
		layer_xattrs_add(to, from->items[i].name, from->items[i].value,
				 from->items[i].size);
}

/* The directory is there: makes it the one of the entry. */
static int adopt_directory(struct layer_place *p, const char *path,
			   const struct place_attributes *a)
{
	CLEANUP(free_ptr) char *real = path_join(p->parent.real, path_base(path));
	struct place_dir *dir = place_dirs_get(&p->parent.dirs, real);
	CLEANUP(fd_close) int fd = -1;
	int r = set_owner(p, path, a);

	if (r < 0)
		return r;
	fd = place_open_child(p->parent.fd, path_base(path));
	if (fd < 0 || fchmod(fd, a->mode) < 0)
		return fd < 0 ? fd : -errno;
	dir->implied = false;
	dir->mtime = a->mtime;
	copy_xattrs(&dir->xattrs, a->xattrs);
	return 0;
}

int layer_place_directory(struct layer_place *p, const char *path, const struct place_attributes *a,
			  struct varve_error *err)
{
	bool whiteout = false;
	struct stat st;
	int r = enter_parent(p, path, err);

	if (r < 0)
		return r;
	if (fstatat(p->parent.fd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		r = make_room(p, path, &whiteout, err);
		if (r < 0)
			return r;
		if (mkdirat(p->parent.fd, path_base(path), 0700) < 0)
			return varve_error_set(err, -errno, "make directory %s", path);
	}
	r = adopt_directory(p, path, a);
	if (r < 0)
		return attributes_failed(err, r, path, a);
	return whiteout ? layer_place_opaque(p, path, err) : 0;
}

static int make_file(const struct layer_place *p, const char *path)
{
	int fd = openat(p->parent.fd, path_base(path),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* The place is nearly always free. */
int layer_place_file(struct layer_place *p, const char *path, int *ret_fd, struct varve_error *err)
{
	int fd, r = enter_parent(p, path, err);

	if (r < 0)
		return r;
	fd = make_file(p, path);
	if (fd == -EEXIST) {
		r = make_room(p, path, NULL, err);
		if (r < 0)
			return r;
		fd = make_file(p, path);
	}
	if (fd < 0)
		return varve_error_set(err, fd, "make file %s", path);
	*ret_fd = fd;
	return 0;
}

/* chown takes set-id bits and capabilities away: first; an ACL alters the mode: after it. */
int layer_place_attributes(struct layer_place *p, const char *path, int fd,
			   const struct place_attributes *a, struct varve_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, a->mtime};
	int r = a->owned ? owner_write_made(p->parent.owners, fd, a->uid, a->gid) : 0;

	if (r == 0 && fchmod(fd, a->mode) < 0)
		r = -errno;
	if (r == 0 && a->xattrs)
		r = layer_xattrs_write(fd, LAYER_XATTR_TREE, a->xattrs);
	if (r == 0 && futimens(fd, times) < 0)
		r = -errno;
	return r < 0 ? attributes_failed(err, r, path, a) : 0;
}

/* For what cannot be opened. */
static int set_by_name(struct layer_place *p, const char *path, const struct place_attributes *a,
		       struct varve_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, a->mtime};
	int r = set_owner(p, path, a);

	if (r == 0 && utimensat(p->parent.fd, path_base(path), times, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r < 0 ? attributes_failed(err, r, path, a) : 0;
}

int layer_place_symlink(struct layer_place *p, const char *path, const char *target,
			const struct place_attributes *a, struct varve_error *err)
{
	int r = prepare(p, path, err);

	if (r < 0)
		return r;
	if (symlinkat(target, p->parent.fd, path_base(path)) < 0)
		return varve_error_set(err, -errno, "make symlink %s", path);
	return set_by_name(p, path, a, err);
}

int layer_place_fifo(struct layer_place *p, const char *path, const struct place_attributes *a,
		     struct varve_error *err)
{
	int r = prepare(p, path, err);

	if (r < 0)
		return r;
	if (mkfifoat(p->parent.fd, path_base(path), 0600) < 0)
		return varve_error_set(err, -errno, "make fifo %s", path);
	r = set_by_name(p, path, a, err);
	if (r == 0 && fchmodat(p->parent.fd, path_base(path), a->mode, 0) < 0)
		r = varve_error_set(err, -errno, "set mode of %s", path);
	return r;
}

int layer_place_device(struct layer_place *p, const char *path, mode_t type, dev_t rdev,
		       const struct place_attributes *a, struct varve_error *err)
{
	int r = prepare(p, path, err);

	if (r < 0)
		return r;
	r = owner_make_device(p->parent.fd, path_base(path), type | 0600, rdev);
	if (r < 0)
		return varve_error_set(err, r, "make device %s", path);
	owner_links_note_device(p->parent.owners->links);
	r = set_by_name(p, path, a, err);
	if (r == 0 && fchmodat(p->parent.fd, path_base(path), a->mode, 0) < 0)
		r = varve_error_set(err, -errno, "set mode of %s", path);
	return r;
}

/* The target's place is kept open while the new name's is found. */
static int open_target(struct layer_place *p, const char *path, const char *target, int *ret_fd,
		       struct varve_error *err)
{
	struct stat st;
	int r = enter_parent(p, target, err);

	if (r < 0)
		return r;
	if (look(p, target, &st) < 0 || S_ISDIR(st.st_mode) || layer_is_whiteout(&st))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%s is a hard link to %s, which is not in the layer", path,
				       target);
	*ret_fd = place_open_child(p->parent.fd, ".");
	return *ret_fd < 0 ? varve_error_set(err, *ret_fd, "open directory of %s", target) : 0;
}

int layer_place_link(struct layer_place *p, const char *path, const char *target,
		     struct varve_error *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat from, to;
	int r = open_target(p, path, target, &fd, err);

	if (r == 0)
		r = enter_parent(p, path, err);
	if (r < 0)
		return r;
	/* A link to itself would lose the content. */
	if (fstatat(fd, path_base(target), &from, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(p->parent.fd, path_base(path), &to, AT_SYMLINK_NOFOLLOW) == 0 &&
	    from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return 0;
	r = make_room(p, path, NULL, err);
	if (r < 0)
		return r;
	if (linkat(fd, path_base(target), p->parent.fd, path_base(path), 0) < 0)
		return varve_error_set(err, -errno, "link %s to %s", path, target);
	return 0;
}

/* A whiteout of a directory that the layer has too: nothing of the one below is left, so its
 * attributes are not either. */
static int hide_below(struct layer_place *p, const char *path, struct varve_error *err)
{
	CLEANUP(free_ptr) char *real = path_join(p->parent.real, path_base(path));

	place_dirs_get(&p->parent.dirs, real)->implied = false;
	return layer_place_opaque(p, path, err);
}

int layer_place_whiteout(struct layer_place *p, const char *path, struct varve_error *err)
{
	struct stat st;
	int r = enter_parent(p, path, err);

	if (r < 0)
		return r;
	if (fstatat(p->parent.fd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? hide_below(p, path, err) : 0;
	r = layer_make_whiteout(p->parent.owners, p->parent.fd, path_base(path));
	return r < 0 ? varve_error_set(err, r, "make whiteout of %s", path) : 0;
}

int layer_place_opaque(struct layer_place *p, const char *directory, struct varve_error *err)
{
	int r = place_parent_enter(&p->parent, directory, err);

	if (r < 0)
		return r;
	r = layer_xattr_set_opaque(p->parent.fd);
	return r < 0 ? varve_error_set(err, r, "make %s opaque", directory) : 0;
}

struct finish {
	struct layer_place *place;
	struct strv implied;
	struct varve_error *err;
};

static int finish_directory(void *cookie, const struct place_dir *dir)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, dir->mtime};
	struct finish *f = cookie;
	CLEANUP(fd_close) int fd = place_open_child(f->place->parent.root, dir->path);
	int r = fd < 0 ? fd : layer_xattrs_write(fd, LAYER_XATTR_TREE, &dir->xattrs);

	if (r == 0 && futimens(fd, times) < 0)
		r = -errno;
	if (r < 0)
		return varve_error_set(f->err, r, "set attributes of %s", dir->path);
	if (dir->implied)
		strv_add(&f->implied, dir->path);
	return 0;
}

static int finish_root(struct layer_place *p, struct varve_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	int r = p->parent.owned ? owner_write(p->parent.owners, p->parent.root, ".", 0, 0) : 0;

	if (r == 0 && (fchmod(p->parent.root, 0755) < 0 || futimens(p->parent.root, times) < 0))
		r = -errno;
	return r < 0 ? varve_error_set(err, r, "set attributes of the root") : 0;
}

int layer_place_finish(struct layer_place *p, struct strv *ret_implied, struct varve_error *err)
{
	struct finish f = {.place = p, .implied = STRV_INIT, .err = err};
	int r = place_dirs_each(&p->parent.dirs, finish_directory, &f);

	if (r == 0)
		r = finish_root(p, err);
	if (r < 0) {
		strv_release(&f.implied);
		return r;
	}
	strv_sort(&f.implied);
	*ret_implied = f.implied;
	return 0;
}
