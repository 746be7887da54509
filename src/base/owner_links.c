/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner_links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner.h"
#include "base/path.h"
#include "base/strv.h"

enum { LIST_DEPTH = 2048 };

struct owner_links {
	void *inodes; /* tsearch(3) tree of struct inode */
	size_t count;
	struct strv loaded; /* paths of owner_links_load */
	struct strv carried; /* a list of those that owner_links_carry copied up */
	bool devices;
};

/* Two inodes of one number on different file systems are told apart by their births as well. */
struct inode {
	uint64_t number;
	int64_t birth; /* seconds; 0 where the file system keeps none, as the next */
	uint32_t birth_nsec;
	uint32_t uid, gid;
};

static int compare(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->birth != y->birth)
		return x->birth < y->birth ? -1 : 1;
	if (x->birth_nsec != y->birth_nsec)
		return x->birth_nsec < y->birth_nsec ? -1 : 1;
	return 0;
}

struct owner_links *owner_links_new(void)
{
	return xcalloc(1, sizeof(struct owner_links));
}

void owner_links_free(struct owner_links *links)
{
	if (!links)
		return;
	tdestroy(links->inodes, free);
	strv_release(&links->loaded);
	strv_release(&links->carried);
	free(links);
}

size_t owner_links_count(const struct owner_links *links)
{
	return links ? links->count : 0;
}

static int identify(int dirfd, const char *name, struct inode *ret)
{
	struct statx stx;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &stx) <
	    0)
		return -errno;
	*ret = (struct inode){.number = stx.stx_ino};
	if (stx.stx_mask & STATX_BTIME) {
		ret->birth = stx.stx_btime.tv_sec;
		ret->birth_nsec = stx.stx_btime.tv_nsec;
	}
	return 0;
}

int owner_links_set(struct owner_links *links, int dirfd, const char *name, uint32_t uid,
		    uint32_t gid)
{
	struct inode wanted, *made, **found;
	int r = identify(dirfd, name, &wanted);

	if (r < 0)
		return r;
	found = tfind(&wanted, &links->inodes, compare);
	if (!found) {
		made = xcalloc(1, sizeof(*made));
		*made = wanted;
		found = tsearch(made, &links->inodes, compare);
		if (!found)
			abort();
		links->count++;
	}
	(*found)->uid = uid;
	(*found)->gid = gid;
	return 0;
}

bool owner_links_get(const struct owner_links *links, int dirfd, const char *name,
		     uint32_t *ret_uid, uint32_t *ret_gid)
{
	struct inode wanted;
	struct inode *const *found;

	if (links->count == 0 || identify(dirfd, name, &wanted) < 0)
		return false;
	found = tfind(&wanted, &links->inodes, compare);
	if (!found)
		return false;
	*ret_uid = (*found)->uid;
	*ret_gid = (*found)->gid;
	return true;
}

void owner_links_note_device(struct owner_links *links)
{
	if (links)
		links->devices = true;
}

bool owner_links_has_devices(const struct owner_links *links)
{
	return links && links->devices;
}

void owner_links_forget_devices(struct owner_links *links)
{
	if (links)
		links->devices = false;
}

static int load(struct owner_links *links, int tree, const struct strv *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i], *space = strchr(item, ' ');
		struct owner_record record;
		int r;

		if (!space || space[1] == '\0' ||
		    !owner_record_parse(item, (size_t)(space - item), &record) || !record.owned ||
		    record.device)
			return -EBADMSG;
		r = owner_links_set(links, tree, space + 1, record.uid, record.gid);
		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return r;
	}
	return 0;
}

int owner_links_load(struct owner_links *links, int tree, const struct strv *list)
{
	int r = load(links, tree, list);

	for (size_t i = 0; r == 0 && i < list->count; i++)
		strv_add(&links->loaded, strchr(list->items[i], ' ') + 1);
	return r;
}

static int open_beneath(int root, const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

int owner_links_carry(struct owner_links *links, int root)
{
	strv_release(&links->carried);
	for (size_t i = 0; i < links->loaded.count; i++) {
		const char *path = links->loaded.items[i];
		CLEANUP(fd_close) int fd = open_beneath(root, path);
		uint32_t uid, gid;

		if (fd < 0 || !owner_links_get(links, fd, "", &uid, &gid))
			continue; /* of another view, or hidden */
		if (fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0)
			return -errno;
		strv_addf(&links->carried, "%u:%u %s", uid, gid, path);
	}
	return (int)links->carried.count;
}

int owner_links_settle(struct owner_links *links, int root)
{
	return load(links, root, &links->carried);
}

struct listing {
	const struct owner_links *links;
	struct strv *ret;
	unsigned depth;
};

static int list_directory(struct listing *l, int dirfd, const char *path);

static int list_entry(struct listing *l, int dirfd, const struct dirent *d, const char *directory)
{
	CLEANUP(free_ptr) char *path = path_join(directory, d->d_name);
	CLEANUP(fd_close) int child = -1;
	uint32_t uid, gid;
	struct stat st;

	if (d->d_type == DT_REG)
		return 0;
	if (d->d_type != DT_DIR && fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (d->d_type == DT_DIR || S_ISDIR(st.st_mode)) {
		child = openat(dirfd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return child < 0 ? -errno : list_directory(l, child, path);
	}
	if (!S_ISREG(st.st_mode) && owner_links_get(l->links, dirfd, d->d_name, &uid, &gid) &&
	    (uid != 0 || gid != 0))
		strv_addf(l->ret, "%u:%u %s", uid, gid, path);
	return 0;
}

static int list_directory(struct listing *l, int dirfd, const char *path)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!stream) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	if (++l->depth > LIST_DEPTH)
		r = -ELOOP;
	while (r == 0 && (d = readdir(stream)))
		if (!str_equal(d->d_name, ".") && !str_equal(d->d_name, ".."))
			r = list_entry(l, dirfd, d, path);
	l->depth--;
	(void)closedir(stream);
	return r;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(strchr(*(const char *const *)a, ' '), strchr(*(const char *const *)b, ' '));
}

int owner_links_list(const struct owner_links *links, int tree, struct strv *ret)
{
	struct listing l = {.links = links, .ret = ret};
	int r = links->count == 0 ? 0 : list_directory(&l, tree, "");

	if (r == 0 && ret->count > 1)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_paths);
	return r;
}
