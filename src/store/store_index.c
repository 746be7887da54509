/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/index.h"
#include "base/strv.h"

int store_index_read(struct varve_store *store, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	struct varve_error first = {0};
	json_t *manifests = NULL;
	int r;

	r = json_read_file(store->dirfd, "index.json", &index, &first);
	if (r == -ENOENT) {
		*ret = index_new();
		return 0;
	}
	if (r == 0)
		r = json_get_array(index, "manifests", &manifests, &first);
	if (r == 0 && json_has_real(index)) /* it could not be written again */
		r = varve_error_set(&first, -VARVE_E_FORMAT, "index.json: a number is no integer");
	if (r < 0) {
		varve_error_prefix(&first, "%s", store->path);
		if (err)
			*err = first;
		return r;
	}
	*ret = steal_ptr(&index);
	return 0;
}

static json_t *manifests_of(const json_t *index)
{
	return json_object_get(index, "manifests");
}

/* --- changing ----------------------------------------------------------------------------------
 */

static json_t *make_entry(const char *name, const struct varve_descriptor *manifest,
			  const json_t *annotations)
{
	json_t *entry = descriptor_to_json(manifest);
	json_t *notes = annotations ? json_deep_copy(annotations) : json_object();

	json_set(notes, INDEX_REF_NAME, json_text(name));
	json_set(entry, "annotations", notes);
	return entry;
}

static int write_index(struct varve_store *store, const json_t *index, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct store_file file = {.dir = ".", .name = "index.json", .sync = true};

	json_canonical(index, &text);
	file.data = text.data;
	file.len = text.len;
	return store_put_file(store, &file, err);
}

static int change(struct varve_store *store, const char *name, json_t *take_entry,
		  struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *entry = take_entry;
	CLEANUP(json_decrefp) json_t *index = NULL;
	CLEANUP(fd_close) int lock = -1;
	int r;

	r = store_lock(store, "index", true, true, &lock, err);
	if (r == 0)
		r = store_index_read(store, &index, err);
	if (r == 0 && index_replace(index, name, steal_ptr(&entry)))
		r = write_index(store, index, err);
	return r;
}

int store_index_set(struct varve_store *store, const char *name,
		    const struct varve_descriptor *manifest, const json_t *annotations,
		    struct varve_error *err)
{
	return change(store, name, make_entry(name, manifest, annotations), err);
}

int store_index_set_all(struct varve_store *store, const struct store_name *names, size_t count,
			struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	CLEANUP(fd_close) int lock = -1;
	bool changed = false;
	int r = store_lock(store, "index", true, true, &lock, err);

	if (r == 0)
		r = store_index_read(store, &index, err);
	for (size_t i = 0; i < count && r == 0; i++)
		changed |= index_replace(index, names[i].name,
					 make_entry(names[i].name, &names[i].manifest, NULL));
	return r == 0 && changed ? write_index(store, index, err) : r;
}

/* --- finding -----------------------------------------------------------------------------------
 */

static int not_found(const struct varve_store *store, const json_t *index, const char *name,
		     struct varve_error *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	const char *nearest;
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests_of(index), i, entry) if (index_entry_name(entry))
		strv_add(&names, index_entry_name(entry));
	nearest = names.count ? str_nearest(name, (const char *const *)names.items) : NULL;
	varve_error_set(err, -VARVE_E_NOT_FOUND, "no image \"%.300s\" in the store %s", name,
			store->path);
	if (nearest)
		varve_error_hint(err, "did you mean \"%.300s\"?", nearest);
	else
		varve_error_hint(err, "varve images lists what is there");
	return -VARVE_E_NOT_FOUND;
}

static bool matches(const json_t *entry, const char *name, const struct varve_digest *digest)
{
	struct varve_digest own;

	if (str_equal(index_entry_name(entry), name))
		return true;
	return !varve_digest_is_none(digest) && json_get_digest(entry, "digest", &own, NULL) == 0 &&
	       varve_digest_equal(&own, digest);
}

static const json_t *find(const json_t *index, const char *name)
{
	struct varve_digest digest = {0};
	const json_t *entry;
	size_t i;

	(void)varve_digest_parse(name, &digest);
	json_array_foreach(manifests_of(index), i,
			   entry) if (matches(entry, name, &digest)) return entry;
	return NULL;
}

int store_index_find(struct varve_store *store, const char *name_or_digest,
		     struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	const json_t *entry;
	int r;

	r = store_index_read(store, &index, err);
	if (r < 0)
		return r;
	entry = find(index, name_or_digest);
	if (!entry)
		return not_found(store, index, name_or_digest, err);
	r = descriptor_from_json(entry, ret, err);
	if (r < 0)
		varve_error_prefix(err, "%s/index.json: \"%.200s\"", store->path, name_or_digest);
	return r;
}

int store_index_remove(struct varve_store *store, const char *name, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	const json_t *entry;
	bool there = false;
	size_t i;
	int r;

	r = store_index_read(store, &index, err);
	if (r < 0)
		return r;
	json_array_foreach(manifests_of(index), i, entry) there |=
		str_equal(index_entry_name(entry), name);
	if (!there)
		return not_found(store, index, name, err);
	return change(store, name, NULL, err);
}
