/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/difference.h"

#include <inttypes.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const char *const class_names[] = {
	[DIFFERENCE_COMPRESSION] = "compression",
	[DIFFERENCE_ORDER] = "order",
	[DIFFERENCE_ENCODING] = "encoding",
	[DIFFERENCE_TIME] = "time",
	[DIFFERENCE_HISTORY] = "history",
	[DIFFERENCE_CONFIG] = "config",
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

void differences_add(struct differences *all, const struct difference *one)
{
	json_t *object;

	if (all->semantic && one->class <= DIFFERENCE_HISTORY) {
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
	if (one->layer)
		json_set(object, "layer", json_integer(one->layer));
	json_append(all->list, object);
}

/* Names come from outside: nothing of them may steer a terminal. */
static void add_safe(struct buf *out, const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '\\')
			buf_addf(out, "\\x%02x", (unsigned char)*text);
		else
			buf_addc(out, *text);
}

static void print_one(const json_t *one, struct buf *out)
{
	const char *path = json_optional_string(one, "path", NULL),
		   *kind = json_optional_string(one, "kind", NULL),
		   *a = json_optional_string(one, "a", NULL),
		   *b = json_optional_string(one, "b", NULL);
	json_int_t layer = json_integer_value(json_object_get(one, "layer"));

	if (layer)
		buf_addf(out, "layer %" JSON_INTEGER_FORMAT ": ", layer);
	if (path) {
		add_safe(out, path);
		buf_addstr(out, ": ");
	}
	add_safe(out, json_optional_string(one, "field", ""));
	buf_addf(out, " [%s%s%s]", json_optional_string(one, "class", ""), kind ? ": " : "",
		 kind ? kind : "");
	if (a || b) {
		buf_addstr(out, " ");
		add_safe(out, a ? a : "(absent)");
		buf_addstr(out, " -> ");
		add_safe(out, b ? b : "(absent)");
	}
	buf_addc(out, '\n');
}

void differences_print(const struct differences *all, struct buf *out)
{
	size_t i;
	json_t *one;

	json_array_foreach(all->list, i, one) print_one(one, out);
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
