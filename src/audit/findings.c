/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/findings.h"

#include <stdio.h>
#include <string.h>
#include "audit/formats.h"
#include "base/cleanup.h"

void findings_init(struct findings *f)
{
	*f = (struct findings){.inside = json_array()};
}

void findings_release(struct findings *f)
{
	json_decref(f->inside);
	f->inside = NULL;
	buf_release(&f->prefix);
}

static void set_value(json_t *object, const char *key, const char *text)
{
	CLEANUP(free_ptr) char *kept = NULL;

	if (!text)
		return;
	kept = xstrndup(text, FINDING_TEXT);
	json_set(object, key, json_text(kept));
}

static void note_rule(struct findings *f, const struct finding *one)
{
	if (one->rule == CURE_NONE || (f->rule != CURE_NONE && (f->rule_effect || one->stamp)))
		return;
	f->rule = one->rule;
	f->rule_effect = !one->stamp;
}

void findings_add(struct findings *f, const struct finding *one)
{
	CLEANUP(free_ptr) char *where = NULL;
	const struct cure *cure = cure_of(one->rule);
	json_t *object;

	f->effect = f->effect || !one->stamp;
	note_rule(f, one);
	if (f->count++ >= FINDINGS_MAX)
		return;
	object = json_object();
	where = xasprintf("%s%s", buf_text(&f->prefix), one->where);
	json_set(object, "where", json_text(where));
	set_value(object, "a", one->a);
	set_value(object, "b", one->b);
	if (cure)
		json_set(object, "rule", json_text(cure->id));
	json_append(f->inside, object);
}

void findings_add_numbers(struct findings *f, const struct finding *one, unsigned long long a,
			  unsigned long long b)
{
	char left[24], right[24];
	struct finding with = *one;

	if (a == b)
		return;
	(void)snprintf(left, sizeof(left), "%llu", a);
	(void)snprintf(right, sizeof(right), "%llu", b);
	with.a = left;
	with.b = right;
	findings_add(f, &with);
}

enum cure_rule findings_rule(const struct findings *f)
{
	return f->rule_effect == f->effect ? f->rule : CURE_NONE;
}

void findings_name_kind(struct findings *f, const char *kind)
{
	if (f->depth == 0)
		f->kind = kind;
}

/* --- formats -------------------------------------------------------------------------------------
 */

static bool starts(const struct content *c, const char *magic, size_t len)
{
	return c->len >= len && memcmp(c->data, magic, len) == 0;
}

static bool is_text(const struct content *c)
{
	return c->len == 0 || !memchr(c->data, 0, c->len);
}

static bool is_pyc(const struct content *c)
{
	return str_ends(c->name, ".pyc") && c->len >= 16 && c->data[2] == '\r' &&
	       c->data[3] == '\n';
}

static bool is_elf(const struct content *c)
{
	return starts(c, "\177ELF", 4);
}

static bool is_ar(const struct content *c)
{
	return starts(c, "!<arch>\n", 8);
}

static bool is_sqlite(const struct content *c)
{
	return starts(c, "SQLite format 3\0", 16);
}

static bool is_gzip(const struct content *c)
{
	return starts(c, "\037\213", 2);
}

static bool is_zstd(const struct content *c)
{
	return starts(c, "\050\265\057\375", 4);
}

static bool is_xz(const struct content *c)
{
	return starts(c, "\3757zXZ", 5);
}

static bool is_zip(const struct content *c)
{
	return starts(c, "PK\003\004", 4);
}

static bool is_tar(const struct content *c)
{
	return c->len >= 512 && memcmp(c->data + 257, "ustar", 5) == 0;
}

static bool is_dpkg(const struct content *c)
{
	return (str_equal(c->name, "var/lib/dpkg/status") ||
		str_starts(c->name, "var/lib/dpkg/status.d/")) &&
	       is_text(c);
}

static bool is_json(const struct content *c)
{
	return str_ends(c->name, ".json") && is_text(c);
}

/* The first that both are counts. */
static const struct {
	bool (*is)(const struct content *c);
	bool (*compare)(struct findings *f, const struct content *a, const struct content *b);
	const char *kind;
} formats[] = {
	{is_pyc, format_pyc, "Python bytecode"}, {is_elf, format_elf, "ELF program or library"},
	{is_ar, format_ar, "ar archive"},        {is_sqlite, format_sqlite, "SQLite database"},
	{is_gzip, format_gzip, "gzip data"},     {is_zstd, format_zstd, "zstd data"},
	{is_xz, format_bytes, "xz data"},        {is_zip, format_zip, "zip archive"},
	{is_tar, format_tar, "tar archive"},     {is_dpkg, format_dpkg, "dpkg status"},
	{is_json, format_json, "JSON text"},     {is_text, format_text, "text"},
};

/* ARRAY_SIZE(formats) where it is none. */
static size_t format_of(const struct content *a, const struct content *b)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(formats) && !(formats[i].is(a) && formats[i].is(b)))
		i++;
	return i;
}

const char *content_kind(const struct content *a, const struct content *b, bool text)
{
	size_t i = format_of(a, b);

	if (i < ARRAY_SIZE(formats) && formats[i].is != is_text)
		return formats[i].kind;
	return text ? "text" : "binary data";
}

void content_compare(struct findings *f, const struct content *a, const struct content *b)
{
	size_t before = f->count, i = format_of(a, b);
	bool done = false;

	findings_name_kind(f, content_kind(a, b, is_text(a) && is_text(b)));
	if (i < ARRAY_SIZE(formats))
		done = formats[i].compare(f, a, b);
	if (!done && is_text(a) && is_text(b))
		done = format_text(f, a, b);
	if (!done || f->count == before)
		(void)format_bytes(f, a, b);
}

void content_compare_members(struct findings *f, const char *where, const struct content *a,
			     const struct content *b)
{
	size_t prefix = f->prefix.len;

	if (a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0))
		return;
	buf_addf(&f->prefix, "%s: ", where);
	f->depth++;
	if (f->depth < CONTENT_DEPTH)
		content_compare(f, a, b);
	else
		(void)format_bytes(f, a, b);
	f->depth--;
	f->prefix.len = prefix;
	f->prefix.data[prefix] = '\0';
}
