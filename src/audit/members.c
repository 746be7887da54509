/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "audit/inflated.h"
#include "base/cleanup.h"

void members_release(struct members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		free(members->items[i].name);
		free(members->items[i].link);
	}
	free(members->items);
	*members = (struct members){0};
}

struct member *members_add(struct members *members)
{
	struct member *one;

	if (members->count == MEMBERS_MAX)
		return NULL;
	members->items = array_grow(members->items, members->count, &members->alloc, sizeof(*one));
	one = &members->items[members->count];
	*one = (struct member){.order = members->count};
	members->count++;
	return one;
}

static int by_name(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int r = strcmp(a->name, b->name);

	return r != 0 ? r : (a->order > b->order) - (a->order < b->order);
}

/* --- one pair ------------------------------------------------------------------------------------
 */

struct member_pair {
	struct findings *f;
	const struct members_rules *rules;
	const struct member *a, *b;
};

static void add_to(struct findings *f, const char *name, const struct finding *one)
{
	CLEANUP(free_ptr) char *where = xasprintf("member %s: %s", name, one->where);
	struct finding with = *one;

	with.where = where;
	findings_add(f, &with);
}

static void add(const struct member_pair *p, const char *what, bool stamp, const char *a,
		const char *b)
{
	add_to(p->f, p->a->name,
	       &(struct finding){.where = what,
				 .a = a,
				 .b = b,
				 .stamp = stamp,
				 .rule = stamp ? p->rules->stamp : CURE_NONE});
}

static void add_number(const struct member_pair *p, const char *what, bool stamp,
		       const char *format, uint64_t a, uint64_t b)
{
	char left[32], right[32];
	const bool octal = str_equal(format, "octal");

	if (a == b)
		return;
	(void)snprintf(left, sizeof(left), octal ? "%04" PRIo64 : "%" PRIu64, a);
	(void)snprintf(right, sizeof(right), octal ? "%04" PRIo64 : "%" PRIu64, b);
	add(p, what, stamp, left, right);
}

static bool same_bytes(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

enum { INFLATED_MAX = 512 << 20 }; /* of all members: they may lie in each other */

/* The member's own data; false where it cannot be had. */
static bool data_of(struct findings *f, const struct member *m, struct buf *room,
		    struct content *ret)
{
	*ret = (struct content){m->name, m->data, m->len};
	if (m->opaque)
		return false;
	if (!m->deflated)
		return true;
	if (f->inflated > INFLATED_MAX || !inflated(INFLATED_RAW, m->data, m->len, room))
		return false;
	f->inflated += room->len;
	ret->data = (const unsigned char *)buf_text(room);
	ret->len = room->len;
	return true;
}

static void compare_data(const struct member_pair *p)
{
	CLEANUP(buf_release) struct buf a_room = BUF_INIT;
	CLEANUP(buf_release) struct buf b_room = BUF_INIT;
	CLEANUP(free_ptr) char *where = xasprintf("member %s", p->a->name);
	struct content a, b;
	bool a_known = data_of(p->f, p->a, &a_room, &a), b_known = data_of(p->f, p->b, &b_room, &b);

	if (a_known && b_known && same_bytes(a.data, a.len, b.data, b.len))
		add(p, "compressed otherwise", true, NULL, NULL);
	else if (a_known && b_known)
		content_compare_members(p->f, where, &a, &b);
	else
		add(p, "data", false, NULL, NULL);
}

static void compare_pair(const struct member_pair *p)
{
	const struct member *a = p->a, *b = p->b;
	bool stamp = !p->rules->owner_matters;
	char left[32], right[32];

	(void)snprintf(left, sizeof(left), "%" PRId64, a->time);
	(void)snprintf(right, sizeof(right), "%" PRId64, b->time);
	if (a->time != b->time)
		add(p, "date", true, left, right);
	add_number(p, "uid", stamp, "", a->uid, b->uid);
	add_number(p, "gid", stamp, "", a->gid, b->gid);
	add_number(p, "mode", stamp, "octal", a->mode, b->mode);
	if (a->type != b->type || !str_equal(a->link, b->link))
		add(p, a->type != b->type ? "type" : "link", false, a->link, b->link);
	else if (!same_bytes(a->data, a->len, b->data, b->len))
		compare_data(p);
	if (!same_bytes(a->extra.data, a->extra.len, b->extra.data, b->extra.len))
		add(p, "extra fields", true, NULL, NULL);
}

/* --- all -----------------------------------------------------------------------------------------
 */

/* Asked when both are sorted: of the same names, whether their places are the same too. */
static void compare_order(struct findings *f, const struct members_rules *rules,
			  const struct members *a, const struct members *b)
{
	bool moved = false;

	if (a->count != b->count)
		return;
	for (size_t i = 0; i < a->count; i++) {
		if (!str_equal(a->items[i].name, b->items[i].name))
			return;
		moved = moved || a->items[i].order != b->items[i].order;
	}
	if (moved)
		findings_add(f, &(struct finding){.where = "order of members",
						  .stamp = !rules->order_matters,
						  .rule = rules->order});
}

static void add_lonely(struct findings *f, const struct member *only, bool in_a)
{
	add_to(f, only->name,
	       &(struct finding){.where = "only in one",
				 .a = in_a ? "there" : NULL,
				 .b = in_a ? NULL : "there"});
}

void members_compare(struct findings *f, const struct members_rules *rules, struct members *a,
		     struct members *b)
{
	size_t i = 0, k = 0;

	if (a->count > 1)
		qsort(a->items, a->count, sizeof(*a->items), by_name);
	if (b->count > 1)
		qsort(b->items, b->count, sizeof(*b->items), by_name);
	compare_order(f, rules, a, b);
	while (i < a->count || k < b->count) {
		int side = i == a->count   ? 1
			   : k == b->count ? -1
					   : strcmp(a->items[i].name, b->items[k].name);

		if (side == 0)
			compare_pair(&(struct member_pair){f, rules, &a->items[i], &b->items[k]});
		else
			add_lonely(f, side < 0 ? &a->items[i] : &b->items[k], side < 0);
		i += side <= 0;
		k += side >= 0;
	}
}

/* NOLINTNEXTLINE(readability-function-size): two archives, and what their format says of them */
bool members_compare_archives(struct findings *f, const struct members_rules *rules,
			      const struct content *a, const struct content *b,
			      bool (*read)(const struct content *c, struct members *ret),
			      const char *otherwise)
{
	CLEANUP(members_release) struct members left = {0};
	CLEANUP(members_release) struct members right = {0};
	size_t before = f->count;

	if (!read(a, &left) || !read(b, &right))
		return false;
	members_compare(f, rules, &left, &right);
	if (f->count == before)
		findings_add(f, &(struct finding){.where = otherwise});
	return true;
}
