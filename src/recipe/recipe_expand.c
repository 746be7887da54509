/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_expand.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_scope.h"
#include "recipe/recipe_template.h"
#include "recipe/recipe_text.h"

struct expansion {
	const struct recipe_scope *scope;
	bool allow_unkeyed;
	recipe_lookup lookup;
	void *cookie;
};

static int unknown_name(const struct expansion *x, const struct template_part *part,
			struct varve_error *err)
{
	CLEANUP(free_ptr) const char **names = scope_names(x->scope);
	CLEANUP(free_ptr) char *suggestion = suggest(part->name, names);

	if (str_starts(part->name, "env.") && x->lookup)
		return recipe_error(&part->at, err, "\"${%s}\": nothing below sets the variable %s",
				    part->name, part->name + strlen("env."));
	if (template_owner(part->name) > 0)
		return recipe_error(&part->at, err, "\"${%s}\" is not known here", part->name);
	return recipe_error(&part->at, err, "\"${%s}\" names neither an option nor a variable%s",
			    part->name, suggestion);
}

int expand_unkeyed(const struct recipe_place *at, const char *name, struct varve_error *err)
{
	int r = recipe_error(at, err, "option \"%s\" has keyed: false and cannot be used here",
			     name);

	varve_error_hint(err, "such an option may reach a step only through jobs and "
			      "unkeyed-environment");
	return r;
}

/* NULL with an error: there is no such value, or it may not be used. */
static const char *find_value(const struct expansion *x, const struct template_part *part,
			      struct varve_error *err)
{
	const struct scope_entry *entry = scope_find(x->scope, part->name);
	const char *value = entry ? entry->value : NULL;

	if (entry && entry->unkeyed && !x->allow_unkeyed) {
		(void)expand_unkeyed(&part->at, part->name, err);
		return NULL;
	}
	if (!value && x->lookup)
		value = x->lookup(x->cookie, part->name);
	if (!value)
		(void)unknown_name(x, part, err);
	return value;
}

/* The length that is at most cut and does not end inside a character. */
static size_t cut_length(const char *text, size_t cut)
{
	size_t len = strlen(text);

	if (cut >= len)
		return len;
	while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return cut;
}

static int add_part(const struct expansion *x, const struct template_part *part, struct buf *out,
		    struct varve_error *err)
{
	const char *text = part->text;
	size_t len = part->len;

	if (!text) {
		text = find_value(x, part, err);
		if (!text)
			return -VARVE_E_RECIPE;
		len = part->has_cut ? cut_length(text, part->cut) : strlen(text);
	}
	if (len > TEXT_LIMIT || out->len > TEXT_LIMIT - len)
		return recipe_error(&part->at, err, "the value grows beyond %d bytes", TEXT_LIMIT);
	buf_add(out, text, len);
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): a value, a callback, a permission and two results */
int recipe_expand(const struct recipe_scope *scope, const struct recipe_value *value,
		  bool allow_unkeyed, recipe_lookup lookup, void *cookie, char **ret,
		  struct varve_error *err)
{
	const struct expansion expansion = {scope, allow_unkeyed, lookup, cookie};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct template_part part;
	size_t offset = 0;
	int r;

	if (!value->text) {
		*ret = NULL;
		return 0;
	}
	while ((r = template_next(value, &offset, &part, err)) > 0) {
		r = add_part(&expansion, &part, &out, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		*ret = buf_steal(&out);
	return r;
}
