/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

/* Where the reader stands. Each function that fails has set the error. */
struct toml {
	const char *at; /* the text ends with NUL */
	unsigned line, depth;
	const char *what;
	json_t *root, *table; /* table: where pairs go; borrowed from root */
	struct varve_error *err;
};

static int fail(const struct toml *t, const char *why)
{
	return varve_error_set(t->err, -VARVE_E_FORMAT, "%s:%u: %s", t->what, t->line, why);
}

static void skip_spaces(struct toml *t)
{
	t->at += strspn(t->at, " \t");
}

static bool at_newline(const struct toml *t)
{
	return *t->at == '\n' || (t->at[0] == '\r' && t->at[1] == '\n');
}

/* Spaces, a comment; with lines: also newlines and further comments. */
static void skip_blank(struct toml *t, bool lines)
{
	for (;;) {
		skip_spaces(t);
		if (*t->at == '#')
			t->at += strcspn(t->at, "\n");
		if (!lines || !at_newline(t))
			return;
		t->at += *t->at == '\r' ? 2 : 1;
		t->line++;
	}
}

/* --- strings -------------------------------------------------------------------------------------
 */

static void add_utf8(unsigned long code, struct buf *out)
{
	if (code < 0x80) {
		buf_addc(out, (char)code);
		return;
	}
	if (code < 0x800) {
		buf_addc(out, (char)(0xc0 | code >> 6));
	} else {
		if (code < 0x10000) {
			buf_addc(out, (char)(0xe0 | code >> 12));
		} else {
			buf_addc(out, (char)(0xf0 | code >> 18));
			buf_addc(out, (char)(0x80 | (code >> 12 & 0x3f)));
		}
		buf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	buf_addc(out, (char)(0x80 | (code & 0x3f)));
}

static int read_code(struct toml *t, size_t digits, struct buf *out)
{
	char hex[9] = "";
	unsigned long code;

	if (strspn(t->at, "0123456789abcdefABCDEF") < digits)
		return fail(t, "\\u takes 4 hexadecimal digits, \\U takes 8");
	memcpy(hex, t->at, digits);
	t->at += digits;
	code = strtoul(hex, NULL, 16);
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return fail(t, "no such character");
	add_utf8(code, out);
	return 0;
}

/* Behind a backslash. */
static int read_escape(struct toml *t, bool several, struct buf *out)
{
	static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	const char *letter = *t->at ? strchr(letters, *t->at) : NULL;

	if (letter) {
		buf_addc(out, values[letter - letters]);
		t->at++;
		return 0;
	}
	if (*t->at == 'u' || *t->at == 'U')
		return read_code(t, *t->at++ == 'u' ? 4 : 8, out);
	if (several && t->at[strspn(t->at, " \t\r")] == '\n') {
		/* The line's end and all white space behind it. */
		for (; *t->at && strchr(" \t\r\n", *t->at); t->at++)
			t->line += *t->at == '\n';
		return 0;
	}
	return fail(t, "an unknown escape in a string");
}

/* One character of a string, or an escape. */
static int read_character(struct toml *t, char quote, bool several, struct buf *out)
{
	unsigned char c = (unsigned char)*t->at;

	if (c == '\0')
		return fail(t, "a string without an end");
	if (c == '\\' && quote == '"') {
		t->at++;
		return read_escape(t, several, out);
	}
	if (c == '\n' && !several)
		return fail(t, "a string without an end");
	if ((c < 0x20 && !strchr("\t\r\n", c)) || c == 0x7f)
		return fail(t, "a control character in a string");
	t->line += c == '\n';
	buf_addc(out, (char)c);
	t->at++;
	return 0;
}

static int read_several_lines(struct toml *t, const char *end, struct buf *out)
{
	int r = 0;

	t->at += 3;
	if (at_newline(t)) {
		t->at += *t->at == '\r' ? 2 : 1;
		t->line++;
	}
	/* Up to two quotes may stand before the three that end it. */
	while (r == 0 && (strncmp(t->at, end, 3) != 0 || t->at[3] == *end))
		r = read_character(t, *end, true, out);
	if (r == 0)
		t->at += 3;
	return r;
}

/* at a quote */
static int read_string(struct toml *t, bool several, struct buf *out)
{
	char quote = *t->at;
	int r = 0;

	if (several && strncmp(t->at, "\"\"\"", 3) == 0)
		return read_several_lines(t, "\"\"\"", out);
	if (several && strncmp(t->at, "'''", 3) == 0)
		return read_several_lines(t, "'''", out);
	for (t->at++; r == 0 && *t->at != quote;)
		r = read_character(t, quote, false, out);
	if (r == 0)
		t->at++;
	return r;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static int read_part(struct toml *t, struct strv *ret)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_-";
	CLEANUP(buf_release) struct buf part = BUF_INIT;
	size_t len = strspn(t->at, bare);
	int r = 0;

	if (*t->at == '"' || *t->at == '\'')
		r = read_string(t, false, &part);
	else if (len == 0)
		r = fail(t, "a key is expected here");
	else
		buf_add(&part, t->at, len);
	if (r < 0)
		return r;
	if (len > 0)
		t->at += len;
	strv_add(ret, buf_text(&part));
	return 0;
}

static int read_key(struct toml *t, struct strv *ret)
{
	int r = read_part(t, ret);

	skip_spaces(t);
	while (r == 0 && *t->at == '.') {
		t->at++;
		skip_spaces(t);
		r = ret->count < TOML_DEPTH ? read_part(t, ret)
					    : fail(t, "a key of too many parts");
		skip_spaces(t);
	}
	return r;
}

/* The table of this name in another, made where there is none; of an array of tables its last. */
static json_t *enter(json_t *table, const char *name)
{
	json_t *inner = json_object_get(table, name);

	if (json_is_array(inner))
		inner = json_array_get(inner, json_array_size(inner) - 1);
	if (inner || json_object_get(table, name))
		return json_is_object(inner) ? inner : NULL;
	inner = json_object();
	return json_object_set_new(table, name, inner) == 0 ? inner : NULL;
}

/* The table that the last part of a key belongs into. */
static json_t *enter_all(json_t *table, const struct strv *key)
{
	for (size_t i = 0; table && i + 1 < key->count; i++)
		table = enter(table, key->items[i]);
	return table;
}

/* --- values --------------------------------------------------------------------------------------
 */

static int read_value(struct toml *t, json_t **ret);

static int read_pair(struct toml *t, json_t *table)
{
	CLEANUP(strv_release) struct strv key = STRV_INIT;
	json_t *value = NULL;
	const char *last;
	int r = read_key(t, &key);

	if (r < 0)
		return r;
	table = enter_all(table, &key);
	last = key.items[key.count - 1];
	if (!table || json_object_get(table, last))
		return fail(t, "the key was used before");
	if (*t->at != '=')
		return fail(t, "\"=\" is expected behind a key");
	t->at++;
	skip_spaces(t);
	r = read_value(t, &value);
	if (r == 0 && json_object_set_new(table, last, value) < 0)
		r = fail(t, "no UTF-8");
	return r;
}

static int read_array(struct toml *t, json_t *array)
{
	json_t *value = NULL;
	int r = 0;

	for (t->at++, skip_blank(t, true); *t->at != ']'; skip_blank(t, true)) {
		r = read_value(t, &value);
		if (r < 0)
			return r;
		json_append(array, value);
		skip_blank(t, true);
		if (*t->at != ',' && *t->at != ']')
			return fail(t, "\",\" or \"]\" is expected in an array");
		t->at += *t->at == ',';
	}
	t->at++;
	return 0;
}

static int read_inline(struct toml *t, json_t *table)
{
	int r;

	t->at++;
	skip_spaces(t);
	while (*t->at != '}') {
		r = read_pair(t, table);
		if (r < 0)
			return r;
		skip_spaces(t);
		if (*t->at != ',' && *t->at != '}')
			return fail(t, "\",\" or \"}\" is expected in a table");
		t->at += *t->at == ',';
		skip_spaces(t);
	}
	t->at++;
	return 0;
}

static int read_nested(struct toml *t, json_t **ret)
{
	bool is_array = *t->at == '[';
	json_t *value = is_array ? json_array() : json_object();
	int r;

	if (++t->depth > TOML_DEPTH)
		r = fail(t, "values nested too deep");
	else
		r = is_array ? read_array(t, value) : read_inline(t, value);
	t->depth--;
	if (r < 0)
		json_decref(value);
	else
		*ret = value;
	return r;
}

/* A date and its time may have a space between them. */
static size_t word_len(const char *at)
{
	size_t len = strcspn(at, " \t\r\n,]}#");

	if (len == 10 && at[4] == '-' && at[10] == ' ' && strspn(at + 11, "0123456789") == 2)
		len += 1 + strcspn(at + 11, " \t\r\n,]}#");
	return len;
}

/* Numbers, dates, true and false. */
static int read_word(struct toml *t, json_t **ret)
{
	CLEANUP(free_ptr) char *word = xstrndup(t->at, word_len(t->at));
	unsigned long long number;

	if (!*word)
		return fail(t, "a value is expected here");
	if (str_equal(word, "true") || str_equal(word, "false"))
		*ret = json_boolean(*word == 't');
	else if (str_to_u64(word, INT64_MAX, &number))
		*ret = json_integer((json_int_t)number);
	else if (strspn(word, "0123456789abcdefABCDEFxoTZ+-_.: ") == strlen(word) &&
		 strpbrk(word, "0123456789"))
		*ret = json_text(word);
	else
		return fail(t, "no value: strings stand in quotes");
	t->at += strlen(word);
	return 0;
}

static int read_value(struct toml *t, json_t **ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (*t->at == '[' || *t->at == '{')
		return read_nested(t, ret);
	if (*t->at != '"' && *t->at != '\'')
		return read_word(t, ret);
	r = read_string(t, true, &text);
	if (r == 0)
		*ret = json_text(buf_text(&text));
	return r;
}

/* --- lines ---------------------------------------------------------------------------------------
 */

static json_t *append_table(json_t *table, const char *name)
{
	json_t *array = json_object_get(table, name), *one = json_object();

	if (!array) {
		array = json_array();
		json_set(table, name, array);
	}
	if (!json_is_array(array)) {
		json_decref(one);
		return NULL;
	}
	json_append(array, one);
	return one;
}

static int read_header(struct toml *t)
{
	CLEANUP(strv_release) struct strv key = STRV_INIT;
	bool several = t->at[1] == '[';
	const char *end = several ? "]]" : "]", *last;
	json_t *table;
	int r;

	t->at += several ? 2 : 1;
	skip_spaces(t);
	r = read_key(t, &key);
	if (r < 0)
		return r;
	if (!str_starts(t->at, end))
		return fail(t, "a table's name ends with \"]\", an array's with \"]]\"");
	t->at += strlen(end);
	table = enter_all(t->root, &key);
	last = key.items[key.count - 1];
	if (table && !several && json_is_array(json_object_get(table, last)))
		return fail(t, "this is an array of tables elsewhere");
	if (table)
		t->table = several ? append_table(table, last) : enter(table, last);
	return table && t->table ? 0 : fail(t, "the key was used before");
}

static int read_all(struct toml *t)
{
	int r = 0;

	for (skip_blank(t, true); *t->at && r == 0; skip_blank(t, true)) {
		r = *t->at == '[' ? read_header(t) : read_pair(t, t->table);
		skip_blank(t, false);
		if (r == 0 && *t->at && !at_newline(t))
			r = fail(t, "the line should end here");
	}
	return r;
}

int toml_parse(const char *text, size_t len, const char *what, json_t **ret,
	       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *root = json_object();
	CLEANUP(free_ptr) char *copy = xstrndup(text, len);
	struct toml t = {
		.at = copy, .line = 1, .what = what, .root = root, .table = root, .err = err};
	int r;

	if (strlen(copy) < len)
		return fail(&t, "a NUL character");
	if (len > TOML_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: larger than %d bytes", what,
				       (int)TOML_LIMIT);
	r = read_all(&t);
	if (r == 0)
		*ret = steal_ptr(&root);
	return r;
}
