/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/path.h"

enum { FACT_LIMIT = 256 << 20 };

int store_fact_read(struct varve_store *store, const char *name, struct buf *ret)
{
	CLEANUP(free_ptr) char *path = path_join("facts", name);
	CLEANUP(fd_close) int fd = -1;

	if (!path_is_clean(name))
		return -EINVAL;
	fd = openat(store->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd_read_all(fd, FACT_LIMIT, ret);
}

int store_fact_write(struct varve_store *store, const char *name, const void *data, size_t len)
{
	CLEANUP(free_ptr) char *path = path_join("facts", name);
	CLEANUP(free_ptr) char *dir = xstrndup(path, path_dir_len(path));
	struct store_file file = {.dir = dir, .name = path_base(path), .data = data, .len = len};
	struct varve_error unused;

	if (!path_is_clean(name))
		return -EINVAL;
	return store_put_file(store, &file, &unused);
}

/* --- facts/blob/DIFFID.COMPRESSION
 * ---------------------------------------------------------------- */

static char *blob_fact_name(const struct varve_digest *diff_id, const char *compression)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("blob/%s.%s", varve_digest_hex(diff_id, hex), compression);
}

int store_blob_of_layer(struct varve_store *store, const struct varve_digest *diff_id,
			const char *compression, struct varve_layer *ret)
{
	CLEANUP(free_ptr) char *name = blob_fact_name(diff_id, compression);
	CLEANUP(json_decrefp) json_t *object = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error unused;
	struct varve_layer layer;
	uint64_t size;

	if (store_fact_read(store, name, &text) < 0 ||
	    json_parse(buf_text(&text), text.len, name, &object, &unused) < 0 ||
	    layer_from_json(object, &layer, &unused) < 0)
		return -VARVE_E_NOT_FOUND;
	if (!varve_digest_equal(&layer.diff_id, diff_id) ||
	    !varve_store_has_blob(store, &layer.blob.digest, &size) || size != layer.blob.size)
		return -VARVE_E_NOT_FOUND;
	*ret = layer;
	return 0;
}

int store_note_blob_of_layer(struct varve_store *store, const struct varve_layer *layer,
			     const char *compression, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = blob_fact_name(&layer->diff_id, compression);
	CLEANUP(json_decrefp) json_t *object = layer_to_json(layer);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	json_canonical(object, &text);
	r = store_fact_write(store, name, text.data, text.len);
	if (r < 0)
		varve_error_set(err, r, "write %s/facts/%s", store->path, name);
	return store_failed(store, r, "a fact", err);
}
