/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <ctype.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* distribution-spec 1.1, "Pulling manifests": the tag's length; host and path together. */
enum { TAG_LIMIT = 128, NAME_LIMIT = 255 };

/* A piece of the name being read. */
struct piece {
	const char *text;
	size_t len;
};

static bool is_lower_alnum(char c)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c);
}

static int fail(struct varve_error *err, const char *name, const char *why)
{
	return varve_error_set(err, -VARVE_E_USAGE, "image name \"%.200s\": %s", name, why);
}

/* "." | "_" | "__" | "-"+ between two letters or digits; returns its length, 0: none. */
static size_t separator_len(const char *text, size_t len)
{
	size_t n = 0;

	if (len > 0 && text[0] == '.')
		return 1;
	if (len > 0 && text[0] == '_')
		return len > 1 && text[1] == '_' ? 2 : 1;
	while (n < len && text[n] == '-')
		n++;
	return n;
}

static bool is_path_component(struct piece p)
{
	size_t i = 0;

	if (p.len == 0 || !is_lower_alnum(p.text[0]) || !is_lower_alnum(p.text[p.len - 1]))
		return false;
	while (i < p.len) {
		size_t n;

		if (is_lower_alnum(p.text[i])) {
			i++;
			continue;
		}
		n = separator_len(p.text + i, p.len - i);
		if (n == 0 || i + n >= p.len || !is_lower_alnum(p.text[i + n]))
			return false;
		i += n;
	}
	return true;
}

static int check_component(const char *name, struct piece p, struct varve_error *err)
{
	CLEANUP(free_ptr) char *lower = xstrdup(name);

	if (is_path_component(p))
		return 0;
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < p.len; i++) {
		if (!isupper((unsigned char)p.text[i]))
			continue;
		fail(err, name, "upper case is not allowed before the tag");
		varve_error_hint(err, "write \"%.200s\"", lower);
		return -VARVE_E_USAGE;
	}
	if (p.len == 0)
		return fail(err, name, "a part of the path is empty");
	return varve_error_set(err, -VARVE_E_USAGE,
			       "image name \"%.200s\": \"%.*s\" may hold a-z, 0-9 and, between "
			       "these, \".\", \"_\", \"__\" or dashes",
			       name, (int)(p.len > 100 ? 100 : p.len), p.text);
}

/* HOST is told from a path's first part as docker does: it has a dot or a port, or is "localhost".
 */
static bool is_host(struct piece p)
{
	return memchr(p.text, '.', p.len) || memchr(p.text, ':', p.len) ||
	       (p.len == 9 && memcmp(p.text, "localhost", 9) == 0);
}

static bool is_port(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
	}
	return len > 0 && len <= 5;
}

/* "[::1]" with its brackets; returns its length, 0: none. */
static size_t ipv6_len(struct piece p)
{
	size_t i = 1;

	if (p.len == 0 || p.text[0] != '[')
		return 0;
	while (i < p.len && (isxdigit((unsigned char)p.text[i]) || p.text[i] == ':'))
		i++;
	return i > 2 && i < p.len && p.text[i] == ']' ? i + 1 : 0;
}

/* Labels of letters, digits and inner dashes; returns the length read. */
static size_t domain_len(struct piece p)
{
	size_t i = 0, label = 0;

	for (; i < p.len && p.text[i] != ':'; i++) {
		char c = p.text[i];
		bool edge = label == 0 || i + 1 == p.len || p.text[i + 1] == '.' ||
			    p.text[i + 1] == ':';

		if (c == '.' && label > 0) {
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)c) && (c != '-' || edge))
			return 0;
		label++;
	}
	return label > 0 ? i : 0;
}

static int check_host(const char *name, struct piece p, struct varve_error *err)
{
	size_t n = ipv6_len(p);

	if (n == 0)
		n = domain_len(p);
	if (n > 0 && (n == p.len || (p.text[n] == ':' && is_port(p.text + n + 1, p.len - n - 1))))
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE,
			       "image name \"%.200s\": \"%.*s\" is no HOST or HOST:PORT", name,
			       (int)(p.len > 100 ? 100 : p.len), p.text);
}

static int check_tag(const char *name, const char *tag, struct varve_error *err)
{
	size_t len = strlen(tag);

	if (len == 0)
		return fail(err, name, "the tag after \":\" is empty");
	if (len > TAG_LIMIT)
		return fail(err, name, "the tag is longer than 128 characters");
	for (size_t i = 0; i < len; i++) {
		char c = tag[i];

		if (isalnum((unsigned char)c) || c == '_' || (i > 0 && (c == '.' || c == '-')))
			continue;
		return fail(err, name,
			    "the tag may hold letters, digits, \"_\" and, not at its start, \".\" "
			    "and \"-\"");
	}
	return 0;
}

static int check_path(const char *name, const char *path, size_t len, struct varve_error *err)
{
	const char *end = path + len;

	for (;;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		struct piece p = {path, (size_t)((slash ? slash : end) - path)};
		int r = check_component(name, p, err);

		if (r < 0 || !slash)
			return r;
		path = slash + 1;
	}
}

int image_name_check(const char *name, struct varve_error *err)
{
	const char *slash = strchr(name, '/');
	const char *last = strrchr(name, '/');
	const char *colon = strchr(last ? last : name, ':');
	size_t len = colon ? (size_t)(colon - name) : strlen(name);
	struct piece first = {name, slash ? (size_t)(slash - name) : 0};
	const char *path = name;
	int r;

	if (len == 0)
		return fail(err, name, "is empty; [HOST/]PATH[:TAG] is expected");
	if (len > NAME_LIMIT)
		return fail(err, name, "is longer than 255 characters");
	if (strchr(name, '@'))
		return fail(err, name, "a digest cannot be part of a name; use [HOST/]PATH[:TAG]");
	if (slash && is_host(first)) {
		r = check_host(name, first, err);
		if (r < 0)
			return r;
		path = slash + 1;
	}
	r = check_path(name, path, len - (size_t)(path - name), err);
	if (r < 0)
		return r;
	return colon ? check_tag(name, colon + 1, err) : 0;
}
