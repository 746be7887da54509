/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/image_diff.h"

#include <pthread.h>
#include "audit/layer_pair.h"
#include "audit/whiteouts.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "store/store.h"

struct image_pair {
	struct varve_store *store;
	const struct image_side *a, *b;
	struct differences *all;
	struct varve_error *err;
};

static const struct varve_descriptor *layer_of(const struct image_side *side, size_t i)
{
	return &side->manifest.children[i + 1];
}

/* --- indexes -------------------------------------------------------------------------------------
 */

static bool read_index(struct varve_store *store, const char *name, struct layer_files *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	return store_fact_read(store, name, &text) >= 0 &&
	       layer_files_parse(buf_text(&text), text.len, ret) == 0;
}

/* Facts are a convenience: that one cannot be written is no error. */
static void write_index(struct varve_store *store, const char *name,
			const struct layer_files *files)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	layer_files_format(files, &text);
	(void)store_fact_write(store, name, text.data, text.len);
}

static int read_blob(const struct image_side *side, size_t i, struct layer_files *ret,
		     struct varve_error *err)
{
	CLEANUP(fd_close) int fd = place_open(side->place, layer_of(side, i), err);

	return fd < 0 ? fd : layer_files_read(fd, layer_of(side, i), ret, err);
}

static int check_diff_id(const struct image_side *side, size_t i, const struct layer_files *files,
			 struct varve_error *err)
{
	char is[VARVE_DIGEST_TEXT], said[VARVE_DIGEST_TEXT];

	if (varve_digest_equal(&files->diff_id, &side->diff_ids[i]))
		return 0;
	return varve_error_set(err, -VARVE_E_DIGEST, "its tar is %s, the config says %s",
			       varve_digest_text(&files->diff_id, is),
			       varve_digest_text(&side->diff_ids[i], said));
}

static int open_layer(const struct image_pair *p, const struct image_side *side, size_t i,
		      struct layer_files *ret)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr)
	char *name = xasprintf("layer-files/%s", varve_digest_hex(&layer_of(side, i)->digest, hex));
	bool known = read_index(p->store, name, ret);
	int r = known ? 0 : read_blob(side, i, ret, p->err);

	if (r == 0 && !known)
		write_index(p->store, name, ret);
	if (r == 0)
		r = check_diff_id(side, i, ret, p->err);
	if (r < 0)
		varve_error_prefix(p->err, "%.300s: layer %zu", side->name, i + 1);
	return r;
}

/* --- layers --------------------------------------------------------------------------------------
 */

static void add_digests(const struct image_pair *p, enum difference_class class, size_t layer,
			const char *field, const struct varve_digest *a,
			const struct varve_digest *b)
{
	char left[VARVE_DIGEST_TEXT], right[VARVE_DIGEST_TEXT];

	differences_add(p->all, &(struct difference){.class = class,
						     .layer = (int)layer,
						     .field = field,
						     .a = a ? varve_digest_text(a, left) : NULL,
						     .b = b ? varve_digest_text(b, right) : NULL});
}

/* The layers below, the same in both images, as one list of paths; NULL paths: not the same. */
static int stack_below(const struct image_pair *p, size_t count, struct strv *ret)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP(layer_files_release) struct layer_files files = {0};
		int r = open_layer(p, p->a, i, &files);

		if (r < 0)
			return r;
		whiteouts_stack(ret, &files);
	}
	return 0;
}

static bool same_below(const struct image_pair *p, size_t i, size_t k)
{
	if (i != k)
		return false;
	for (size_t below = 0; below < i; below++)
		if (!varve_digest_equal(&p->a->diff_ids[below], &p->b->diff_ids[below]))
			return false;
	return true;
}

/* The other layer's data, in a thread of its own. */
struct reading {
	struct layer_data *data;
	const struct varve_descriptor *blob;
	const char *name; /* of the image; borrowed */
	int fd, dirfd, result;
	struct varve_error err;
};

static void *read_beside(void *cookie)
{
	struct reading *r = cookie;

	r->result = layer_data_read(r->data, r->fd, r->blob, r->dirfd, &r->err);
	return NULL;
}

/* Both layers at once where there is something to read. */
static int read_both(struct reading *a, struct reading *b, struct varve_error *err)
{
	pthread_t thread;
	bool beside = b->data->size > 0 && pthread_create(&thread, NULL, read_beside, b) == 0;

	(void)read_beside(a);
	if (beside)
		(void)pthread_join(thread, NULL);
	else
		(void)read_beside(b);
	if (a->result < 0 || b->result < 0) {
		const struct reading *failed = a->result < 0 ? a : b;

		if (err)
			*err = failed->err;
		varve_error_prefix(err, "%.300s", failed->name);
		return failed->result;
	}
	return 0;
}

static int read_data(const struct image_pair *p, size_t i, size_t k, struct layer_pair *pair)
{
	const struct varve_descriptor *left = layer_of(p->a, i), *right = layer_of(p->b, k);
	CLEANUP(fd_close) int a_fd = -1;
	CLEANUP(fd_close) int b_fd = -1;
	struct reading a = {&pair->a_data, left, p->a->name, -1, store_dirfd(p->store), 0, {0}};
	struct reading b = {&pair->b_data, right, p->b->name, -1, store_dirfd(p->store), 0, {0}};
	int r;

	layer_pair_want(pair);
	pair->has_data = true;
	if (pair->a_data.size == 0 && pair->b_data.size == 0)
		return 0;
	a.fd = a_fd = place_open(p->a->place, left, p->err);
	if (a_fd < 0)
		return a_fd;
	b.fd = b_fd = place_open(p->b->place, right, p->err);
	r = b_fd < 0 ? b_fd : read_both(&a, &b, p->err);
	if (r < 0)
		varve_error_prefix(p->err, "layer %zu", i + 1);
	return r;
}

static int compare_entries(const struct image_pair *p, size_t i, size_t k,
			   const struct layer_files *a, const struct layer_files *b)
{
	CLEANUP(strv_release) struct strv below = STRV_INIT;
	CLEANUP(layer_pair_release)
	struct layer_pair pair = {.layer = (int)i + 1, .a = a, .b = b};
	int r = 0;

	if (same_below(p, i, k) && layer_pair_has_lonely_whiteout(&pair)) {
		r = stack_below(p, i, &below);
		pair.below = &below;
	}
	if (r == 0)
		r = read_data(p, i, k, &pair);
	if (r == 0)
		difference_layers(p->all, &pair);
	return r;
}

/* Layer i of a and layer k of b. The config's word for a diff id is not taken. */
static int compare_layer(const struct image_pair *p, size_t i, size_t k)
{
	CLEANUP(layer_files_release) struct layer_files a = {0};
	CLEANUP(layer_files_release) struct layer_files b = {0};
	const struct varve_digest *left = &layer_of(p->a, i)->digest,
				  *right = &layer_of(p->b, k)->digest;
	int r;

	if (varve_digest_equal(left, right) &&
	    varve_digest_equal(&p->a->diff_ids[i], &p->b->diff_ids[k]))
		return 0;
	r = open_layer(p, p->a, i, &a);
	if (r == 0)
		r = open_layer(p, p->b, k, &b);
	if (r < 0)
		return r;
	if (varve_digest_equal(&a.diff_id, &b.diff_id))
		add_digests(p, DIFFERENCE_COMPRESSION, i + 1, "blob", left, right);
	else
		r = compare_entries(p, i, k, &a, &b);
	return r;
}

static int compare_layers(const struct image_pair *p)
{
	size_t left = p->a->layer_count, right = p->b->layer_count, first = 0, last = 0, i = 0;
	size_t least = left < right ? left : right;
	int r = 0;

	while (first < least && varve_digest_equal(&p->a->diff_ids[first], &p->b->diff_ids[first]))
		first++;
	while (last < least - first && varve_digest_equal(&p->a->diff_ids[left - last - 1],
							  &p->b->diff_ids[right - last - 1]))
		last++;
	for (i = 0; r == 0 && i < least - last; i++)
		r = compare_layer(p, i, i);
	for (; r == 0 && i < left - last; i++)
		add_digests(p, DIFFERENCE_LAYER, i + 1, "layer", &p->a->diff_ids[i], NULL);
	for (i = least - last; r == 0 && i < right - last; i++)
		add_digests(p, DIFFERENCE_LAYER, i + 1, "layer", NULL, &p->b->diff_ids[i]);
	for (i = last; r == 0 && i > 0; i--)
		r = compare_layer(p, left - i, right - i);
	return r;
}

/* --- documents -----------------------------------------------------------------------------------
 */

/* What the layers tell in detail, and what only follows from the rest, is left out. */
static void compare_documents(const struct image_pair *p)
{
	CLEANUP(json_decrefp) json_t *a = json_copy(p->a->config);
	CLEANUP(json_decrefp) json_t *b = json_copy(p->b->config);
	CLEANUP(json_decrefp) json_t *left = json_copy(p->a->manifest.document);
	CLEANUP(json_decrefp) json_t *right = json_copy(p->b->manifest.document);
	static const char *const described[] = {"config", "layers"};

	(void)json_object_del(a, "rootfs");
	(void)json_object_del(b, "rootfs");
	difference_documents(p->all, "config", a, b);
	for (size_t i = 0; i < ARRAY_SIZE(described); i++) {
		(void)json_object_del(left, described[i]);
		(void)json_object_del(right, described[i]);
	}
	difference_documents(p->all, "manifest", left, right);
}

int image_diff(struct varve_store *store, const struct image_side *a, const struct image_side *b,
	       struct differences *all, struct varve_error *err)
{
	struct image_pair p = {.store = store, .a = a, .b = b, .all = all, .err = err};
	size_t before = json_array_size(all->list) + all->left_out;
	int r;

	if (varve_digest_equal(&a->manifest.self.digest, &b->manifest.self.digest))
		return 0;
	compare_documents(&p);
	r = compare_layers(&p);
	/* Different digests are always a difference: of spaces, of a layer's media type. */
	if (r == 0 && json_array_size(all->list) + all->left_out == before)
		add_digests(&p, DIFFERENCE_HISTORY, 0, "manifest digest", &a->manifest.self.digest,
			    &b->manifest.self.digest);
	return r;
}
