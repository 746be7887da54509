/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size_text.h"
#include "base/strv.h"

enum { SHORT_DIGEST = 12 };

/* --- objects -----------------------------------------------------------------------------------
 */

/* What is longer than this is told of, not shown. */
enum { SHOWN_VALUE = 100 };

/* Text as it is, a date as one, anything else as JSON. */
static void describe(const char *key, const json_t *value, struct buf *out)
{
	struct tm tm;
	char text[32];
	time_t date;

	if (!value) {
		buf_addstr(out, "none");
	} else if (json_is_string(value)) {
		buf_addstr(out, json_string_value(value));
	} else if (str_equal(key, "date") && json_is_integer(value)) {
		date = (time_t)json_integer_value(value);
		if (gmtime_r(&date, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
			buf_addstr(out, text);
	} else {
		json_canonical(value, out);
	}
}

static void add_keys(const json_t *object, struct strv *keys)
{
	json_t *borrowed = (json_t *)(uintptr_t)object; /* jansson's iterators lack the const */

	for (void *at = json_object_iter(borrowed); at; at = json_object_iter_next(borrowed, at))
		if (!strv_contains(keys, json_object_iter_key(at)))
			strv_add(keys, json_object_iter_key(at));
}

static void diff_member(const char *name, const char *key, const json_t *before,
			const json_t *after, struct strv *lines)
{
	CLEANUP(buf_release) struct buf was = BUF_INIT;
	CLEANUP(buf_release) struct buf is = BUF_INIT;

	if (json_equal(before, after))
		return;
	describe(key, before, &was);
	describe(key, after, &is);
	if (was.len > SHOWN_VALUE || is.len > SHOWN_VALUE)
		strv_addf(lines, "%s: %s changed", name, key);
	else
		strv_addf(lines, "%s: %s %s -> %s", name, key, buf_text(&was), buf_text(&is));
}

/* NAME: KEY OLD -> NEW for each member that differs and is not among those passed over. */
static void diff_objects(const char *name, const json_t *a, const json_t *b,
			 const char *const *passed_over, struct strv *lines)
{
	CLEANUP(strv_release) struct strv keys = STRV_INIT;

	add_keys(a, &keys);
	add_keys(b, &keys);
	strv_sort(&keys);
	for (size_t i = 0; i < keys.count; i++) {
		const char *const *skip = passed_over;

		while (*skip && !str_equal(*skip, keys.items[i]))
			skip++;
		if (!*skip)
			diff_member(name, keys.items[i], json_object_get(a, keys.items[i]),
				    json_object_get(b, keys.items[i]), lines);
	}
}

/* --- facts -------------------------------------------------------------------------------------
 */

/* "refs/heads/main" -> "main " */
static char *short_ref(const json_t *facts)
{
	const char *ref = json_optional_string(facts, "ref", "");

	if (str_starts(ref, "refs/heads/") || str_starts(ref, "refs/tags/"))
		ref = strchr(ref + strlen("refs/"), '/') + 1;
	return xasprintf("%s%s", ref, *ref ? " " : "");
}

/* Another commit is one line: its tree, its date and its ref go with it. */
static void diff_facts(const char *name, const json_t *a, const json_t *b, struct strv *lines)
{
	static const char *const of_commit[] = {"commit", "tree", "date", "ref", NULL};
	const char *before = json_optional_string(a, "commit", "");
	const char *after = json_optional_string(b, "commit", "");
	CLEANUP(free_ptr) char *was = NULL;
	CLEANUP(free_ptr) char *is = NULL;

	if (!*before || !*after || str_equal(before, after)) {
		diff_objects(name, a, b, of_commit + ARRAY_SIZE(of_commit) - 1, lines);
		return;
	}
	was = short_ref(a);
	is = short_ref(b);
	strv_addf(lines, "%s: %s%.*s -> %s%.*s", name, was, SHORT_DIGEST, before,
		  str_equal(was, is) ? "" : is, SHORT_DIGEST, after);
	diff_objects(name, a, b, of_commit, lines);
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

/* Returns whether the artifact is another; the same from another place is not. */
static bool say_pair(const char *name, const struct lock_artifact *a, const struct lock_artifact *b,
		     struct strv *lines)
{
	bool other = !varve_digest_equal(&a->sha256, &b->sha256);
	char before[VARVE_DIGEST_HEX], after[VARVE_DIGEST_HEX];
	const char *space = *b->version ? " " : "";

	if (strcmp(a->version, b->version) != 0) {
		strv_addf(lines, "%s: %s %s -> %s", name, b->name,
			  *a->version ? a->version : "none", *b->version ? b->version : "none");
		return true;
	}
	/* The same version with other bytes is what a reviewer must not miss. */
	if (other)
		strv_addf(lines, "%s: %s%s%s has other bytes: sha256 %.*s -> %.*s", name, b->name,
			  space, b->version, SHORT_DIGEST, varve_digest_hex(&a->sha256, before),
			  SHORT_DIGEST, varve_digest_hex(&b->sha256, after));
	if (strcmp(a->from, b->from) != 0)
		strv_addf(lines, "%s: %s%s%s comes from %s -> %s", name, b->name, space, b->version,
			  a->from, b->from);
	return other;
}

/* What the artifacts of a source are called. */
static const char *noun(const struct lock_source *source)
{
	const char *kind = json_optional_string(source->spec, "kind", "");

	if (str_equal(kind, "debian"))
		return "package";
	if (str_equal(kind, "python"))
		return json_is_true(json_object_get(source->spec, "sdist")) ? "file" : "wheel";
	return "file";
}

static uint64_t total_size(const struct lock_source *source)
{
	uint64_t total = 0;

	for (size_t i = 0; i < source->count; i++)
		total += source->artifacts[i].size;
	return total;
}

/* "py: +3 wheels, -1, 2 changed; 12.3 MB -> 14.0 MB" */
struct tally {
	size_t added, removed, changed;
};

static void say_tally(const struct lock_source *before, const struct lock_source *after,
		      const struct tally *n, struct strv *lines)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	uint64_t was = total_size(before), is = total_size(after);
	char a[16], b[16];
	const char *what = noun(after);

	if (n->added + n->removed + n->changed == 0)
		return;
	if (n->added > 0) {
		buf_addf(&line, ", +%zu %s%s", n->added, what, n->added == 1 ? "" : "s");
		what = NULL;
	}
	if (n->removed > 0) {
		buf_addf(&line, ", -%zu", n->removed);
		if (what)
			buf_addf(&line, " %s%s", what, n->removed == 1 ? "" : "s");
		what = NULL;
	}
	if (n->changed > 0) {
		buf_addf(&line, ", %zu ", n->changed);
		if (what)
			buf_addf(&line, "%s%s ", what, n->changed == 1 ? "" : "s");
		buf_addstr(&line, "changed");
	}
	if (was == is)
		strv_addf(lines, "%s: %s; %s as before", after->name, buf_text(&line) + 2,
			  size_text(is, a));
	else
		strv_addf(lines, "%s: %s; %s -> %s", after->name, buf_text(&line) + 2,
			  size_text(was, a), size_text(is, b));
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
	struct tally n = {0};

	while (i < before->count || j < after->count) {
		int order = i == before->count  ? 1
			    : j == after->count ? -1
						: compare_names(a[i], b[j]);

		if (order < 0) {
			say_one(after->name, '-', a[i++], lines);
			n.removed++;
		} else if (order > 0) {
			say_one(after->name, '+', b[j++], lines);
			n.added++;
		} else {
			n.changed += say_pair(after->name, a[i++], b[j++], lines);
			pairs++;
		}
	}
	if (pairs == before->count && pairs == after->count && !same_order(before, after))
		strv_addf(lines, "%s: the order of the artifacts changed", after->name);
	say_tally(before, after, &n, lines);
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
	static const char *const nothing[] = {NULL};

	diff_objects(b->name, a->spec, b->spec, nothing, lines);
	diff_facts(b->name, a->facts, b->facts, lines);
	diff_artifacts(a, b, lines);
}

static void diff_source(const struct lock *before, const struct lock *after, size_t index,
			struct strv *lines)
{
	const struct lock_source *b = &after->sources[index];
	const struct lock_source *a = lock_find(before, b->name, &b->digest);
	char size[16];

	/* A spec that changed shows as one that went and one that came: they are compared. */
	if (!a)
		a = unmatched(before, after, b->name, rank(after, before, index));
	if (a)
		diff_pair(a, b, lines);
	else
		strv_addf(lines, "%s: new, %zu %s%s, %s", b->name, b->count, noun(b),
			  b->count == 1 ? "" : "s", size_text(total_size(b), size));
}

void lock_diff(const struct lock *before, const struct lock *after, struct strv *ret_lines)
{
	for (size_t i = 0; i < after->count; i++)
		diff_source(before, after, i, ret_lines);
	for (size_t i = 0; i < before->count; i++) {
		const struct lock_source *a = &before->sources[i];

		if (!is_in(after, a) && !unmatched(after, before, a->name, rank(before, after, i)))
			strv_addf(ret_lines, "%s: gone, with %zu %s%s", a->name, a->count, noun(a),
				  a->count == 1 ? "" : "s");
	}
}
