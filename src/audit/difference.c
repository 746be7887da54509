/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/difference.h"

#include <inttypes.h>
#include "audit/cure.h"
#include "base/buf.h"
#include "base/cleanup.h"

static const char *const class_names[] = {
	[DIFFERENCE_COMPRESSION] = "compression",
	[DIFFERENCE_ORDER] = "order",
	[DIFFERENCE_ENCODING] = "encoding",
	[DIFFERENCE_TIME] = "time",
	[DIFFERENCE_HISTORY] = "history",
	[DIFFERENCE_STAMP] = "stamp",
	[DIFFERENCE_CONFIG] = "config",
	[DIFFERENCE_PLATFORM] = "platform",
	[DIFFERENCE_LAYER] = "layer",
	[DIFFERENCE_ENTRY] = "entry",
	[DIFFERENCE_WHITEOUT] = "whiteout",
	[DIFFERENCE_TYPE] = "type",
	[DIFFERENCE_OWNER] = "owner",
	[DIFFERENCE_MODE] = "mode",
	[DIFFERENCE_LINK] = "link",
	[DIFFERENCE_DEVICE] = "device",
	[DIFFERENCE_ATTRIBUTE] = "attribute",
	[DIFFERENCE_CONTENT] = "content",
};

void differences_init(struct differences *all, bool semantic)
{
	*all = (struct differences){.list = json_array(), .semantic = semantic};
}

void differences_release(struct differences *all)
{
	json_decref(all->list);
	all->list = NULL;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_set(object, key, json_text(text));
}

static const char *rule_of(const struct difference *one)
{
	const struct cure *cure = one->cure;

	if (!cure)
		cure = cure_of(cure_for(one->class, one->path, one->field));
	return cure ? cure->id : NULL;
}

void differences_add(struct differences *all, const struct difference *one)
{
	json_t *object;

	if (all->semantic && one->class <= DIFFERENCE_STAMP) {
		all->left_out++;
		return;
	}
	object = json_object();
	set_text(object, "class", class_names[one->class]);
	set_text(object, "path", one->path);
	set_text(object, "field", one->field);
	set_text(object, "kind", one->kind);
	set_text(object, "a", one->a);
	set_text(object, "b", one->b);
	set_text(object, "rule", rule_of(one));
	set_text(object, "platform", all->platform);
	if (one->inside && json_array_size(one->inside))
		json_set(object, "inside", json_incref(one->inside));
	if (one->more)
		json_set(object, "more", json_integer((json_int_t)one->more));
	if (one->layer)
		json_set(object, "layer", json_integer(one->layer));
	json_append(all->list, object);
}

/* Bytes of a control character at text: of ASCII, or in UTF-8 of C1, where 0x9b begins a terminal's
 * sequence; 0: none. */
static size_t control_len(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];

	if (first == 0xc2 && second >= 0x80 && second < 0xa0)
		return 2;
	return first < 0x20 || first == 0x7f || first == '\\';
}

/* Names and values come from outside: nothing of them may steer a terminal. */
static void add_safe(struct buf *out, const char *text)
{
	while (*text) {
		size_t len = control_len(text);

		if (len == 0)
			buf_addc(out, *text++);
		for (; len > 0; len--, text++)
			buf_addf(out, "\\x%02x", (unsigned char)*text);
	}
}

static void print_values(const json_t *one, struct buf *out)
{
	const char *a = json_optional_string(one, "a", NULL),
		   *b = json_optional_string(one, "b", NULL),
		   *rule = json_optional_string(one, "rule", NULL);

	if (a || b) {
		buf_addstr(out, " ");
		add_safe(out, a ? a : "(absent)");
		buf_addstr(out, " -> ");
		add_safe(out, b ? b : "(absent)");
	}
	if (rule)
		buf_addf(out, " (%s)", rule);
	buf_addc(out, '\n');
}

static void print_inside(const json_t *one, struct buf *out)
{
	json_int_t more = json_integer_value(json_object_get(one, "more"));
	size_t i;
	json_t *part;

	json_array_foreach(json_object_get(one, "inside"), i, part)
	{
		buf_addstr(out, "    ");
		add_safe(out, json_optional_string(part, "where", ""));
		if (json_object_get(part, "a") || json_object_get(part, "b"))
			buf_addc(out, ':');
		print_values(part, out);
	}
	if (more)
		buf_addf(out, "    and %" JSON_INTEGER_FORMAT " more\n", more);
}

static void print_one(const json_t *one, struct buf *out)
{
	const char *path = json_optional_string(one, "path", NULL),
		   *kind = json_optional_string(one, "kind", NULL),
		   *step = json_optional_string(one, "step", NULL),
		   *platform = json_optional_string(one, "platform", NULL);
	json_int_t layer = json_integer_value(json_object_get(one, "layer"));

	if (platform) {
		add_safe(out, platform);
		buf_addstr(out, ": ");
	}
	if (step) {
		buf_addstr(out, "step ");
		add_safe(out, step);
		buf_addstr(out, ", ");
	}
	if (layer)
		buf_addf(out, "layer %" JSON_INTEGER_FORMAT ": ", layer);
	if (path) {
		add_safe(out, path);
		buf_addstr(out, ": ");
	}
	add_safe(out, json_optional_string(one, "field", ""));
	buf_addf(out, " [%s%s%s]", json_optional_string(one, "class", ""), kind ? ": " : "",
		 kind ? kind : "");
	print_values(one, out);
	print_inside(one, out);
}

/* --- rules ---------------------------------------------------------------------------------------
 */

static void note_rule(bool named[CURE_COUNT], const json_t *object)
{
	const char *id = json_optional_string(object, "rule", NULL);

	for (int rule = CURE_NONE + 1; id && rule < CURE_COUNT; rule++)
		if (str_equal(cure_of((enum cure_rule)rule)->id, id))
			named[rule] = true;
}

static void print_cures(const struct differences *all, struct buf *out)
{
	bool named[CURE_COUNT] = {false};
	size_t i, k;
	json_t *one, *part;

	json_array_foreach(all->list, i, one)
	{
		note_rule(named, one);
		json_array_foreach(json_object_get(one, "inside"), k, part) note_rule(named, part);
	}
	for (int rule = CURE_NONE + 1; rule < CURE_COUNT; rule++) {
		const struct cure *cure = cure_of((enum cure_rule)rule);

		if (named[rule])
			buf_addf(out, "%s: %s; cure: %s\n", cure->id, cure->why, cure->cure);
	}
}

void differences_print(const struct differences *all, struct buf *out)
{
	size_t i;
	json_t *one;

	json_array_foreach(all->list, i, one) print_one(one, out);
	print_cures(all, out);
}

void differences_print_json(const struct differences *all, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *document = json_object();

	json_set(document, "differences", json_deep_copy(all->list));
	json_set(document, "equal", json_boolean(json_array_size(all->list) == 0));
	json_set(document, "leftOut", json_integer((json_int_t)all->left_out));
	json_canonical(document, out);
	buf_addc(out, '\n');
}
