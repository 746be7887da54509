/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/image_document.h"
#include "layer/layer_tar_read.h"
#include "store/store.h"

enum { MEMBERS = 20000, LINKS = 8 };
#define BLOBS "blobs/sha256/"

void image_members_release(struct image_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		free(members->items[i].name);
		free(members->items[i].link);
	}
	free(members->items);
	*members = (struct image_members){0};
}

static ssize_t read_file(void *cookie, void *data, size_t len, struct varve_error *err)
{
	ssize_t n = fd_read_full(*(int *)cookie, data, len);

	return n < 0 ? varve_error_set(err, (int)n, "read the archive") : n;
}

/* What the name of a blob promises; false: it promises nothing. */
static bool promised(const char *name, struct varve_digest *ret)
{
	return str_starts(name, BLOBS) && varve_digest_parse_hex(name + strlen(BLOBS), ret) == 0;
}

static int take_file(struct varve_store *store, struct tar_reader *tar, struct image_member *member,
		     struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer w = {0};
	struct varve_digest want;
	const void *data;
	ssize_t n;
	int r = store_blob_begin(store, &w, err);

	if (r < 0)
		return r;
	while ((n = tar_reader_data(tar, &data, err)) > 0) {
		if (w.written == 0)
			member->gzip = n > 2 && memcmp(data, "\x1f\x8b", 2) == 0;
		if (sink_write(&w.sink, data, (size_t)n) < 0)
			break;
	}
	if (n < 0)
		return (int)n;
	member->size = w.written;
	r = store_blob_commit(&w, promised(member->name, &want) ? &want : NULL, &member->digest,
			      err);
	if (r < 0)
		varve_error_prefix(err, "%.200s", member->name);
	return r;
}

/* A symlink's target is meant from where it lies, a hard link's from the archive's root. */
static char *link_target(const struct image_member *member, const struct tar_item *item)
{
	size_t len = path_dir_len(member->name);
	CLEANUP(free_ptr) char *joined = NULL;
	const char *link = item->link;

	if (item->type != TAR_SYMLINK)
		return path_clean(link);
	/* "../HEX/layer.tar", as docker save writes it. */
	while (str_starts(link, "../")) {
		link += 3;
		while (len > 0 && member->name[len - 1] != '/')
			len--;
		len -= len > 0;
	}
	joined = xasprintf("%.*s/%s", (int)len, member->name, link);
	return path_clean(joined);
}

static int take_member(struct varve_store *store, struct tar_reader *tar,
		       const struct tar_item *item, struct image_members *members,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = path_clean(item->path);
	struct image_member *member;

	if (!name || item->type == TAR_DIRECTORY || !*name)
		return 0;
	if (members->count >= MEMBERS)
		return varve_error_set(err, -VARVE_E_LIMIT, "has more than %d members", MEMBERS);
	members->items = array_grow(members->items, members->count, &members->alloc,
				    sizeof(*members->items));
	member = &members->items[members->count++];
	member->name = steal_ptr(&name);
	if (item->type == TAR_SYMLINK || item->type == TAR_LINK) {
		member->link = link_target(member, item);
		return 0;
	}
	return item->type == TAR_FILE ? take_file(store, tar, member, err) : 0;
}

int image_members_read(struct varve_store *store, const char *path, struct image_members *ret,
		       struct varve_error *err)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(tar_reader_freep) struct tar_reader *tar = NULL;
	struct tar_item item;
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "open %.300s", path);
	tar = tar_reader_new(read_file, &fd);
	while ((r = tar_reader_next(tar, &item, err)) == 1) {
		r = take_member(store, tar, &item, ret, err);
		if (r < 0)
			break;
	}
	if (r < 0)
		varve_error_prefix(err, "%.300s", path);
	return r;
}

const struct image_member *image_members_find(const struct image_members *members, const char *name)
{
	for (int links = 0; name && links < LINKS; links++) {
		const struct image_member *found = NULL;

		/* Of two of a name the last counts, as when they are unpacked. */
		for (size_t i = 0; i < members->count; i++) {
			if (str_equal(members->items[i].name, name))
				found = &members->items[i];
		}
		if (!found || !found->link)
			return found;
		name = found->link;
	}
	return NULL;
}

int image_members_json(struct varve_store *store, const struct image_members *members,
		       const char *name, json_t **ret, struct varve_error *err)
{
	const struct image_member *member = image_members_find(members, name);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (!member)
		return varve_error_set(err, -VARVE_E_FORMAT, "the archive has no %.200s", name);
	r = store_blob_read(store, &member->digest, IMAGE_MANIFEST_LIMIT, &text, err);
	return r < 0 ? r : json_parse(buf_text(&text), text.len, name, ret, err);
}
