/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/strv.h"

int json_parse(const char *text, size_t len, const char *what, json_t **ret,
	       struct varve_error *err)
{
	json_error_t error;
	json_t *doc;

	if (len > JSON_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: larger than %d bytes", what,
				       JSON_LIMIT);
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!doc)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s:%d:%d: %s", what,
				       error.line < 1 ? 1 : error.line,
				       error.column < 1 ? 1 : error.column, error.text);
	*ret = doc;
	return 0;
}

int json_read_file(int dirfd, const char *path, json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_file(dirfd, path, JSON_LIMIT, &text, err);

	if (r == -EFBIG)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: larger than %d bytes", path,
				       JSON_LIMIT);
	return r < 0 ? r : json_parse(buf_text(&text), text.len, path, ret, err);
}

static void write_value(const json_t *value, struct buf *out);

static void write_string(const char *text, size_t len, struct buf *out)
{
	static const char escapes[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";

	buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		const char *escape = c ? strchr(escapes, c) : NULL;

		if (escape)
			buf_addf(out, "\\%c", letters[escape - escapes]);
		else if (c < 0x20)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(const json_t *object, struct buf *out)
{
	size_t count = json_object_size(object), i = 0;
	CLEANUP(free_ptr) const char **keys = xcalloc(count, sizeof(*keys));
	json_t *borrowed = (json_t *)(uintptr_t)object; /* jansson's iterators lack the const */

	for (void *at = json_object_iter(borrowed); at; at = json_object_iter_next(borrowed, at))
		keys[i++] = json_object_iter_key(at);
	qsort(keys, count, sizeof(*keys), compare_keys);
	buf_addc(out, '{');
	for (i = 0; i < count; i++) {
		if (i)
			buf_addc(out, ',');
		write_string(keys[i], strlen(keys[i]), out);
		buf_addc(out, ':');
		write_value(json_object_get(object, keys[i]), out);
	}
	buf_addc(out, '}');
}

static void write_array(const json_t *array, struct buf *out)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i)
			buf_addc(out, ',');
		write_value(json_array_get(array, i), out);
	}
	buf_addc(out, ']');
}

static void write_value(const json_t *value, struct buf *out)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		write_object(value, out);
		return;
	case JSON_ARRAY:
		write_array(value, out);
		return;
	case JSON_STRING:
		write_string(json_string_value(value), json_string_length(value), out);
		return;
	case JSON_INTEGER:
		buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_addstr(out, json_is_true(value) ? "true" : "false");
		return;
	case JSON_NULL:
		buf_addstr(out, "null");
		return;
	case JSON_REAL:
		break;
	}
	abort();
}

void json_canonical(const json_t *value, struct buf *out)
{
	write_value(value, out);
}

bool json_has_real(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	/* Both loops do nothing on a value of another type. jansson's iterators lack the const. */
	json_array_foreach(value, i, member) if (json_has_real(member)) return true;
	json_object_foreach((json_t *)(uintptr_t)value, key,
			    member) if (json_has_real(member)) return true;
	return json_is_real(value);
}

void json_digest(const json_t *value, struct varve_digest *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(value, &text);
	digest_bytes(text.data, text.len, ret);
}

static int get_member(const json_t *object, const char *key, json_t **ret_borrowed,
		      struct varve_error *err)
{
	json_t *member = json_object_get(object, key);

	if (!member)
		return varve_error_set(err, -VARVE_E_FORMAT, "member \"%s\" is missing", key);
	*ret_borrowed = member;
	return 0;
}

static int wrong_type(const char *key, const char *expected, struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "member \"%s\" is not %s", key, expected);
}

int json_get_string(const json_t *object, const char *key, const char **ret,
		    struct varve_error *err)
{
	json_t *member = NULL;
	int r = get_member(object, key, &member, err);

	if (r < 0)
		return r;
	if (!json_is_string(member))
		return wrong_type(key, "a string", err);
	*ret = json_string_value(member);
	return 0;
}

int json_get_u64(const json_t *object, const char *key, uint64_t *ret, struct varve_error *err)
{
	json_t *member = NULL;
	int r = get_member(object, key, &member, err);

	if (r < 0)
		return r;
	if (!json_is_integer(member) || json_integer_value(member) < 0)
		return wrong_type(key, "an integer from 0 on", err);
	*ret = (uint64_t)json_integer_value(member);
	return 0;
}

int json_get_digest(const json_t *object, const char *key, struct varve_digest *ret,
		    struct varve_error *err)
{
	const char *text = NULL;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	return varve_digest_parse(text, ret) < 0 ? wrong_type(key, "a sha256 digest", err) : 0;
}

int json_get_array(const json_t *object, const char *key, json_t **ret_borrowed,
		   struct varve_error *err)
{
	json_t *member = NULL;
	int r = get_member(object, key, &member, err);

	if (r < 0)
		return r;
	if (!json_is_array(member))
		return wrong_type(key, "an array", err);
	*ret_borrowed = member;
	return 0;
}

int json_get_object(const json_t *object, const char *key, json_t **ret_borrowed,
		    struct varve_error *err)
{
	json_t *member = NULL;
	int r = get_member(object, key, &member, err);

	if (r < 0)
		return r;
	if (!json_is_object(member))
		return wrong_type(key, "an object", err);
	*ret_borrowed = member;
	return 0;
}

const char *json_optional_string(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *member = json_object_get(object, key);

	return json_is_string(member) ? json_string_value(member) : otherwise;
}

/* The length of the UTF-8 sequence (RFC 3629) that text starts with; 0 where it is none. */
static size_t utf8_len(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
	bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);

	if (p[0] > 0xf4 || overlong || outside)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

json_t *json_text(const char *text)
{
	CLEANUP(buf_release) struct buf repaired = BUF_INIT;
	json_t *value = json_string(text);

	if (value)
		return value;
	for (const char *p = text; *p;) {
		size_t len = utf8_len(p);

		if (len)
			buf_add(&repaired, p, len);
		else
			buf_addstr(&repaired, "\xef\xbf\xbd");
		p += len ? len : 1;
	}
	value = json_string(buf_text(&repaired));
	if (!value)
		abort();
	return value;
}

json_t *json_of_digest(const struct varve_digest *digest)
{
	char text[VARVE_DIGEST_TEXT];

	return json_text(varve_digest_text(digest, text));
}

json_t *json_of_strv(const struct strv *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->count; i++)
		json_append(array, json_text(v->items[i]));
	return array;
}

void json_set(json_t *object, const char *key, json_t *take_value)
{
	if (json_object_set_new(object, key, take_value) < 0)
		abort();
}

void json_append(json_t *array, json_t *take_value)
{
	if (json_array_append_new(array, take_value) < 0)
		abort();
}

bool json_can_say(const char *text)
{
	while (*text) {
		size_t len = utf8_len(text);

		if (len == 0)
			return false;
		text += len;
	}
	return true;
}

void json_add_string(struct buf *out, const char *text)
{
	write_string(text, strlen(text), out);
}
