/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/difference.h"

#include <inttypes.h>
#include <stdio.h>
#include "audit/cure.h"
#include "audit/findings.h"
#include "audit/layer_pair.h"
#include "audit/whiteouts.h"
#include "audit/xattrs_text.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"

struct pair {
	struct differences *all;
	const struct layer_pair *layers;
	size_t number; /* of pairs before it whose data differs */
	const struct layer_file *a, *b; /* of the same path */
};

enum { NUMBER = 64 };

static void add(const struct pair *p, enum difference_class class, const char *field,
		const char *kind, const char *a, const char *b)
{
	differences_add(p->all, &(struct difference){.class = class,
						     .layer = p->layers->layer,
						     .path = p->a ? p->a->path : p->b->path,
						     .field = field,
						     .kind = kind,
						     .a = a,
						     .b = b});
}

static void compare_numbers(const struct pair *p, enum difference_class class, const char *field,
			    uint64_t a, uint64_t b)
{
	char left[NUMBER], right[NUMBER];

	if (a == b)
		return;
	(void)snprintf(left, sizeof(left), "%" PRIu64, a);
	(void)snprintf(right, sizeof(right), "%" PRIu64, b);
	add(p, class, field, NULL, left, right);
}

/* What an umask takes away are the bits of group and others. */
static void compare_modes(const struct pair *p)
{
	char left[NUMBER], right[NUMBER];

	if (p->a->mode == p->b->mode)
		return;
	(void)snprintf(left, sizeof(left), "%04o", p->a->mode);
	(void)snprintf(right, sizeof(right), "%04o", p->b->mode);
	differences_add(p->all, &(struct difference){.class = DIFFERENCE_MODE,
						     .layer = p->layers->layer,
						     .path = p->a->path,
						     .field = "mode",
						     .a = left,
						     .b = right,
						     .cure = (p->a->mode ^ p->b->mode) & ~0077U
								     ? NULL
								     : cure_of(CURE_UMASK)});
}

static void compare_times(const struct pair *p)
{
	char left[NUMBER], right[NUMBER];

	if (p->a->mtime == p->b->mtime && p->a->nanoseconds == p->b->nanoseconds)
		return;
	(void)snprintf(left, sizeof(left), "%" PRId64 ".%09ld", p->a->mtime, p->a->nanoseconds);
	(void)snprintf(right, sizeof(right), "%" PRId64 ".%09ld", p->b->mtime, p->b->nanoseconds);
	add(p, DIFFERENCE_TIME, "mtime", NULL, left, right);
}

static void compare_attributes(const struct pair *p)
{
	CLEANUP(xattrs_step_release)
	struct xattrs_step step = {.a_next = p->a->xattrs, .b_next = p->b->xattrs};

	while (xattrs_next(&step)) {
		CLEANUP(free_ptr) char *field = xasprintf("attribute %s", step.name);

		if (!str_equal(step.a, step.b))
			add(p, DIFFERENCE_ATTRIBUTE, field, NULL, step.a, step.b);
	}
}

/* --- content -------------------------------------------------------------------------------------
 */

/* Too large to be looked into: the first bytes tell the kind. */
static void name_by_head(const struct pair *p, struct findings *f)
{
	struct content a = {p->a->path, p->a->head, LAYER_FILE_HEAD},
		       b = {p->b->path, p->b->head, LAYER_FILE_HEAD};

	findings_name_kind(f, content_kind(&a, &b, p->a->text && p->b->text));
	findings_add(f, &(struct finding){.where = "not looked into: too large"});
}

static void look_inside(const struct pair *p, struct findings *f)
{
	struct content a, b;

	if (p->layers->has_data && layer_data_get(&p->layers->a_data, p->number, &a) &&
	    layer_data_get(&p->layers->b_data, p->number, &b))
		content_compare(f, &a, &b);
	else
		name_by_head(p, f);
}

static void compare_content(const struct pair *p)
{
	CLEANUP(findings_release) struct findings f = {0};
	char left[VARVE_DIGEST_TEXT], right[VARVE_DIGEST_TEXT];
	enum difference_class class;
	enum cure_rule place;

	findings_init(&f);
	look_inside(p, &f);
	class = f.effect ? DIFFERENCE_CONTENT : DIFFERENCE_STAMP;
	place = cure_for(class, p->a->path, "content");
	differences_add(p->all,
			&(struct difference){
				.class = class,
				.layer = p->layers->layer,
				.path = p->a->path,
				.field = "content",
				.kind = f.kind,
				.a = varve_digest_text(&p->a->content, left),
				.b = varve_digest_text(&p->b->content, right),
				.inside = f.inside,
				.more = f.count > FINDINGS_MAX ? f.count - FINDINGS_MAX : 0,
				.cure = cure_of(place != CURE_NONE ? place : findings_rule(&f))});
	compare_numbers(p, class, "size", p->a->size, p->b->size);
}

/* --- entries -------------------------------------------------------------------------------------
 */

static const char *type_name(char type)
{
	switch ((enum tar_type)type) {
	case TAR_FILE:
		return "file";
	case TAR_LINK:
		return "hard link";
	case TAR_SYMLINK:
		return "symlink";
	case TAR_CHARACTER:
		return "character device";
	case TAR_BLOCK_DEVICE:
		return "block device";
	case TAR_DIRECTORY:
		return "directory";
	case TAR_FIFO:
		return "fifo";
	}
	return "unknown";
}

static void compare_entry(const struct pair *p)
{
	const struct layer_file *a = p->a, *b = p->b;

	compare_numbers(p, DIFFERENCE_OWNER, "uid", a->uid, b->uid);
	compare_numbers(p, DIFFERENCE_OWNER, "gid", a->gid, b->gid);
	compare_modes(p);
	compare_times(p);
	compare_attributes(p);
	if (a->type != b->type) {
		add(p, DIFFERENCE_TYPE, "type", NULL, type_name(a->type), type_name(b->type));
		return;
	}
	if (!str_equal(a->link, b->link))
		add(p, DIFFERENCE_LINK, "link", NULL, a->link, b->link);
	compare_numbers(p, DIFFERENCE_DEVICE, "major", a->major, b->major);
	compare_numbers(p, DIFFERENCE_DEVICE, "minor", a->minor, b->minor);
	if (!varve_digest_equal(&a->content, &b->content))
		compare_content(p);
}

/* A deletion that the other layer has in other words is one of encoding only. */
static void add_whiteout(const struct pair *p, const struct layer_file *only)
{
	const struct layer_pair *l = p->layers;
	bool moot = l->below && whiteout_comes_to_the_same(l->below, only->path, p->a ? l->a : l->b,
							   p->a ? l->b : l->a);

	add(p, moot ? DIFFERENCE_ENCODING : DIFFERENCE_WHITEOUT, moot ? "whiteouts" : "entry",
	    moot ? "comes to the same" : NULL, p->a ? "whiteout" : NULL, p->b ? "whiteout" : NULL);
}

static void add_lonely(const struct pair *p, const struct layer_file *only)
{
	if (is_whiteout(only->path))
		add_whiteout(p, only);
	else
		add(p, DIFFERENCE_ENTRY, "entry", NULL, p->a ? type_name(only->type) : NULL,
		    p->b ? type_name(only->type) : NULL);
}

/* --- order ---------------------------------------------------------------------------------------
 */

/* Only the same entries can be in another order. */
static bool same_order(const struct layer_files *a, const struct layer_files *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->items[i].path, b->items[i].path))
			return true;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].order != b->items[i].order)
			return false;
	return true;
}

void difference_layers(struct differences *all, const struct layer_pair *layers)
{
	struct pair p = {.all = all, .layers = layers};
	struct layer_pair_step step = {0};
	size_t before = json_array_size(all->list) + all->left_out;

	while (layer_pair_next(layers, &step)) {
		p.a = step.a;
		p.b = step.b;
		if (p.a && p.b)
			compare_entry(&p);
		else
			add_lonely(&p, p.a ? p.a : p.b);
		p.number += layer_pair_step_differs(&step);
	}
	if (!same_order(layers->a, layers->b))
		differences_add(all, &(struct difference){.class = DIFFERENCE_ORDER,
							  .layer = layers->layer,
							  .field = "order of entries"});
	else if (json_array_size(all->list) + all->left_out == before)
		differences_add(all, &(struct difference){.class = DIFFERENCE_ENCODING,
							  .layer = layers->layer,
							  .field = "tar headers"});
}
