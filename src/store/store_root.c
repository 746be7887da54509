/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { ROOT_LIMIT = 16 << 20 };

static void format(const struct varve_digest *digests, size_t count, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *root = json_object();
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_append(list, json_of_digest(&digests[i]));
	json_set(root, "digests", list);
	json_set(root, "varve-root", json_integer(1));
	json_canonical(root, out);
}

/* True when the file holds these bytes; then it is touched. */
static bool is_set(const struct varve_store *store, const char *path, const struct buf *want)
{
	CLEANUP(buf_release) struct buf have = BUF_INIT;
	CLEANUP(fd_close)
	int fd = openat(store->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fd_read_all(fd, ROOT_LIMIT, &have) < 0 ||
	    have.len != want->len || memcmp(have.data, want->data, want->len) != 0)
		return false;
	store_touch(fd, &st);
	return true;
}

int store_root_set(struct varve_store *store, const char *name, const struct varve_digest *digests,
		   size_t count, struct varve_error *err)
{
	CLEANUP(free_ptr) char *file_name = xasprintf("%s.json", name);
	CLEANUP(free_ptr) char *path = path_join("roots", file_name);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct store_file file = {.dir = "roots", .name = file_name, .sync = true};

	if (!path_is_clean(name) || strchr(name, '/') || strlen(file_name) > STORE_NAME)
		return varve_error_set(err, -EINVAL, "name of a root: \"%.200s\"", name);
	format(digests, count, &text);
	if (is_set(store, path, &text))
		return 0;
	file.data = text.data;
	file.len = text.len;
	return store_put_file(store, &file, err);
}
