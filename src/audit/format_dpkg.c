/* SPDX-License-Identifier: Apache-2.0
 *
 *	status    = { paragraph "\n" }
 *	paragraph = { name ":" value "\n" { " " more "\n" } } */
#include "audit/formats.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

enum { PARAGRAPHS_MAX = 1 << 18 };

struct span {
	const char *text; /* borrowed */
	size_t len;
};

struct paragraph {
	struct span all; /* without the empty line behind it */
	char *name; /* "libc6:amd64"; owned */
	size_t order;
};

struct status {
	struct paragraph *items; /* owned */
	size_t count, alloc;
};

static void status_release(struct status *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->items[i].name);
	free(s->items);
}

/* The field with its further lines at the start of text: its length with the last newline. */
static size_t field_len(struct span text)
{
	size_t at = 0;

	do {
		const char *end = memchr(text.text + at, '\n', text.len - at);

		at = end ? (size_t)(end - text.text) + 1 : text.len;
	} while (at < text.len && (text.text[at] == ' ' || text.text[at] == '\t'));
	return at;
}

/* Its value without the last newline; a NULL text where there is none. */
static struct span field_of(const struct paragraph *p, const char *name, size_t name_len)
{
	struct span left = p->all;

	while (left.len > 0) {
		size_t len = field_len(left);

		if (len > name_len && left.text[name_len] == ':' &&
		    memcmp(left.text, name, name_len) == 0) {
			struct span value = {left.text + name_len + 1, len - name_len - 1};

			while (value.len > 0 && *value.text == ' ') {
				value.text++;
				value.len--;
			}
			if (value.len > 0 && value.text[value.len - 1] == '\n')
				value.len--;
			return value;
		}
		left.text += len;
		left.len -= len;
	}
	return (struct span){0};
}

static bool same(struct span a, struct span b)
{
	if (!a.text || !b.text)
		return !a.text && !b.text;
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static bool add_paragraph(struct status *s, struct span all)
{
	struct paragraph *p;
	struct span name, architecture;

	if (s->count == PARAGRAPHS_MAX)
		return false;
	s->items = array_grow(s->items, s->count, &s->alloc, sizeof(*s->items));
	p = &s->items[s->count];
	*p = (struct paragraph){.all = all, .order = s->count};
	name = field_of(p, "Package", 7);
	architecture = field_of(p, "Architecture", 12);
	if (!name.text || name.len > 256 || architecture.len > 256)
		return false;
	p->name = xasprintf("%.*s%s%.*s", (int)name.len, name.text, architecture.text ? ":" : "",
			    (int)architecture.len, architecture.text ? architecture.text : "");
	s->count++;
	return true;
}

static bool parse(const struct content *c, struct status *ret)
{
	struct span left = {(const char *)c->data, c->len};

	while (left.len > 0) {
		const char *end = memmem(left.text, left.len, "\n\n", 2);
		size_t len = end ? (size_t)(end - left.text) + 1 : left.len;

		if (*left.text == '\n')
			len = 0;
		else if (!add_paragraph(ret, (struct span){left.text, len}))
			return false;
		len += len < left.len;
		left.text += len;
		left.len -= len;
	}
	return true;
}

static int by_name(const void *left, const void *right)
{
	const struct paragraph *a = left, *b = right;
	int r = strcmp(a->name, b->name);

	return r != 0 ? r : (a->order > b->order) - (a->order < b->order);
}

static void add_field(struct findings *f, const char *package, struct span name, struct span a,
		      struct span b)
{
	CLEANUP(free_ptr)
	char *where = xasprintf("package %s: %.*s", package, (int)name.len, name.text);
	CLEANUP(free_ptr) char *left = a.text ? xstrndup(a.text, a.len) : NULL;
	CLEANUP(free_ptr) char *right = b.text ? xstrndup(b.text, b.len) : NULL;

	findings_add(f, &(struct finding){.where = where, .a = left, .b = right});
}

/* The fields of a; with only_missing those that b has not. */
static void compare_fields(struct findings *f, const struct paragraph *a, const struct paragraph *b,
			   bool only_missing)
{
	struct span left = a->all;

	while (left.len > 0) {
		size_t len = field_len(left);
		const char *colon = memchr(left.text, ':', len);
		size_t name_len = colon ? (size_t)(colon - left.text) : 0;
		struct span name = {left.text, name_len < 64 ? name_len : 64};
		struct span mine = field_of(a, left.text, name_len),
			    other = field_of(b, left.text, name_len);

		if (colon && only_missing && !other.text)
			add_field(f, a->name, name, other, mine);
		else if (colon && !only_missing && !same(mine, other))
			add_field(f, a->name, name, mine, other);
		left.text += len;
		left.len -= len;
	}
}

static void compare_pair(struct findings *f, const struct paragraph *a, const struct paragraph *b)
{
	size_t before = f->count;

	if (same(a->all, b->all))
		return;
	compare_fields(f, a, b, false);
	compare_fields(f, b, a, true);
	if (f->count == before) {
		CLEANUP(free_ptr) char *where = xasprintf("package %s: order of fields", a->name);

		findings_add(f, &(struct finding){.where = where, .stamp = true});
	}
}

static void compare_order(struct findings *f, const struct status *a, const struct status *b)
{
	if (a->count != b->count)
		return;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->items[i].name, b->items[i].name))
			return;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].order != b->items[i].order) {
			findings_add(f, &(struct finding){.where = "order of packages",
							  .stamp = true,
							  .rule = CURE_DPKG_STATUS_ORDER});
			return;
		}
}

static void add_lonely(struct findings *f, const struct paragraph *only, bool in_a)
{
	CLEANUP(free_ptr) char *where = xasprintf("package %s", only->name);

	findings_add(f, &(struct finding){.where = where,
					  .a = in_a ? "there" : NULL,
					  .b = in_a ? NULL : "there"});
}

static void compare_packages(struct findings *f, const struct status *a, const struct status *b)
{
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		int side = i == a->count   ? 1
			   : k == b->count ? -1
					   : strcmp(a->items[i].name, b->items[k].name);

		if (side == 0)
			compare_pair(f, &a->items[i], &b->items[k]);
		else
			add_lonely(f, side < 0 ? &a->items[i] : &b->items[k], side < 0);
		i += side <= 0;
		k += side >= 0;
	}
}

bool format_dpkg(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(status_release) struct status left = {0};
	CLEANUP(status_release) struct status right = {0};

	if (!parse(a, &left) || !parse(b, &right))
		return false;
	if (left.count > 1)
		qsort(left.items, left.count, sizeof(*left.items), by_name);
	if (right.count > 1)
		qsort(right.items, right.count, sizeof(*right.items), by_name);
	compare_order(f, &left, &right);
	compare_packages(f, &left, &right);
	return true;
}
