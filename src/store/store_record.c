/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"

enum { RECORD_VERSION = 1, RECORD_LIMIT = 64 << 20, RECORD_NAME = VARVE_DIGEST_HEX + 5 };

static const char *record_name(const struct varve_digest *key, char name[RECORD_NAME])
{
	char hex[VARVE_DIGEST_HEX];

	snprintf(name, RECORD_NAME, "%s.json", varve_digest_hex(key, hex));
	return name;
}

void store_record_release(struct store_record *record)
{
	json_decrefp(&record->input);
	layer_list_release(&record->layers);
	*record = (struct store_record){0};
}

/* --- reading -----------------------------------------------------------------------------------
 */

static int copy_member(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = NULL;
	int r = json_get_string(object, key, &text, NULL);

	if (r < 0)
		return r;
	if (strlen(text) >= size)
		return -VARVE_E_FORMAT;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int store_record_from_json(const json_t *object, struct store_record *ret)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	json_t *input = NULL;
	uint64_t version = 0;

	if (json_get_u64(object, "varve-record", &version, NULL) < 0 || version != RECORD_VERSION ||
	    json_get_object(object, "input", &input, NULL) < 0 ||
	    layer_list_get(object, &record.layers, NULL) < 0)
		return -VARVE_E_FORMAT;
	if (copy_member(object, "compression", record.compression, sizeof(record.compression)) <
		    0 ||
	    copy_member(object, "compressor", record.compressor, sizeof(record.compressor)) < 0 ||
	    copy_member(object, "step", record.step, sizeof(record.step)) < 0)
		return -VARVE_E_FORMAT;
	if (json_has_real(input))
		return -VARVE_E_FORMAT;
	json_digest(input, &record.key);
	record.input = json_incref(input);
	*ret = record;
	memset(&record, 0, sizeof(record));
	return 0;
}

static bool has_layers(const struct varve_store *store, const struct layer_list *layers)
{
	uint64_t size;

	for (size_t i = 0; i < layers->count; i++)
		if (!varve_store_has_blob(store, &layers->items[i].blob.digest, &size) ||
		    size != layers->items[i].blob.size)
			return false;
	return true;
}

static int read_text(const struct varve_store *store, const char *name, struct buf *text,
		     struct varve_error *err)
{
	char path[RECORD_NAME + 6];
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "steps/%s", name);
	fd = openat(store->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return -VARVE_E_NOT_FOUND;
	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : fd_read_all(fd, RECORD_LIMIT, text);
	if (r < 0)
		return varve_error_set(err, r, "read %s/%s", store->path, path);
	store_touch(fd, &st); /* gc goes by it */
	return 0;
}

int store_record_read(struct varve_store *store, const struct varve_digest *key,
		      struct store_record *ret, struct varve_error *err)
{
	CLEANUP(store_record_release) struct store_record record = {0};
	CLEANUP(json_decrefp) json_t *object = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[RECORD_NAME];
	struct varve_error unused;
	int r;

	r = read_text(store, record_name(key, name), &text, err);
	if (r < 0)
		return r;
	if (json_parse(buf_text(&text), text.len, name, &object, &unused) < 0 ||
	    store_record_from_json(object, &record) < 0 || !varve_digest_equal(&record.key, key) ||
	    !has_layers(store, &record.layers))
		return -VARVE_E_NOT_FOUND;
	*ret = record;
	record = (struct store_record){0};
	return 0;
}

static void stir(int dirfd)
{
	CLEANUP(tempfile_abort) struct tempfile file = TEMPFILE_INIT;

	(void)tempfile_begin(dirfd, 0600, &file, NULL);
}

void store_refresh(struct varve_store *store)
{
	CLEANUP(fd_close)
	int steps = openat(store->dirfd, "steps", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (steps >= 0)
		stir(steps);
	stir(store->blobs_fd);
}

/* --- writing -----------------------------------------------------------------------------------
 */

json_t *store_record_to_json(const struct store_record *record)
{
	json_t *object = json_object();

	json_set(object, "varve-record", json_integer(RECORD_VERSION));
	json_set(object, "input", json_incref(record->input));
	layer_list_set(object, &record->layers);
	json_set(object, "compression", json_text(record->compression));
	json_set(object, "compressor", json_text(record->compressor));
	json_set(object, "step", json_text(record->step));
	return object;
}

int store_record_write(struct varve_store *store, const struct store_record *record,
		       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *object = store_record_to_json(record);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[RECORD_NAME];
	struct store_file file = {.dir = "steps", .name = name, .sync = true};

	record_name(&record->key, name);
	json_canonical(object, &text);
	file.data = text.data;
	file.len = text.len;
	return store_put_file(store, &file, err);
}
