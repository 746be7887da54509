/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_schema.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static bool has_kind(unsigned kinds, unsigned kind)
{
	return kinds == 0 || (kinds >> kind & 1);
}

char *suggest(const char *word, const char *const *candidates)
{
	const char *nearest = str_nearest(word, candidates);

	return nearest ? xasprintf("; did you mean \"%s\"?", nearest) : xstrdup("");
}

/* The names of the keys that a kind has, ending with NULL. Caller frees the list only. */
static const char **key_names(const struct schema *schema, unsigned kind)
{
	const char **names;
	size_t count = 0;

	while (schema->keys[count].name)
		count++;
	names = xcalloc(count + 1, sizeof(const char *));
	count = 0;
	for (const struct schema_key *key = schema->keys; key->name; key++)
		if (has_kind(key->kinds, kind))
			names[count++] = key->name;
	return names;
}

static void hint_keys(const struct schema *schema, unsigned kind, struct varve_error *err)
{
	CLEANUP(free_ptr) const char **names = key_names(schema, kind);
	CLEANUP(buf_release) struct buf list = BUF_INIT;

	for (size_t i = 0; names[i]; i++)
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	varve_error_hint(err, "keys of %s: %s", schema->kinds[kind], buf_text(&list));
}

static const struct schema_key *find_key(const struct schema *schema, const char *name)
{
	for (const struct schema_key *key = schema->keys; key->name; key++)
		if (str_equal(key->name, name))
			return key;
	return NULL;
}

static int unknown_key(const struct schema *schema, const struct schema_subject *subject,
		       const struct node *key, struct varve_error *err)
{
	CLEANUP(free_ptr) const char **names = key_names(schema, subject->kind);
	CLEANUP(free_ptr) char *suggestion = suggest(key->text, names);
	int r;

	r = recipe_error(&key->at, err, "unknown key \"%s\" in %s%s", key->text, subject->label,
			 suggestion);
	hint_keys(schema, subject->kind, err);
	return r;
}

static int foreign_key(const struct schema *schema, const struct schema_subject *subject,
		       const struct node *key, struct varve_error *err)
{
	int r = recipe_error(&key->at, err, "\"%s\" does not belong in %s, %s", key->text,
			     subject->label, schema->kinds[subject->kind]);

	hint_keys(schema, subject->kind, err);
	return r;
}

int schema_check_keys(const struct schema *schema, const struct schema_subject *subject,
		      const struct node *map, struct varve_error *err)
{
	int r = schema_want(map, NODE_MAP, subject->label, err);

	for (size_t i = 0; r == 0 && i < map->count; i++) {
		const struct node *name = map->members[i].key;
		const struct schema_key *key = find_key(schema, name->text);

		if (!key)
			r = unknown_key(schema, subject, name, err);
		else if (!has_kind(key->kinds, subject->kind))
			r = foreign_key(schema, subject, name, err);
	}
	return r;
}

static int check_needed(const struct schema *schema, const struct schema_subject *subject,
			const struct node *map, struct varve_error *err)
{
	for (const struct schema_key *key = schema->keys; key->name; key++)
		if ((key->need >> subject->kind & 1) && !node_get(map, key->name))
			return recipe_error(&map->at, err, "%s lacks \"%s\"", subject->label,
					    key->name);
	return 0;
}

static int read_flag(const struct node *node, const char *what, bool *ret, struct varve_error *err)
{
	struct recipe_value value = {NULL, node->at};
	int r = schema_want(node, NODE_SCALAR, what, err);

	if (r < 0)
		return r;
	value.text = node->text;
	return recipe_boolean(&value, node->text, ret, err);
}

static int read_key(const struct schema_key *key, const struct schema_subject *subject,
		    const struct node *node, void *object, struct varve_error *err)
{
	CLEANUP(free_ptr) char *what = xasprintf("\"%s\" of %s", key->name, subject->label);
	void *field = (char *)object + key->offset;

	switch (key->type) {
	case SCHEMA_VALUE:
		return schema_value(node, what, field, err);
	case SCHEMA_VALUES:
		return schema_values(node, what, field, err);
	case SCHEMA_PAIRS:
		return schema_pairs(node, what, field, err);
	case SCHEMA_FLAG:
		return read_flag(node, what, field, err);
	case SCHEMA_OWN:
		break;
	}
	return key->read ? key->read(node, subject, object, err) : 0;
}

int schema_read(const struct schema *schema, const struct schema_subject *subject,
		const struct node *map, void *object, struct varve_error *err)
{
	int r;

	r = schema_check_keys(schema, subject, map, err);
	if (r == 0)
		r = check_needed(schema, subject, map, err);
	for (size_t i = 0; r == 0 && i < map->count; i++)
		r = read_key(find_key(schema, map->members[i].key->text), subject,
			     map->members[i].value, object, err);
	return r;
}

void schema_release(const struct schema *schema, void *object)
{
	for (const struct schema_key *key = schema->keys; key->name; key++) {
		void *field = (char *)object + key->offset;

		if (key->type == SCHEMA_VALUE)
			value_release(field);
		else if (key->type == SCHEMA_VALUES)
			values_release(field);
		else if (key->type == SCHEMA_PAIRS)
			pairs_release(field);
	}
}
