/* SPDX-License-Identifier: Apache-2.0 */
#include "source/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_tar_read.h"
#include "store/store.h"

enum { COPY_BLOCK = 1 << 20, LINKS = 4 };

void layout_release(struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++) {
		free(layout->members[i].path);
		free(layout->members[i].link);
	}
	free(layout->members);
	free(layout->path);
	fd_close(&layout->fd);
	*layout = (struct layout)LAYOUT_INIT;
}

const char *layout_blob(const struct varve_digest *digest, char name[LAYOUT_BLOB])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(name, LAYOUT_BLOB, "blobs/sha256/%s", varve_digest_hex(digest, hex));
	return name;
}

/* --- archives ----------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	const struct layout_member *left = a, *right = b;
	int r = strcmp(left->path, right->path);

	/* Of two of one name the later one counts, as with tar. */
	return r ? r : (left->offset < right->offset) - (left->offset > right->offset);
}

static ssize_t read_archive(void *cookie, void *data, size_t len, struct varve_error *err)
{
	const struct layout *layout = cookie;
	ssize_t n = fd_read_full(layout->fd, data, len);

	return n < 0 ? varve_error_set(err, (int)n, "read %s", layout->path) : n;
}

/* The target of a link, seen from the top of the archive. NULL: it leads out. */
static char *link_target(const struct tar_item *item, const char *path)
{
	CLEANUP(buf_release) struct buf target = BUF_INIT;
	const char *rest = item->link;
	size_t len = path_dir_len(path);

	if (item->type == TAR_LINK)
		return path_clean(item->link);
	buf_add(&target, path, len);
	while (str_starts(rest, "../")) {
		CLEANUP(free_ptr) char *above = NULL;

		if (target.len == 0)
			return NULL;
		above = xstrndup(buf_text(&target), path_dir_len(buf_text(&target)));
		buf_reset(&target);
		buf_addstr(&target, above);
		rest += 3;
	}
	buf_addf(&target, "/%s", rest);
	return *rest == '/' ? NULL : path_clean(buf_text(&target));
}

static int add_member(struct layout *layout, const struct tar_item *item, uint64_t offset,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_clean(item->path);
	struct layout_member *member;
	bool is_link = item->type == TAR_LINK || item->type == TAR_SYMLINK;

	if (item->type != TAR_FILE && !is_link)
		return 0;
	if (!path || *path == '\0')
		return varve_error_set(err, -VARVE_E_FORMAT, "%s has a member \"%.100s\"",
				       layout->path, item->path);
	if (layout->count >= LAYOUT_MEMBER_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s has more than %d members",
				       layout->path, LAYOUT_MEMBER_LIMIT);
	layout->members = array_grow(layout->members, layout->count, &layout->alloc,
				     sizeof(*layout->members));
	member = &layout->members[layout->count++];
	member->is_link = is_link;
	member->link = is_link ? link_target(item, path) : NULL;
	member->path = steal_ptr(&path);
	member->offset = offset;
	member->size = item->size;
	return 0;
}

static int refuse_compressed(const struct layout *layout, struct varve_error *err)
{
	static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	unsigned char start[4] = {0};

	if (pread(layout->fd, start, sizeof(start), 0) < 0)
		return varve_error_set(err, -errno, "read %s", layout->path);
	if (memcmp(start, gzip, sizeof(gzip)) != 0 && memcmp(start, zstd, sizeof(zstd)) != 0)
		return 0;
	varve_error_set(err, -VARVE_E_FORMAT, "%s is compressed as a whole", layout->path);
	varve_error_hint(err, "unpack it first: gunzip or zstd -d; its layers stay compressed");
	return -VARVE_E_FORMAT;
}

static int read_members(struct layout *layout, struct varve_error *err)
{
	CLEANUP(tar_reader_freep) struct tar_reader *reader = tar_reader_new(read_archive, layout);
	struct tar_item item;
	int r = refuse_compressed(layout, err);

	while (r == 0 && (r = tar_reader_next(reader, &item, err)) > 0)
		r = add_member(layout, &item, tar_reader_offset(reader), err);
	if (r < 0) {
		varve_error_prefix(err, "%s", layout->path);
		return r;
	}
	if (layout->count > 1)
		qsort(layout->members, layout->count, sizeof(*layout->members), compare);
	return 0;
}

static const struct layout_member *find(const struct layout *layout, const char *path)
{
	size_t low = 0, high = layout->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(layout->members[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < layout->count && str_equal(layout->members[low].path, path)
		       ? &layout->members[low]
		       : NULL;
}

static const struct layout_member *find_file(const struct layout *layout, const char *path)
{
	const struct layout_member *member = find(layout, path);

	for (int i = 0; member && member->is_link && i < LINKS; i++)
		member = member->link ? find(layout, member->link) : NULL;
	return member && !member->is_link ? member : NULL;
}

/* --- opening -----------------------------------------------------------------------------------
 */

int layout_open(const char *path, struct layout *ret, struct varve_error *err)
{
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	struct stat st;
	int r = 0;

	layout.path = xstrdup(path);
	layout.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (layout.fd < 0 || fstat(layout.fd, &st) < 0)
		return varve_error_set(err, -errno, "open %s", path);
	layout.is_archive = S_ISREG(st.st_mode);
	if (!layout.is_archive && !S_ISDIR(st.st_mode))
		return varve_error_set(err, -VARVE_E_USAGE, "%s is neither a file nor a directory",
				       path);
	if (layout.is_archive)
		r = read_members(&layout, err);
	if (r < 0)
		return r;
	*ret = layout;
	layout = (struct layout)LAYOUT_INIT;
	return 0;
}

/* Component by component, so that no link leads out of the directory. */
static int open_in_directory(int top, const char *path)
{
	CLEANUP(fd_close) int at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	while (at >= 0) {
		size_t len = strcspn(path, "/");
		CLEANUP(free_ptr) char *name = xstrndup(path, len);
		bool last = path[len] == '\0';
		int next = openat(at, name,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
					  (last ? 0 : O_DIRECTORY));

		fd_close(&at);
		at = next;
		if (last || at < 0)
			break;
		path += len + 1;
	}
	if (at < 0 || fstat(at, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? steal_fd(&at) : -EINVAL;
}

static int no_member(const struct layout *layout, const char *member, int r,
		     struct varve_error *err)
{
	return varve_error_set(err, r, "%s: %s", layout->path, member);
}

int layout_open_member(const struct layout *layout, const char *member, int *ret_fd,
		       uint64_t *ret_size, struct varve_error *err)
{
	const struct layout_member *found = NULL;
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	if (!path_is_clean(member))
		return no_member(layout, member, -EINVAL, err);
	if (layout->is_archive && !(found = find_file(layout, member)))
		return no_member(layout, member, -ENOENT, err);
	/* A descriptor of its own has an offset of its own. */
	if (found)
		fd = open(layout->path, O_RDONLY | O_CLOEXEC);
	else
		fd = open_in_directory(layout->fd, member);
	if (fd < 0)
		return no_member(layout, member, found ? -errno : fd, err);
	if (found && lseek(fd, (off_t)found->offset, SEEK_SET) < 0)
		return no_member(layout, member, -errno, err);
	if (fstat(fd, &st) < 0)
		return no_member(layout, member, -errno, err);
	*ret_size = found ? found->size : (uint64_t)st.st_size;
	*ret_fd = steal_fd(&fd);
	return 0;
}

bool layout_has(const struct layout *layout, const char *member)
{
	CLEANUP(fd_close) int fd = -1;

	if (layout->is_archive)
		return find_file(layout, member) != NULL;
	fd = open_in_directory(layout->fd, member);
	return fd >= 0;
}

int layout_read(const struct layout *layout, const char *member, size_t limit, struct buf *ret,
		struct varve_error *err)
{
	CLEANUP(fd_close) int fd = -1;
	uint64_t size = 0;
	ssize_t n;
	int r = layout_open_member(layout, member, &fd, &size, err);

	if (r < 0)
		return r;
	if (size > limit)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: %s has more than %zu bytes",
				       layout->path, member, limit);
	buf_reserve(ret, (size_t)size);
	n = fd_read_full(fd, ret->data + ret->len, (size_t)size);
	if (n < 0 || (uint64_t)n != size)
		return no_member(layout, member, n < 0 ? (int)n : -ESTALE, err);
	ret->len += (size_t)n;
	ret->data[ret->len] = '\0';
	return 0;
}

static int copy(int fd, uint64_t size, struct sink *out)
{
	CLEANUP(free_ptr) char *block = xmalloc(COPY_BLOCK);
	int r = 0;

	while (size > 0 && r == 0) {
		size_t want = size < COPY_BLOCK ? (size_t)size : COPY_BLOCK;
		ssize_t n = fd_read_full(fd, block, want);

		if (n != (ssize_t)want)
			return n < 0 ? (int)n : -ESTALE;
		r = sink_write(out, block, want);
		size -= want;
	}
	return r;
}

static int list_directory(int top, const char *path, struct strv *ret)
{
	CLEANUP(fd_close)
	int fd = openat(top, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		return -errno;
	(void)steal_fd(&fd);
	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strv_take(ret, path_join(path, entry->d_name));
	(void)closedir(stream);
	return 0;
}

int layout_list(const struct layout *layout, struct strv *ret, struct varve_error *err)
{
	static const char *const places[] = {"", "blobs", "blobs/sha256"};
	int r = 0;

	for (size_t i = 0; i < layout->count; i++)
		strv_add(ret, layout->members[i].path);
	for (size_t i = 0; !layout->is_archive && i < ARRAY_SIZE(places) && r == 0; i++)
		r = list_directory(layout->fd, places[i], ret);
	if (r < 0)
		return varve_error_set(err, r, "list %s", layout->path);
	strv_sort(ret);
	return 0;
}

int layout_verify(const struct layout *layout, const char *member,
		  const struct varve_descriptor *want, struct varve_error *err)
{
	struct sink_hash hash;
	CLEANUP(fd_close) int fd = -1;
	char wanted[VARVE_DIGEST_HEX], given[VARVE_DIGEST_HEX];
	uint64_t size = 0;
	int r = layout_open_member(layout, member, &fd, &size, err);

	if (r < 0)
		return r;
	sink_hash_init(&hash, NULL);
	r = copy(fd, size, &hash.sink);
	if (r == 0)
		r = sink_close(&hash.sink, err);
	if (r == 0 && (size != want->size || !varve_digest_equal(&hash.digest, &want->digest)))
		r = varve_error_set(err, -VARVE_E_DIGEST,
				    "%s: %s was altered: it is sha256:%s, not %s", layout->path,
				    member, varve_digest_hex(&hash.digest, given),
				    varve_digest_hex(&want->digest, wanted));
	sink_hash_release(&hash);
	return r;
}

/* --- into the store ----------------------------------------------------------------------------
 */

int layout_import(const struct layout *layout, const char *member, struct varve_store *store,
		  const struct varve_digest *want, struct varve_descriptor *ret,
		  struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer writer = {0};
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (want && varve_store_has_blob(store, want, &ret->size)) {
		ret->digest = *want;
		return 0;
	}
	r = layout_open_member(layout, member, &fd, &ret->size, err);
	if (r == 0)
		r = store_blob_begin(store, &writer, err);
	if (r < 0)
		return r;
	r = copy(fd, ret->size, &writer.sink);
	if (r == -ESTALE)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: %s ends too early", layout->path,
				       member);
	if (r == 0)
		r = sink_close(&writer.sink, err);
	if (r == 0)
		r = store_blob_commit(&writer, want, &ret->digest, err);
	if (r < 0)
		varve_error_prefix(err, "%s: %s", layout->path, member);
	return r;
}
