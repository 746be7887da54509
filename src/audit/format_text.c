/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "audit/cause.h"
#include "base/cleanup.h"

enum { LINES_MAX = 1 << 20, LINES_SHOWN = 3, WHERE = 64 };

struct line {
	const char *text; /* without its end; borrowed */
	size_t len;
};

struct lines {
	struct line *items; /* owned */
	size_t count, alloc;
};

static void lines_release(struct lines *lines)
{
	free(lines->items);
}

static void split(const struct content *c, struct lines *ret)
{
	const char *at = (const char *)c->data, *end = at + c->len;

	while (at < end && ret->count < LINES_MAX) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		ret->items[ret->count++] = (struct line){at, (size_t)(stop - at)};
		at = stop + 1;
	}
}

static int by_bytes(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	size_t least = a->len < b->len ? a->len : b->len;
	int r = least ? memcmp(a->text, b->text, least) : 0;

	return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

static bool is_sorted(const struct lines *lines)
{
	for (size_t i = 1; i < lines->count; i++)
		if (by_bytes(&lines->items[i - 1], &lines->items[i]) > 0)
			return false;
	return true;
}

static char lowered(const char **at, const char *end)
{
	while (*at < end && strchr("\"'.,-_/ ", **at))
		(*at)++;
	if (*at == end)
		return '\0';
	(*at)++;
	return (char)((*at)[-1] >= 'A' && (*at)[-1] <= 'Z' ? (*at)[-1] + 'a' - 'A' : (*at)[-1]);
}

/* As locales collate, nearly: without case and punctuation. */
static bool is_collated(const struct lines *lines)
{
	for (size_t i = 1; i < lines->count; i++) {
		const char *a = lines->items[i - 1].text, *b = lines->items[i].text;
		const char *a_end = a + lines->items[i - 1].len, *b_end = b + lines->items[i].len;
		char left, right;

		do {
			left = lowered(&a, a_end);
			right = lowered(&b, b_end);
		} while (left == right && left);
		if ((unsigned char)left > (unsigned char)right)
			return false;
	}
	return true;
}

/* Sorts both. */
static bool same_lines(struct lines *a, struct lines *b)
{
	if (a->count != b->count || a->count == LINES_MAX || a->count < 2)
		return false;
	qsort(a->items, a->count, sizeof(*a->items), by_bytes);
	qsort(b->items, b->count, sizeof(*b->items), by_bytes);
	for (size_t i = 0; i < a->count; i++)
		if (!same(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static enum cure_rule cause_of_order(const struct lines *a, const struct lines *b)
{
	return (is_sorted(a) && is_collated(b)) || (is_sorted(b) && is_collated(a))
		       ? CURE_LOCALE_SORT
		       : CURE_LINE_ORDER;
}

static bool compare_order(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(lines_release) struct lines left = {0};
	CLEANUP(lines_release) struct lines right = {0};
	enum cure_rule rule;

	split(a, &left);
	split(b, &right);
	rule = cause_of_order(&left, &right);
	if (!same_lines(&left, &right))
		return false;
	findings_add(f, &(struct finding){.where = "order of lines", .rule = rule});
	return true;
}

/* --- ends of lines -------------------------------------------------------------------------------
 */

static bool same_but_for_ends(const struct content *a, const struct content *b)
{
	size_t i = 0, k = 0;

	while (i < a->len && k < b->len) {
		bool a_cr = i + 1 < a->len && a->data[i] == '\r' && a->data[i + 1] == '\n';
		bool b_cr = k + 1 < b->len && b->data[k] == '\r' && b->data[k + 1] == '\n';

		i += a_cr;
		k += b_cr;
		if (a->data[i++] != b->data[k++])
			return false;
	}
	return i == a->len && k == b->len;
}

static bool compare_ends(struct findings *f, const struct content *a, const struct content *b)
{
	bool a_first = a->len > b->len;

	if (a->len == b->len || !same_but_for_ends(a, b))
		return false;
	findings_add(f, &(struct finding){.where = "ends of lines",
					  .a = a_first ? "CR LF" : "LF",
					  .b = a_first ? "LF" : "CR LF",
					  .rule = CURE_LINE_ENDS});
	return true;
}

/* --- lines ---------------------------------------------------------------------------------------
 */

static enum cure_rule cause_of_lines(const struct content *c, const struct line *a,
				     const struct line *b)
{
	enum cure_rule rule = a && b ? cause_of(a->text, a->len, b->text, b->len) : CURE_NONE;
	bool shadow = str_equal(c->name, "etc/shadow") || str_equal(c->name, "etc/shadow-");

	return shadow && rule == CURE_PROCESS_ID ? CURE_SHADOW_DAY : rule;
}

static void add_line(struct findings *f, const struct content *c, size_t number,
		     const struct line *a, const struct line *b)
{
	CLEANUP(free_ptr) char *left = a ? xstrndup(a->text, a->len) : NULL;
	CLEANUP(free_ptr) char *right = b ? xstrndup(b->text, b->len) : NULL;
	char where[WHERE];

	(void)snprintf(where, sizeof(where), "line %zu", number);
	findings_add(
		f, &(struct finding){
			   .where = where, .a = left, .b = right, .rule = cause_of_lines(c, a, b)});
}

/* The end of the last line is no line. */
static void add_last_end(struct findings *f, const struct content *a)
{
	bool a_has = a->len > 0 && a->data[a->len - 1] == '\n';

	findings_add(f, &(struct finding){.where = "end of the last line",
					  .a = a_has ? "LF" : "none",
					  .b = a_has ? "none" : "LF"});
}

/* Side by side while both have as many; else only the first, as what follows is shifted. */
static void compare_lines(struct findings *f, const struct content *c, const struct lines *a,
			  const struct lines *b)
{
	size_t most = a->count > b->count ? a->count : b->count, shown = 0, differ = 0;
	bool aligned = a->count == b->count;

	for (size_t i = 0; i < most; i++) {
		const struct line *left = i < a->count ? &a->items[i] : NULL,
				  *right = i < b->count ? &b->items[i] : NULL;

		if (left && right && same(left, right))
			continue;
		differ++;
		if (shown < LINES_SHOWN && (aligned || shown == 0)) {
			add_line(f, c, i + 1, left, right);
			shown++;
		}
	}
	if (aligned && differ > shown) {
		char where[WHERE];

		(void)snprintf(where, sizeof(where), "%zu of %zu lines differ", differ, most);
		findings_add(f, &(struct finding){.where = where});
	}
}

bool format_text(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(lines_release) struct lines left = {0};
	CLEANUP(lines_release) struct lines right = {0};
	size_t before = f->count;

	if (compare_ends(f, a, b) || compare_order(f, a, b))
		return true;
	split(a, &left);
	split(b, &right);
	compare_lines(f, a, &left, &right);
	if (f->count == before && left.count < LINES_MAX)
		add_last_end(f, a);
	return f->count > before;
}
