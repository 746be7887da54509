/* SPDX-License-Identifier: Apache-2.0
 * Searching a layer's tree for secrets. */
#include "build/secret_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

enum { PART = 256 << 10 };

struct tree_search {
	struct secret_proof *proof;
	struct secret_scan scan;
	const char *path; /* what is being looked at, as it may be shown */
	const char *part; /* " (its name)"; "" for the content */
	bool found; /* in the current stream */
	char *buffer; /* PART bytes */
};

static void tree_search_release(struct tree_search *search)
{
	secret_scan_release(&search->scan);
	free(search->buffer);
}

static void note(void *cookie, const struct secret_hit *hit)
{
	struct tree_search *search = cookie;
	CLEANUP(free_ptr) char *place = NULL;

	if (search->path && !search->found) {
		place = xasprintf("%s%s", search->path, search->part);
		secret_proof_note(search->proof, place, hit);
	}
	search->found = true;
}

static void begin(struct tree_search *search, const char *path, const char *part)
{
	secret_scan_begin(&search->scan);
	search->path = path;
	search->part = part;
	search->found = false;
}

/* A small thing, whole. path NULL: only to know. */
static bool look_at_bytes(struct tree_search *search, const char *path, const char *part,
			  const char *bytes, size_t len)
{
	begin(search, path, part);
	secret_scan_feed(&search->scan, bytes, len);
	secret_scan_end(&search->scan);
	return search->found;
}

/* As much of the path as holds no secret. Caller frees. */
static char *shown_path(struct tree_search *search, const char *path)
{
	size_t len = strlen(path);

	if (!look_at_bytes(search, NULL, "", path, len))
		return xstrdup(path);
	do {
		while (len > 0 && path[len - 1] != '/')
			len--;
		len -= len > 0;
	} while (len > 0 && look_at_bytes(search, NULL, "", path, len));
	return len > 0 ? xasprintf("%.*s/...", (int)len, path) : xstrdup("...");
}

/* A hole is zeros, of which more than the longest pattern cannot matter. */
static void feed_zeros(struct tree_search *search, uint64_t len)
{
	size_t most = search->proof->set.longest;

	most = most < PART ? most : PART;
	most = len < most ? (size_t)len : most;
	memset(search->buffer, 0, most);
	secret_scan_feed(&search->scan, search->buffer, most);
}

static int feed_file(struct tree_search *search, int fd)
{
	off_t at = 0, data, hole;
	ssize_t n = 1;

	while ((data = lseek(fd, at, SEEK_DATA)) >= 0 && n > 0) {
		if (data > at)
			feed_zeros(search, (uint64_t)(data - at));
		hole = lseek(fd, data, SEEK_HOLE);
		for (at = data; at < hole && !search->found; at += n) {
			off_t left = hole - at;

			n = pread(fd, search->buffer, left < PART ? (size_t)left : PART, at);
			if (n < 0)
				return -errno;
			if (n == 0)
				break;
			secret_scan_feed(&search->scan, search->buffer, (size_t)n);
		}
		if (search->found)
			return 0;
	}
	return data < 0 && errno != ENXIO ? -errno : 0;
}

static int look_at_content(struct tree_search *search, int fd, const char *path)
{
	int r;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	begin(search, path, "");
	r = feed_file(search, fd);
	secret_scan_end(&search->scan);
	return r;
}

static int look_at_xattrs(struct tree_search *search, int fd, const char *path)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	int r = layer_xattrs_read(fd, LAYER_XATTR_TREE, &xattrs);

	for (size_t i = 0; r == 0 && i < xattrs.count; i++) {
		const struct layer_xattr *x = &xattrs.items[i];

		(void)look_at_bytes(search, path, " (the name of an extended attribute)", x->name,
				    strlen(x->name));
		(void)look_at_bytes(search, path, " (an extended attribute)", x->value, x->size);
	}
	return r;
}

static int look_at_link(struct tree_search *search, const struct walk_entry *e, const char *path)
{
	char target[LAYER_PATH_MAX];
	ssize_t n = readlinkat(e->dirfd, e->name, target, sizeof(target));

	if (n < 0)
		return -errno;
	(void)look_at_bytes(search, path, " (the target of a link)", target, (size_t)n);
	return 0;
}

static int look_at_inode(struct tree_search *search, const struct walk_entry *e, const char *path)
{
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (S_ISLNK(e->st.st_mode))
		return look_at_link(search, e, path);
	if (!S_ISREG(e->st.st_mode) && !S_ISDIR(e->st.st_mode))
		return 0;
	fd = openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = look_at_xattrs(search, fd, path);
	return r == 0 && S_ISREG(e->st.st_mode) ? look_at_content(search, fd, path) : r;
}

static int look_at_entry(struct tree_search *search, const struct walk_entry *e,
			 struct varve_error *err)
{
	CLEANUP(free_ptr) char *shown = shown_path(search, e->path);
	int r = 0;

	(void)look_at_bytes(search, shown, " (a name)", e->path, strlen(e->path));
	if (!e->whiteout)
		r = look_at_inode(search, e, shown);
	return r < 0 ? varve_error_set(err, r, "search %s for secrets", shown) : 0;
}

int secret_proof_tree(struct secret_proof *proof, int tree, const struct owners *owners,
		      struct varve_error *err)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	CLEANUP(tree_search_release)
	struct tree_search search = {.proof = proof, .scan = {.set = &proof->set, .hit = note}};
	struct walk_entry e;
	int r;

	if (!secret_proof_is_needed(proof))
		return 0;
	search.scan.cookie = &search;
	search.buffer = xmalloc(PART);
	r = layer_walk_new(tree, owners, &walk, err);
	while (r >= 0 && (r = layer_walk_next(walk, &e, err)) > 0)
		r = e.leave ? 0 : look_at_entry(&search, &e, err);
	return r;
}
