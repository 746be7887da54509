/* SPDX-License-Identifier: Apache-2.0
 * Trees and power loss. A tree can be made again from its blob, so its thousands of files are not
 * fsynced one by one when it is adopted; but after a crash of the machine such a tree may hold
 *empty or old files under its name. So a fresh tree carries the file "boot" with the kernel's boot
 *id: no "boot"		the tree has been flushed to the disk: good for ever "boot" of this boot
 *what the page cache shows is whole: good "boot" of another one	not trusted: absent for
 *readers, replaced by the next store_tree_adopt store_tree_open takes the mark off with one
 *syncfs(2), at most once in a process, when the tree is a minute old (the kernel has then written
 *it back by itself) and the machine has little else to write: that costs milliseconds. A tree that
 *was never opened again before a reboot is unpacked again. */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"

enum {
	LIST_LIMIT = 64 << 20, /* bytes of a list */
	FLUSH_AGE = 60, /* seconds */
	FLUSH_DIRTY = 64 << 10, /* KiB that the machine may have to write at most */
	TREE_PATH = VARVE_DIGEST_HEX + 32,
};

static const char *form_suffix(const struct owners *owners)
{
	return owners->file_whiteouts ? "-files" : "";
}

static const char *tree_path(const struct owners *owners, const struct varve_digest *diff_id,
			     char path[TREE_PATH])
{
	char hex[VARVE_DIGEST_HEX];

	snprintf(path, TREE_PATH, "trees/%.16s%s/%s", owner_mode_name(owners->mode),
		 form_suffix(owners), varve_digest_hex(diff_id, hex));
	return path;
}

/* --- the mark ----------------------------------------------------------------------------------
 */

static int read_small(int dirfd, const char *path, char text[STORE_BOOT_ID])
{
	CLEANUP(fd_close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len = fd < 0 ? -errno : fd_read_full(fd, text, STORE_BOOT_ID - 1);

	if (len < 0)
		return (int)len;
	text[len] = '\0';
	return 0;
}

void store_tree_find_boot(struct varve_store *store)
{
	if (read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", store->boot) < 0)
		store->boot[0] = '\0';
}

bool store_tree_is_sound(const struct varve_store *store, int tree_dirfd)
{
	char marked[STORE_BOOT_ID];
	int r = read_small(tree_dirfd, "boot", marked);

	if (r < 0)
		return r == -ENOENT;
	return store->boot[0] && str_equal(marked, store->boot);
}

/* KiB that wait to be written on the whole machine. */
static unsigned long dirty_memory(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *dirty, *writeback;

	if (fd_read_file(AT_FDCWD, "/proc/meminfo", 1 << 16, &text, NULL) < 0)
		return ULONG_MAX;
	dirty = strstr(buf_text(&text), "\nDirty:");
	writeback = strstr(buf_text(&text), "\nWriteback:");
	if (!dirty || !writeback)
		return ULONG_MAX;
	return strtoul(dirty + strlen("\nDirty:"), NULL, 10) +
	       strtoul(writeback + strlen("\nWriteback:"), NULL, 10);
}

static void flush(struct varve_store *store, int tree)
{
	struct stat st;

	if (store->flush_tried || fstatat(tree, "boot", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    store_age(&st) < FLUSH_AGE)
		return;
	store->flush_tried = dirty_memory() > FLUSH_DIRTY;
	if (!store->flush_tried && syncfs(tree) == 0)
		(void)unlinkat(tree, "boot", 0);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static int open_tree(const struct varve_store *store, const struct owners *owners,
		     const struct varve_digest *diff_id)
{
	char path[TREE_PATH];
	CLEANUP(fd_close) int fd = -1;

	fd = openat(store->dirfd, tree_path(owners, diff_id, path),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -VARVE_E_NOT_FOUND : -errno;
	return store_tree_is_sound(store, fd) ? steal_fd(&fd) : -VARVE_E_NOT_FOUND;
}

bool store_tree_exists(const struct varve_store *store, const struct owners *owners,
		       const struct varve_digest *diff_id)
{
	CLEANUP(fd_close) int fd = open_tree(store->work, owners, diff_id);

	return fd >= 0;
}

void store_tree_lists_release(struct store_tree_lists *lists)
{
	strv_release(&lists->implied);
	strv_release(&lists->links);
}

static int read_list(int tree, const char *name, struct strv *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_file(tree, name, LIST_LIMIT, &text, err);

	if (r < 0)
		return r;
	for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1)
		strv_add(ret, text.data + at);
	return 0;
}

/* A root directory that is closed to us (its owner is another id of the range) can still be
 * mounted. */
static int open_fs(int tree)
{
	int fd = openat(tree, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == EACCES)
		fd = openat(tree, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* Most trees have no owners to tell of and no devices, and then no such files. */
static int read_lists(int tree, struct store_tree_lists *ret, struct varve_error *err)
{
	int r = read_list(tree, "implied", &ret->implied, err);

	if (r < 0)
		return r;
	ret->devices = faccessat(tree, "devices", F_OK, 0) == 0;
	r = read_list(tree, "links", &ret->links, NULL);
	return r == 0 || r == -ENOENT ? 0 : varve_error_set(err, r, "read links");
}

int store_tree_open(struct varve_store *store, const struct owners *owners,
		    const struct varve_digest *diff_id, int *ret_fs_fd,
		    struct store_tree_lists *ret, struct varve_error *err)
{
	CLEANUP(store_tree_lists_release)
	struct store_tree_lists lists = STORE_TREE_LISTS_INIT;
	CLEANUP(fd_close) int tree = -1, fs = -1;
	char path[TREE_PATH];
	int r;

	store = store->work;
	tree = open_tree(store, owners, diff_id);
	if (tree == -VARVE_E_NOT_FOUND)
		return tree;
	fs = tree < 0 ? tree : open_fs(tree);
	if (fs < 0)
		return varve_error_set(err, fs, "open %s/%s", store->path,
				       tree_path(owners, diff_id, path));
	r = read_lists(tree, &lists, err);
	if (r < 0) {
		varve_error_prefix(err, "%s/%s", store->path, tree_path(owners, diff_id, path));
		return r;
	}
	flush(store, tree);
	*ret_fs_fd = steal_fd(&fs);
	*ret = lists;
	lists = (struct store_tree_lists)STORE_TREE_LISTS_INIT;
	return 0;
}

/* --- adopting ----------------------------------------------------------------------------------
 */

static int write_file(int dirfd, const char *name, const char *data, size_t len)
{
	CLEANUP(fd_close)
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd_write_all(fd, data, len);
}

static int write_list(int tree, const char *name, const struct strv *list)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < list->count; i++)
		buf_add(&text, list->items[i], strlen(list->items[i]) + 1);
	return write_file(tree, name, text.data, text.len);
}

static int write_lists(int tree, const struct store_tree_lists *lists)
{
	int r = write_list(tree, "implied", &lists->implied);

	if (r == 0 && lists->devices)
		r = write_file(tree, "devices", "", 0);
	return r == 0 && lists->links.count > 0 ? write_list(tree, "links", &lists->links) : r;
}

/* Where the boot is not known the mark would say nothing: then all is flushed now, whatever it
 * costs. */
static int write_mark(const struct varve_store *store, int tree)
{
	if (!store->boot[0])
		return syncfs(tree) < 0 ? -errno : 0;
	return write_file(tree, "boot", store->boot, strlen(store->boot));
}

/* dirfd/assembly = {fs, implied, links, devices, boot}, fs being what was dirfd/name. */
static int assemble(const struct varve_store *store, int dirfd, const char *assembly,
		    const char *name, const struct store_tree_lists *lists)
{
	CLEANUP(fd_close) int tree = -1;
	int r;

	if (mkdirat(dirfd, assembly, 0755) < 0)
		return -errno;
	tree = openat(dirfd, assembly, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		return -errno;
	r = write_lists(tree, lists);
	if (r == 0 && renameat(dirfd, name, tree, "fs") < 0)
		r = -errno;
	return r < 0 ? r : write_mark(store, tree);
}

static void take_apart(int dirfd, const char *assembly, const char *name)
{
	CLEANUP(fd_close) int tree = openat(dirfd, assembly, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (tree >= 0)
		(void)renameat(tree, "fs", dirfd, name);
	(void)fd_remove_tree(dirfd, assembly);
}

/* The rename is the moment: it fails where a tree is there, for a tree is never an empty directory.
 * A sound one wins; one that cannot be trusted makes room, and the lock keeps two processes from
 * removing each other's fresh tree in its place. */
static int publish(struct varve_store *store, int dirfd, const char *assembly, const char *path,
		   struct varve_error *err)
{
	CLEANUP(fd_close) int lock = -1, there = -1;
	int r;

	if (renameat(dirfd, assembly, store->dirfd, path) == 0)
		return 1;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	r = store_lock(store, "trees", true, true, &lock, err);
	if (r < 0)
		return r;
	there = openat(store->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (there >= 0 && store_tree_is_sound(store, there))
		return 0;
	log_debug("%s was not flushed before the machine went down: made anew", path);
	r = store_discard(store, path, err);
	if (r < 0)
		return r;
	return renameat(dirfd, assembly, store->dirfd, path) < 0 ? -errno : 1;
}

static int make_form_dir(struct varve_store *store, const struct owners *owners,
			 struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *path = xasprintf("trees/%s%s", owner_mode_name(owners->mode), form_suffix(owners));
	CLEANUP(fd_close) int fd = -1;

	return store_open_dir(store, path, &fd, err);
}

/* NOLINTNEXTLINE(readability-function-size): a tree is named by two values, a directory by two. */
int store_tree_adopt(struct varve_store *store, const struct owners *owners,
		     const struct varve_digest *diff_id, int job_dirfd, const char *name,
		     const struct store_tree_lists *lists, struct varve_error *err)
{
	char path[TREE_PATH], assembly[40];
	int r;

	if (store_tree_exists(store, owners, diff_id))
		return 0;
	store = store->work;
	r = make_form_dir(store, owners, err);
	if (r < 0)
		return r;
	tempfile_name(assembly);
	tree_path(owners, diff_id, path);
	r = assemble(store, job_dirfd, assembly, name, lists);
	if (r == 0)
		r = publish(store, job_dirfd, assembly, path, err);
	if (r <= 0)
		take_apart(job_dirfd, assembly, name);
	if (r < 0) {
		varve_error_set(err, r, "move the tree to %s/%s", store->path, path);
		return store_failed(store, r, "a tree", err);
	}
	return 0;
}
