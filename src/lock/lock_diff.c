/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

enum { SHORT_DIGEST = 12 };

/* --- objects -----------------------------------------------------------------------------------
 */

/* Text as it is, anything else as JSON. */
static void describe(const json_t *value, struct buf *out)
{
	if (!value)
		buf_addstr(out, "none");
	else if (json_is_string(value))
		buf_addstr(out, json_string_value(value));
	else
		json_canonical(value, out);
}

static void add_keys(const json_t *object, struct strv *keys)
{
	json_t *borrowed = (json_t *)(uintptr_t)object; /* jansson's iterators lack the const */

	for (void *at = json_object_iter(borrowed); at; at = json_object_iter_next(borrowed, at))
		if (!strv_contains(keys, json_object_iter_key(at)))
			strv_add(keys, json_object_iter_key(at));
}

/* NAME: KEY OLD -> NEW for each member that differs. */
static void diff_objects(const char *name, const json_t *a, const json_t *b, struct strv *lines)
{
	CLEANUP(strv_release) struct strv keys = STRV_INIT;

	add_keys(a, &keys);
	add_keys(b, &keys);
	strv_sort(&keys);
	for (size_t i = 0; i < keys.count; i++) {
		CLEANUP(buf_release) struct buf line = BUF_INIT;
		const json_t *before = json_object_get(a, keys.items[i]);
		const json_t *after = json_object_get(b, keys.items[i]);

		if (json_equal(before, after))
			continue;
		buf_addf(&line, "%s: %s ", name, keys.items[i]);
		describe(before, &line);
		buf_addstr(&line, " -> ");
		describe(after, &line);
		strv_take(lines, buf_steal(&line));
	}
}

/* --- artifacts ---------------------------------------------------------------------------------
 */

static int compare_names(const struct lock_artifact *a, const struct lock_artifact *b)
{
	int r = strcmp(a->name, b->name);

	return r ? r : strcmp(a->architecture, b->architecture);
}

static int compare(const void *left, const void *right)
{
	const struct lock_artifact *a = *(const struct lock_artifact *const *)left;
	const struct lock_artifact *b = *(const struct lock_artifact *const *)right;
	int r = compare_names(a, b);

	if (r == 0)
		r = strcmp(a->version, b->version);
	return r ? r : strcmp(a->from, b->from);
}

static const struct lock_artifact **sort(const struct lock_source *source)
{
	const struct lock_artifact **list =
		xcalloc(source->count + 1, sizeof(struct lock_artifact *));

	for (size_t i = 0; i < source->count; i++)
		list[i] = &source->artifacts[i];
	qsort(list, source->count, sizeof(struct lock_artifact *), compare);
	return list;
}

static void say_one(const char *name, char sign, const struct lock_artifact *a, struct strv *lines)
{
	strv_addf(lines, "%s: %c %s%s%s", name, sign, a->name, *a->version ? " " : "", a->version);
}

static void say_pair(const char *name, const struct lock_artifact *a, const struct lock_artifact *b,
		     struct strv *lines)
{
	char before[VARVE_DIGEST_HEX], after[VARVE_DIGEST_HEX];
	const char *space = *b->version ? " " : "";

	if (strcmp(a->version, b->version) != 0) {
		strv_addf(lines, "%s: %s %s -> %s", name, b->name,
			  *a->version ? a->version : "none", *b->version ? b->version : "none");
		return;
	}
	/* The same version with other bytes is what a reviewer must not miss. */
	if (!varve_digest_equal(&a->sha256, &b->sha256))
		strv_addf(lines, "%s: %s%s%s has other bytes: sha256 %.*s -> %.*s", name, b->name,
			  space, b->version, SHORT_DIGEST, varve_digest_hex(&a->sha256, before),
			  SHORT_DIGEST, varve_digest_hex(&b->sha256, after));
	if (strcmp(a->from, b->from) != 0)
		strv_addf(lines, "%s: %s%s%s comes from %s -> %s", name, b->name, space, b->version,
			  a->from, b->from);
}

/* True when both list the same names in the same order. */
static bool same_order(const struct lock_source *a, const struct lock_source *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (compare_names(&a->artifacts[i], &b->artifacts[i]) != 0)
			return false;
	return true;
}

static void diff_artifacts(const struct lock_source *before, const struct lock_source *after,
			   struct strv *lines)
{
	CLEANUP(free_ptr) const struct lock_artifact **a = sort(before);
	CLEANUP(free_ptr) const struct lock_artifact **b = sort(after);
	size_t i = 0, j = 0, pairs = 0;

	while (i < before->count || j < after->count) {
		int order = i == before->count  ? 1
			    : j == after->count ? -1
						: compare_names(a[i], b[j]);

		if (order < 0) {
			say_one(after->name, '-', a[i++], lines);
		} else if (order > 0) {
			say_one(after->name, '+', b[j++], lines);
		} else {
			say_pair(after->name, a[i++], b[j++], lines);
			pairs++;
		}
	}
	if (pairs == before->count && pairs == after->count && !same_order(before, after))
		strv_addf(lines, "%s: the order of the artifacts changed", after->name);
}

/* --- sources -----------------------------------------------------------------------------------
 */

static bool is_in(const struct lock *lock, const struct lock_source *source)
{
	return lock_find(lock, source->name, &source->digest) != NULL;
}

/* The n-th source of this name that the other lock lacks; NULL: there are not that many. */
static const struct lock_source *unmatched(const struct lock *lock, const struct lock *other,
					   const char *name, size_t n)
{
	for (size_t i = 0; i < lock->count; i++)
		if (str_equal(lock->sources[i].name, name) && !is_in(other, &lock->sources[i]) &&
		    n-- == 0)
			return &lock->sources[i];
	return NULL;
}

/* How many sources of its name before the index-th does the other lock lack, too? */
static size_t rank(const struct lock *lock, const struct lock *other, size_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < index; i++)
		n += str_equal(lock->sources[i].name, lock->sources[index].name) &&
		     !is_in(other, &lock->sources[i]);
	return n;
}

static void diff_pair(const struct lock_source *a, const struct lock_source *b, struct strv *lines)
{
	diff_objects(b->name, a->spec, b->spec, lines);
	diff_objects(b->name, a->facts, b->facts, lines);
	diff_artifacts(a, b, lines);
}

static void diff_source(const struct lock *before, const struct lock *after, size_t index,
			struct strv *lines)
{
	const struct lock_source *b = &after->sources[index];
	const struct lock_source *a = lock_find(before, b->name, &b->digest);

	/* A spec that changed shows as one that went and one that came: they are compared. */
	if (!a)
		a = unmatched(before, after, b->name, rank(after, before, index));
	if (a)
		diff_pair(a, b, lines);
	else
		strv_addf(lines, "%s: new, %zu artifact%s", b->name, b->count,
			  b->count == 1 ? "" : "s");
}

void lock_diff(const struct lock *before, const struct lock *after, struct strv *ret_lines)
{
	for (size_t i = 0; i < after->count; i++)
		diff_source(before, after, i, ret_lines);
	for (size_t i = 0; i < before->count; i++) {
		const struct lock_source *a = &before->sources[i];

		if (!is_in(after, a) && !unmatched(after, before, a->name, rank(before, after, i)))
			strv_addf(ret_lines, "%s: gone, with %zu artifact%s", a->name, a->count,
				  a->count == 1 ? "" : "s");
	}
}
