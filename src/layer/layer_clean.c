/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_upper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "layer/layer_match.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

/* What is known of each directory that the walk is in. */
struct level {
	bool opaque; /* nothing below shows through here */
	bool touched; /* we changed its content: its time must be put back */
};

struct clean {
	struct layer_upper *upper;
	struct level *levels; /* by depth; the root is 0, an entry's parent is levels[depth] */
	size_t alloc;
};

static void clean_release(struct clean *c)
{
	free(c->levels);
}

static int make_whiteout(struct clean *c, int dirfd, const char *path)
{
	int r = layer_make_whiteout(c->upper->rules->owners, dirfd, path_base(path));

	return r < 0 ? varve_error_set(c->upper->err, r, "make whiteout of %s", path) : 0;
}

/* Takes away what a layer cannot hold; what it replaced stays hidden. */
static int replace(struct clean *c, const struct walk_entry *e, const char *what)
{
	struct stat below;
	int r;

	upper_notice(c->upper, "%s: %s is left out", e->path, what);
	c->levels[e->depth].touched = true;
	r = upper_unlink(c->upper, e->dirfd, e->path, 0);
	if (r < 0)
		return r;
	r = layer_lower_find(&c->upper->lower, e->path, &below, NULL, c->upper->err);
	return r > 0 ? make_whiteout(c, e->dirfd, e->path) : r;
}

/* A whiteout for one child of an opaque directory's lower version, unless the upper has it too. */
static int hide_child(struct clean *c, int fd, const char *directory, const char *name)
{
	CLEANUP(free_ptr) char *path = path_join(directory, name);
	struct stat st;
	int r;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = layer_lower_find(&c->upper->lower, path, &st, NULL, c->upper->err);
	return r > 0 ? make_whiteout(c, fd, path) : r;
}

static int hide_children(struct clean *c, int fd, const char *path, int lower_fd)
{
	struct dirent *d;
	DIR *dir = fdopendir(lower_fd);
	int r = 0;

	if (!dir) {
		r = -errno;
		fd_close(&lower_fd);
		return varve_error_set(c->upper->err, r, "read directory %s below", path);
	}
	while (r == 0 && (d = readdir(dir)))
		if (!str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
			r = hide_child(c, fd, path, d->d_name);
	(void)closedir(dir);
	return r < 0 ? r : 0;
}

/* Turns "nothing below shows" into one whiteout per name below. */
static int explain_opaque(struct clean *c, const struct walk_entry *e, int fd)
{
	struct stat below;
	int dirfd, lower_fd, r;

	r = layer_lower_find(&c->upper->lower, e->path, &below, &dirfd, c->upper->err);
	if (r <= 0 || !S_ISDIR(below.st_mode))
		return r < 0 ? r : 0;
	lower_fd = openat(dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (lower_fd < 0)
		return varve_error_set(c->upper->err, -errno, "open directory %s below", e->path);
	return hide_children(c, fd, e->path, lower_fd);
}

static int clean_directory(struct clean *c, const struct walk_entry *e)
{
	CLEANUP(fd_close) int fd = -1;
	struct level *level;
	bool opaque = c->levels[e->depth].opaque;
	int r;

	fd = openat(e->dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : layer_xattr_opaque(fd);
	opaque = opaque || r > 0;
	if (r >= 0)
		r = layer_xattrs_strip(fd);
	if (r < 0)
		return varve_error_set(c->upper->err, r, "extended attributes of %s", e->path);
	c->levels = array_grow(c->levels, e->depth + 1, &c->alloc, sizeof(*c->levels));
	level = &c->levels[e->depth + 1];
	*level = (struct level){.opaque = opaque, .touched = opaque};
	return opaque ? explain_opaque(c, e, fd) : 0;
}

static int strip_file(struct clean *c, const struct walk_entry *e)
{
	CLEANUP(fd_close) int fd = -1;
	int r;

	fd = openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 ? -errno : layer_xattrs_strip(fd);
	if (r < 0)
		return varve_error_set(c->upper->err, r, "extended attributes of %s", e->path);
	return 0;
}

/* What all matching rules together say; later ones win. */
static struct layer_ownership ownership_of(const struct layer_rules *rules, const char *path)
{
	struct layer_ownership o = {.uid = -1, .gid = -1, .mode = -1};

	for (size_t i = 0; i < rules->ownership_count; i++) {
		const struct layer_ownership *rule = &rules->ownership[i];

		if (!layer_match(rule->path, path))
			continue;
		o.uid = rule->uid >= 0 ? rule->uid : o.uid;
		o.gid = rule->gid >= 0 ? rule->gid : o.gid;
		o.mode = rule->mode >= 0 ? rule->mode : o.mode;
	}
	return o;
}

/* chown(2) takes a file's capabilities and set-id bits away; a rule about owners does not mean
 * that. */
static int change_owner(const struct clean *c, const struct walk_entry *e, uid_t uid, gid_t gid)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (!S_ISREG(e->st.st_mode))
		return owner_write(c->upper->rules->owners, e->dirfd, e->name, uid, gid);
	fd = openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 ? -errno : layer_xattrs_read(fd, LAYER_XATTR_TREE, &xattrs);
	if (r == 0)
		r = owner_write(c->upper->rules->owners, e->dirfd, e->name, uid, gid);
	if (r == 0 && fchmod(fd, e->st.st_mode & 07777) < 0)
		r = -errno;
	return r == 0 ? layer_xattrs_write(fd, LAYER_XATTR_TREE, &xattrs) : r;
}

static int apply_ownership(struct clean *c, const struct walk_entry *e)
{
	struct layer_ownership o = ownership_of(c->upper->rules, e->path);
	uid_t uid = o.uid >= 0 ? (uid_t)o.uid : e->st.st_uid;
	gid_t gid = o.gid >= 0 ? (gid_t)o.gid : e->st.st_gid;
	int r = 0;

	if (uid != e->st.st_uid || gid != e->st.st_gid)
		r = change_owner(c, e, uid, gid);
	if (r == 0 && o.mode >= 0 && !S_ISLNK(e->st.st_mode) &&
	    fchmodat(e->dirfd, e->name, (mode_t)o.mode & 07777, 0) < 0)
		r = -errno;
	if (r < 0)
		return varve_error_set(c->upper->err, r, "set owner or mode of %s", e->path);
	return 0;
}

/* Real ones can only come from outside the sandbox: those that a step makes are records. */
static bool is_real_device(const struct walk_entry *e)
{
	struct stat st;

	return (S_ISCHR(e->st.st_mode) || S_ISBLK(e->st.st_mode)) &&
	       (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode));
}

static int clean_other(struct clean *c, const struct walk_entry *e)
{
	if (S_ISSOCK(e->st.st_mode))
		return replace(c, e, "a socket");
	if (is_real_device(e))
		return replace(c, e, "a device");
	if (layer_match_any(c->upper->rules->scrub, e->path)) {
		c->levels[e->depth].touched = true;
		return upper_unlink(c->upper, e->dirfd, e->path, 0);
	}
	if (e->st.st_nlink > 1)
		upper_add_link(c->upper, &e->st, e->path);
	if (S_ISLNK(e->st.st_mode) || S_ISFIFO(e->st.st_mode))
		return 0;
	if (str_ends(e->name, ".pyc") && strstr(e->path, "__pycache__/"))
		strv_add(&c->upper->pycs, e->path);
	return strip_file(c, e);
}

static int clean_entry(struct clean *c, const struct walk_entry *e)
{
	struct stat gone;
	int r;

	if (str_starts(e->name, ".wh."))
		return varve_error_set(c->upper->err, -VARVE_E_FORMAT,
				       "%s: names with \".wh.\" mark deletions in layers", e->path);
	if (e->whiteout)
		return 0;
	r = S_ISDIR(e->st.st_mode) ? clean_directory(c, e) : clean_other(c, e);
	if (r < 0 || fstatat(e->dirfd, e->name, &gone, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	r = owner_read(c->upper->rules->owners, e->dirfd, e->name, &gone);
	if (r < 0)
		return varve_error_set(c->upper->err, r, "read owner of %s", e->path);
	if (layer_is_whiteout(&gone))
		return 0;
	return apply_ownership(c, e);
}

static int clean_event(struct clean *c, const struct walk_entry *e)
{
	if (!e->leave)
		return clean_entry(c, e);
	if (!c->levels[e->depth + 1].touched)
		return 0;
	return upper_set_time(c->upper, e->dirfd, e->path, e->st.st_mtim);
}

int upper_clean(struct layer_upper *upper)
{
	CLEANUP(clean_release) struct clean c = {.upper = upper};
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r;

	c.levels = array_grow(NULL, 0, &c.alloc, sizeof(*c.levels));
	r = layer_walk_new(upper->root, upper->rules->owners, &walk, upper->err);
	if (r < 0)
		return r;
	while ((r = layer_walk_next(walk, &e, upper->err)) > 0) {
		r = clean_event(&c, &e);
		if (r < 0)
			return r;
	}
	return r;
}
