/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/index_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "registry/place_copy.h"

/* A manifest that an index names. */
struct child {
	char platform[MANIFEST_PLATFORM]; /* "" where it tells none */
	const struct varve_descriptor *descriptor; /* borrowed from the manifest */
	size_t order;
};

struct index {
	const struct index_side *side; /* borrowed */
	struct manifest manifest; /* owned */
	struct child *children; /* by platform, then digest or order; owned */
};

static void index_release(struct index *index)
{
	manifest_release(&index->manifest);
	free(index->children);
}

/* By platform; what has none by its digest. */
static int compare_platforms(const struct child *a, const struct child *b)
{
	int r = strcmp(a->platform, b->platform);

	if (r == 0 && !*a->platform)
		r = memcmp(&a->descriptor->digest, &b->descriptor->digest,
			   sizeof(a->descriptor->digest));
	return r;
}

static int by_platform(const void *left, const void *right)
{
	const struct child *a = left, *b = right;
	int r = compare_platforms(a, b);

	return r != 0 ? r : (a->order > b->order) - (a->order < b->order);
}

static int open_index(struct index *ret, struct varve_error *err)
{
	const json_t *entries;
	int r = place_get_manifest(ret->side->place, ret->side->root, &ret->manifest, err);

	if (r < 0) {
		varve_error_prefix(err, "%.300s", ret->side->name);
		return r;
	}
	if (!ret->manifest.is_index)
		return 0;
	entries = json_object_get(ret->manifest.document, "manifests");
	ret->children = xcalloc(ret->manifest.child_count + 1, sizeof(*ret->children));
	for (size_t i = 0; i < ret->manifest.child_count; i++) {
		struct child *child = &ret->children[i];

		child->descriptor = &ret->manifest.children[i];
		child->order = i;
		(void)manifest_platform(json_array_get(entries, i), child->platform);
	}
	qsort(ret->children, ret->manifest.child_count, sizeof(*ret->children), by_platform);
	return 0;
}

struct index_pair {
	struct varve_store *store;
	const struct index *a, *b;
	struct differences *all;
	struct varve_error *err;
};

static int compare_images(const struct index_pair *p, const struct varve_descriptor *left,
			  const struct varve_descriptor *right)
{
	CLEANUP(image_side_release) struct image_side a = {0};
	CLEANUP(image_side_release) struct image_side b = {0};
	int r = image_side_open(p->a->side->place, p->a->side->name, left, &a, p->err);

	if (r == 0)
		r = image_side_open(p->b->side->place, p->b->side->name, right, &b, p->err);
	return r < 0 ? r : image_diff(p->store, &a, &b, p->all, p->err);
}

static void add_lonely(const struct index_pair *p, const struct child *only, bool in_a)
{
	char digest[VARVE_DIGEST_TEXT];
	bool image = *only->platform != '\0';

	(void)varve_digest_text(&only->descriptor->digest, digest);
	differences_add(p->all, &(struct difference){.class = image ? DIFFERENCE_PLATFORM
								    : DIFFERENCE_HISTORY,
						     .field = image ? "image of this platform"
								    : "manifest without a platform",
						     .a = in_a ? digest : NULL,
						     .b = in_a ? NULL : digest});
}

/* One of each, or only one of them. */
static int compare_child(const struct index_pair *p, const struct child *a, const struct child *b,
			 int side)
{
	const struct child *named = side <= 0 ? a : b;
	int r = 0;

	p->all->platform = *named->platform ? named->platform : NULL;
	if (side != 0)
		add_lonely(p, named, side < 0);
	else if (*named->platform)
		r = compare_images(p, a->descriptor, b->descriptor);
	p->all->platform = NULL;
	return r;
}

static int compare_children(const struct index_pair *p)
{
	const struct index *a = p->a, *b = p->b;
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < a->manifest.child_count || k < b->manifest.child_count)) {
		int side = i == a->manifest.child_count ? 1
			   : k == b->manifest.child_count
				   ? -1
				   : compare_platforms(&a->children[i], &b->children[k]);

		r = compare_child(p, &a->children[i], &b->children[k], side);
		i += side <= 0;
		k += side >= 0;
	}
	return r;
}

static void compare_members(const struct index_pair *p)
{
	CLEANUP(json_decrefp) json_t *left = json_copy(p->a->manifest.document);
	CLEANUP(json_decrefp) json_t *right = json_copy(p->b->manifest.document);

	(void)json_object_del(left, "manifests");
	(void)json_object_del(right, "manifests");
	difference_documents(p->all, "index", left, right);
}

static int compare_indexes(const struct index_pair *p)
{
	size_t before = json_array_size(p->all->list) + p->all->left_out;
	char left[VARVE_DIGEST_TEXT], right[VARVE_DIGEST_TEXT];
	int r;

	compare_members(p);
	r = compare_children(p);
	/* Different digests are always a difference: of order, of an entry's annotations. */
	if (r == 0 && json_array_size(p->all->list) + p->all->left_out == before)
		differences_add(p->all,
				&(struct difference){
					.class = DIFFERENCE_HISTORY,
					.field = "index digest",
					.a = varve_digest_text(&p->a->side->root->digest, left),
					.b = varve_digest_text(&p->b->side->root->digest, right)});
	return r;
}

int index_diff(struct varve_store *store, const struct index_side *a, const struct index_side *b,
	       struct differences *all, struct varve_error *err)
{
	CLEANUP(index_release) struct index left = {.side = a};
	CLEANUP(index_release) struct index right = {.side = b};
	struct index_pair p = {store, &left, &right, all, err};
	int r;

	if (varve_digest_equal(&a->root->digest, &b->root->digest))
		return 0;
	r = open_index(&left, err);
	if (r == 0)
		r = open_index(&right, err);
	if (r < 0)
		return r;
	if (left.manifest.is_index != right.manifest.is_index)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "%.300s is an index, %.300s an image of one platform\n"
				       "Without --all-platforms one platform of both is compared.",
				       left.manifest.is_index ? a->name : b->name,
				       left.manifest.is_index ? b->name : a->name);
	return left.manifest.is_index ? compare_indexes(&p) : compare_images(&p, a->root, b->root);
}
