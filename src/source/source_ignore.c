/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source_ignore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

struct rule {
	struct strv segments; /* none: matches nothing */
	bool negated, directory_only;
};

struct source_ignore {
	struct rule *rules;
	size_t count, alloc;
};

/* --- one segment ---------------------------------------------------------------------------------
 */

/* The C library's classes depend on the locale beyond ASCII. */
static bool in_class(const char *name, size_t len, unsigned char c, bool *ret_known)
{
	static const struct {
		const char *name;
		int (*holds)(int c);
	} classes[] = {
		{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
		{"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
		{"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strncmp(classes[i].name, name, len) != 0 || classes[i].name[len])
			continue;
		*ret_known = true;
		return c < 0x80 && classes[i].holds(c);
	}
	*ret_known = false;
	return false;
}

/* One byte of a set, escaped or not; the place after it, NULL at the end of the text. */
static const char *set_byte(const char *p, unsigned char *ret)
{
	if (*p == '\\')
		p++;
	*ret = (unsigned char)*p;
	return *p ? p + 1 : NULL;
}

/* One member of a set: a class, a range or a byte. The place after it, NULL where it is malformed.
 */
static const char *set_member(const char *p, unsigned char c, bool *matched)
{
	const char *close = str_starts(p, "[:") ? strchr(p + 2, ']') : NULL;
	unsigned char low, high;
	bool known;

	if (close && close > p + 2 && close[-1] == ':') {
		*matched |= in_class(p + 2, (size_t)(close - 1 - (p + 2)), c, &known);
		return known ? close + 1 : NULL;
	}
	p = set_byte(p, &low);
	high = low;
	if (p && p[0] == '-' && p[1] && p[1] != ']')
		p = set_byte(p + 1, &high);
	*matched |= low <= c && c <= high;
	return p;
}

/* p is at "[". The place after "]", NULL where the set is malformed. */
static const char *match_set(const char *p, unsigned char c, bool *ret)
{
	bool negated = p[1] == '!' || p[1] == '^', matched = false;

	p += negated ? 2 : 1;
	/* A "]" that comes first is a member. */
	do {
		p = set_member(p, c, &matched);
	} while (p && *p != ']');
	*ret = matched != negated;
	return p ? p + 1 : NULL;
}

/* The place after the element at p that matches c, or NULL. */
static const char *match_one(const char *p, char c)
{
	bool matched;

	switch (*p) {
	case '\0':
		return NULL;
	case '?':
		return p + 1;
	case '[':
		p = match_set(p, (unsigned char)c, &matched);
		return matched ? p : NULL;
	case '\\':
		return p[1] == c ? p + 2 : NULL;
	default:
		return *p == c ? p + 1 : NULL;
	}
}

/* Going back to the last star only is enough, and keeps the time within len(pattern) * len(text).
 */
static bool match_segment(const char *p, const char *text, const char *end)
{
	const char *star = NULL, *mark = NULL, *next;

	while (text < end) {
		if (*p == '*') {
			star = ++p;
			mark = text;
			continue;
		}
		next = match_one(p, *text);
		if (!next && !star)
			return false;
		p = next ? next : star;
		text = next ? text + 1 : ++mark;
	}
	return p[strspn(p, "*")] == '\0';
}

/* --- paths ---------------------------------------------------------------------------------------
 */

static const char *next_segment(const char *path)
{
	path += strcspn(path, "/");
	return *path ? path + 1 : path;
}

static bool match_path(const struct strv *segments, const char *path)
{
	const char *mark = NULL;
	size_t i = 0, star = 0;

	while (*path) {
		if (i < segments->count && strcmp(segments->items[i], "**") == 0) {
			star = ++i;
			mark = path;
			if (i == segments->count)
				return true;
			continue;
		}
		if (i < segments->count &&
		    match_segment(segments->items[i], path, path + strcspn(path, "/"))) {
			i++;
			path = next_segment(path);
			continue;
		}
		if (!star)
			return false;
		i = star;
		path = mark = next_segment(mark);
	}
	return segments->count && i == segments->count;
}

bool source_ignore_matches(const struct source_ignore *ignore, const char *path, bool is_directory)
{
	for (size_t i = ignore ? ignore->count : 0; i-- > 0;) {
		const struct rule *rule = &ignore->rules[i];

		if (rule->directory_only && !is_directory)
			continue;
		if (match_path(&rule->segments, path))
			return !rule->negated;
	}
	return false;
}

/* --- parsing -------------------------------------------------------------------------------------
 */

/* The end of the segment that starts at p; NULL where it is malformed. A "/" in a set ends nothing.
 */
static const char *segment_end(const char *p)
{
	bool unused;

	while (p && *p && *p != '/' && strncmp(p, "\\/", 2) != 0) {
		if (*p == '[')
			p = match_set(p, 0, &unused);
		else if (*p == '\\')
			p = p[1] ? p + 2 : NULL;
		else
			p++;
	}
	return p;
}

static void split_pattern(const char *p, struct strv *ret)
{
	CLEANUP(strv_release) struct strv segments = STRV_INIT;

	if (!strchr(p, '/'))
		strv_add(&segments, "**");
	if (*p == '/')
		p++;
	for (;;) {
		const char *end = segment_end(p);

		/* Names are never empty: "a//b" and "/" match nothing. */
		if (!end || end == p)
			return;
		strv_take(&segments, xstrndup(p, (size_t)(end - p)));
		if (!*end)
			break;
		p = end + (*end == '\\' ? 2 : 1);
	}
	*ret = segments;
	segments = (struct strv)STRV_INIT;
}

/* Without the spaces at its end, but for those after a backslash. */
static size_t trimmed_len(const char *line, size_t len)
{
	size_t keep = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\\' && i + 1 < len)
			keep = ++i + 1;
		else if (line[i] != ' ')
			keep = i + 1;
	}
	return keep;
}

static void add_line(struct source_ignore *ignore, const char *line, size_t len)
{
	CLEANUP(free_ptr) char *pattern = NULL;
	struct rule rule = {.negated = false};

	if (len && line[len - 1] == '\r')
		len--;
	len = trimmed_len(line, len);
	if (!len || line[0] == '#')
		return;
	rule.negated = line[0] == '!';
	if (rule.negated) {
		line++;
		len--;
	}
	rule.directory_only = len && line[len - 1] == '/';
	pattern = xstrndup(line, rule.directory_only ? len - 1 : len);
	split_pattern(pattern, &rule.segments);
	ignore->rules =
		array_grow(ignore->rules, ignore->count, &ignore->alloc, sizeof(*ignore->rules));
	ignore->rules[ignore->count++] = rule;
}

struct source_ignore *source_ignore_parse(const char *text, size_t len)
{
	struct source_ignore *ignore = xcalloc(1, sizeof(*ignore));
	const char *end = text + len;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		add_line(ignore, text, (size_t)(stop - text));
		text = stop + 1;
	}
	return ignore;
}

void source_ignore_free(struct source_ignore *ignore)
{
	if (!ignore)
		return;
	for (size_t i = 0; i < ignore->count; i++)
		strv_release(&ignore->rules[i].segments);
	free(ignore->rules);
	free(ignore);
}

void source_ignore_freep(struct source_ignore **ignore)
{
	source_ignore_free(*ignore);
	*ignore = NULL;
}
