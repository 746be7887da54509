/* SPDX-License-Identifier: Apache-2.0
 * For the tests of src/layer: trees from tables, and trees as text. Lines of a dump:
 *	TYPE MODE UID:GID MTIME PATH[ = CONTENT | -> TARGET]	d f l p as in find(1); w: a
 *whiteout, o: an opaque directory in the order of the walk. Include after <cmocka.h>. */
#ifndef TESTS_LAYER_FIXTURE_H
#define TESTS_LAYER_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "layer/layer.h"
#include "layer/layer_walk.h"
#include "scratch.h"

/* The tables leave out what an item has no word on. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* The tests' own: what inodes say is so. */
static const struct owners owners_root __attribute__((unused)) = {.mode = OWNER_ROOT};

struct tree_item {
	char type; /* d f l p w; h: hard link to .text; 0 ends a table */
	const char *path;
	const char *text; /* content or target */
	mode_t mode; /* 0: 0755 or 0644 */
	uid_t uid;
	gid_t gid;
	time_t mtime;
	const char *xattr, *value; /* one extended attribute */
};

/* An empty directory of the scratch directory, opened. */
static inline int tree_new(const struct scratch *s, const char *name)
{
	int fd;

	assert_int_equal(fd_remove_tree(s->fd, name), 0);
	assert_int_equal(mkdirat(s->fd, name, 0755), 0);
	fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	return fd;
}

/* The tests make whiteouts and give files away. */
static inline void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("# needs root: makes devices 0:0 and changes owners\n");
	skip();
}

static inline int item_make(int root, const struct tree_item *i)
{
	CLEANUP(fd_close) int fd = -1;

	switch (i->type) {
	case 'd':
		return mkdirat(root, i->path, 0700);
	case 'f':
		fd = openat(root, i->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd < 0 ? -1
			      : fd_write_all(fd, i->text ? i->text : "",
					     i->text ? strlen(i->text) : 0);
	case 'l':
		return symlinkat(i->text, root, i->path);
	case 'h':
		return linkat(root, i->text, root, i->path, 0);
	case 'p':
		return mkfifoat(root, i->path, 0600);
	case 's':
		return mknodat(root, i->path, S_IFSOCK | 0600, 0);
	case 'c':
		return mknodat(root, i->path, S_IFCHR | 0600, makedev(1, 3));
	default:
		return mknodat(root, i->path, S_IFCHR, 0);
	}
}

static inline void item_decorate(int root, const struct tree_item *i)
{
	CLEANUP(fd_close) int fd = -1;

	assert_int_equal(fchownat(root, i->path, i->uid, i->gid, AT_SYMLINK_NOFOLLOW), 0);
	if (i->type != 'l')
		assert_int_equal(fchmodat(root, i->path,
					  i->mode          ? i->mode
					  : i->type == 'd' ? 0755
							   : 0644,
					  0),
				 0);
	if (!i->xattr)
		return;
	fd = openat(root, i->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, i->xattr, i->value, strlen(i->value), 0), 0);
}

static inline void item_set_time(int root, const struct tree_item *i)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = i->mtime}};

	assert_int_equal(utimensat(root, i->path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static inline void tree_make(int root, const struct tree_item *items)
{
	size_t count = 0;

	for (; items[count].type; count++) {
		if (item_make(root, &items[count]) != 0)
			fail_msg("make %s: %s", items[count].path, strerror(errno));
		if (items[count].type != 'h' && items[count].type != 'w')
			item_decorate(root, &items[count]);
	}
	while (count-- > 0)
		if (items[count].type != 'h' && items[count].type != 'w')
			item_set_time(root, &items[count]);
}

static inline void dump_content(const struct walk_entry *e, struct buf *out)
{
	char text[4096];
	ssize_t n = 0;

	if (S_ISREG(e->st.st_mode)) {
		CLEANUP(fd_close) int fd = openat(e->dirfd, e->name, O_RDONLY | O_CLOEXEC);

		n = fd_read_full(fd, text, sizeof(text));
		buf_addstr(out, n > 0 ? " = " : "");
	} else if (S_ISLNK(e->st.st_mode)) {
		n = readlinkat(e->dirfd, e->name, text, sizeof(text));
		buf_addstr(out, " -> ");
	}
	if (n > 0)
		buf_add(out, text, (size_t)n);
}

static inline char type_letter(const struct walk_entry *e)
{
	if (S_ISDIR(e->st.st_mode)) {
		CLEANUP(fd_close) int fd = openat(e->dirfd, e->name, O_RDONLY | O_CLOEXEC);

		return fgetxattr(fd, "user.overlay.opaque", NULL, 0) == 1 ? 'o' : 'd';
	}
	if (e->whiteout)
		return 'w';
	return S_ISREG(e->st.st_mode)    ? 'f'
	       : S_ISLNK(e->st.st_mode)  ? 'l'
	       : S_ISFIFO(e->st.st_mode) ? 'p'
					 : '?';
}

/* The text of a tree; caller releases. */
static inline struct buf tree_dump(int root)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct buf out = BUF_INIT;
	struct walk_entry e;

	assert_int_equal(layer_walk_new(root, &owners_root, &walk, NULL), 0);
	while (layer_walk_next(walk, &e, NULL) > 0) {
		if (e.leave)
			continue;
		if (e.whiteout)
			buf_addf(&out, "w %s", e.path);
		else
			buf_addf(&out, "%c %04o %u:%u %" PRId64 " %s", type_letter(&e),
				 e.st.st_mode & 07777, e.st.st_uid, e.st.st_gid,
				 (int64_t)e.st.st_mtim.tv_sec, e.path);
		dump_content(&e, &out);
		buf_addc(&out, '\n');
	}
	return out;
}

static inline void assert_lines(const struct strv *lines, const char *expected)
{
	CLEANUP(free_ptr) char *joined = strv_join(lines, " ");

	assert_string_equal(joined ? joined : "", expected);
}

#endif
