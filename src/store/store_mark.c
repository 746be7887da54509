/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/index.h"
#include "base/path.h"
#include "base/strv.h"

enum {
	DOCUMENT_LIMIT = 16 << 20, /* bytes of a manifest, index or config that is followed */
	DEPTH = 8, /* indexes in indexes */
	FILE_LIMIT = 64 << 20, /* bytes of a record or root */
};

void store_marks_release(struct store_marks *marks)
{
	digest_set_release(&marks->blobs);
	digest_set_release(&marks->diff_ids);
	digest_set_release(&marks->keys);
}

/* --- images ------------------------------------------------------------------------------------
 */

static void mark_descriptor(struct varve_store *store, const json_t *descriptor, int depth,
			    struct store_marks *marks);

static void mark_list(struct varve_store *store, const json_t *list, int depth,
		      struct store_marks *marks)
{
	const json_t *descriptor;
	size_t i;

	json_array_foreach(list, i, descriptor) mark_descriptor(store, descriptor, depth, marks);
}

static void mark_diff_ids(const json_t *config, struct store_marks *marks)
{
	const json_t *diff_id;
	struct varve_digest digest;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(config, "rootfs"), "diff_ids"), i,
			   diff_id) if (json_is_string(diff_id) &&
					varve_digest_parse(json_string_value(diff_id), &digest) ==
						0) digest_set_add(&marks->diff_ids, &digest);
}

/* Every document that names blobs does it in these members, whoever wrote it: indexes, manifests
 * and artifacts of OCI and their elder forms of Docker. */
static void mark_document(struct varve_store *store, const json_t *document, int depth,
			  struct store_marks *marks)
{
	static const char *const lists[] = {"manifests", "layers", "blobs"};
	static const char *const single[] = {"config", "subject"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		mark_list(store, json_object_get(document, lists[i]), depth, marks);
	for (size_t i = 0; i < ARRAY_SIZE(single); i++)
		mark_descriptor(store, json_object_get(document, single[i]), depth, marks);
	mark_diff_ids(document, marks);
}

static void mark_descriptor(struct varve_store *store, const json_t *descriptor, int depth,
			    struct store_marks *marks)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_digest digest;
	struct varve_error unused;

	if (!json_is_object(descriptor) ||
	    json_get_digest(descriptor, "digest", &digest, &unused) < 0 ||
	    !digest_set_add(&marks->blobs, &digest) || depth == 0 ||
	    !str_ends(json_optional_string(descriptor, "mediaType", ""), "+json"))
		return;
	/* An image that is there in part (or not at all) keeps what there is. */
	if (store_blob_read(store, &digest, DOCUMENT_LIMIT, &text, &unused) == 0 &&
	    json_parse(buf_text(&text), text.len, "blob", &document, &unused) == 0)
		mark_document(store, document, depth - 1, marks);
}

/* What refers to something that stays, stays too. True: something did that was not known before. */
static bool mark_referrers(struct varve_store *store, const json_t *entries,
			   struct store_marks *marks)
{
	struct varve_digest subject, own;
	const json_t *entry;
	bool found = false;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		if (!index_entry_is_referrers(entry, &subject) ||
		    !digest_set_has(&marks->blobs, &subject) ||
		    json_get_digest(entry, "digest", &own, NULL) < 0 ||
		    digest_set_has(&marks->blobs, &own))
			continue;
		mark_descriptor(store, entry, DEPTH, marks);
		found = true;
	}
	return found;
}

static int mark_images(struct varve_store *store, struct store_marks *marks,
		       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	const json_t *entry, *entries;
	size_t i;
	int r = store_index_read(store, &index, err);

	if (r < 0) {
		varve_error_hint(err,
				 "nothing was removed: without it nobody knows what is needed");
		return r;
	}
	entries = json_object_get(index, "manifests");
	json_array_foreach(entries, i, entry)
	{
		if (!index_entry_is_referrers(entry, NULL))
			mark_descriptor(store, entry, DEPTH, marks);
	}
	while (mark_referrers(store, entries, marks))
		;
	return 0;
}

/* --- records and roots -------------------------------------------------------------------------
 */

/* Parses DIR/NAME if it is younger than keep_seconds; NULL otherwise and where it is no document.
 */
static json_t *read_young(const struct varve_store *store, const char *dir, const char *name,
			  uint64_t keep_seconds)
{
	CLEANUP(free_ptr) char *path = path_join(dir, name);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *object = NULL;
	struct varve_error unused;
	struct stat st;

	if (!str_ends(name, ".json") || fstatat(store->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || store_age(&st) >= keep_seconds ||
	    fd_read_file(store->dirfd, path, FILE_LIMIT, &text, &unused) < 0 ||
	    json_parse(buf_text(&text), text.len, path, &object, &unused) < 0)
		return NULL;
	return object;
}

static void mark_record(const char *name, const json_t *record, struct store_marks *marks)
{
	CLEANUP(layer_list_release) struct layer_list layers = {0};
	struct varve_digest key;

	if (!store_digest_of_name(name, &key) || layer_list_get(record, &layers, NULL) < 0)
		return;
	digest_set_add(&marks->keys, &key);
	for (size_t i = 0; i < layers.count; i++) {
		digest_set_add(&marks->blobs, &layers.items[i].blob.digest);
		digest_set_add(&marks->diff_ids, &layers.items[i].diff_id);
	}
}

static void mark_root(const char *name, const json_t *root, struct store_marks *marks)
{
	const json_t *text;
	struct varve_digest digest;
	size_t i;

	(void)name;
	json_array_foreach(json_object_get(root, "digests"), i,
			   text) if (json_is_string(text) &&
				     varve_digest_parse(json_string_value(text), &digest) == 0)
		digest_set_add(&marks->blobs, &digest);
}

static void mark_dir(const struct varve_store *store, const char *path, uint64_t keep_seconds,
		     void (*mark)(const char *, const json_t *, struct store_marks *),
		     struct store_marks *marks)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	(void)store_list(store, path, &names);
	for (size_t i = 0; i < names.count; i++) {
		CLEANUP(json_decrefp)
		json_t *object = read_young(store, path, names.items[i], keep_seconds);

		if (object)
			mark(names.items[i], object, marks);
	}
}

int store_mark(struct varve_store *store, uint64_t keep_seconds, struct store_marks *ret,
	       struct varve_error *err)
{
	struct store_marks marks = {0};
	int r = mark_images(store, &marks, err);

	if (r < 0) {
		store_marks_release(&marks);
		return r;
	}
	mark_dir(store, "steps", keep_seconds, mark_record, &marks);
	mark_dir(store, "roots", keep_seconds, mark_root, &marks);
	*ret = marks;
	return 0;
}
