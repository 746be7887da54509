/* SPDX-License-Identifier: Apache-2.0
 * What a recipe's maps may hold, as tables: one row per key. The same rows read a map into a
 * struct, free that struct and tell what ${...} may name in which field. */
#ifndef RECIPE_RECIPE_SCHEMA_H
#define RECIPE_RECIPE_SCHEMA_H

#include "recipe/recipe_node.h"

enum schema_type {
	SCHEMA_VALUE, /* struct recipe_value */
	SCHEMA_VALUES, /* struct recipe_values, from a list */
	SCHEMA_PAIRS, /* struct recipe_pairs, from a map */
	SCHEMA_FLAG, /* bool */
	SCHEMA_OWN, /* read by the row's function; may be NULL: the caller reads it */
};

/* What ${...} may name. */
enum schema_names {
	NAMES_NONE = 0, /* the text is taken as it is; ${ is refused */
	NAMES_OPTIONS = 1, /* options and variables */
	NAMES_FACTS = 2, /* facts of sources */
	NAMES_ENV = 4, /* the environment below: env.NAME */
	NAMES_UNKEYED = 8, /* also options with keyed: false */
	NAMES_ANY = NAMES_OPTIONS | NAMES_FACTS | NAMES_ENV,
	NAMES_IGNORE = 16, /* the text is never expanded and may hold anything */
};

/* The map being read. */
struct schema_subject {
	const char *label; /* `source "system"` */
	unsigned kind; /* index into the schema's kinds */
};

struct schema_key {
	const char *name;
	enum schema_type type;
	unsigned offset; /* of the field in the object */
	unsigned kinds; /* bit per kind that has the key; 0: all */
	unsigned need; /* bit per kind that cannot do without */
	unsigned names; /* enum schema_names */
	int (*read)(const struct node *node, const struct schema_subject *subject, void *object,
		    struct varve_error *err);
};

struct schema {
	const struct schema_key *keys; /* ends with a NULL name */
	const char *const *kinds; /* "debian source", ...; ends with NULL */
};

enum { SCHEMA_ALL = 0x7fffffff };

extern const struct schema schema_recipe, schema_option, schema_source, schema_stage, schema_step,
	schema_repository, schema_ownership, schema_split, schema_image, schema_config,
	schema_check, schema_requirement;

/* Refuses keys that the schema does not have, or not for this kind. */
int schema_check_keys(const struct schema *schema, const struct schema_subject *subject,
		      const struct node *map, struct varve_error *err);
/* Checks keys, then fills object (zeroed before). */
int schema_read(const struct schema *schema, const struct schema_subject *subject,
		const struct node *map, void *object, struct varve_error *err);
/* Frees what schema_read filled, but for SCHEMA_OWN. */
void schema_release(const struct schema *schema, void *object);

/* The readings, for SCHEMA_OWN. what names the value in the error: `"packages" of source "x"`. */
int schema_want(const struct node *node, enum node_type type, const char *what,
		struct varve_error *err);
int schema_value(const struct node *node, const char *what, struct recipe_value *ret,
		 struct varve_error *err);
int schema_values(const struct node *node, const char *what, struct recipe_values *ret,
		  struct varve_error *err);
int schema_pairs(const struct node *node, const char *what, struct recipe_pairs *ret,
		 struct varve_error *err);
/* The value of a key (as written), to be freed with the value. */
void schema_name(const struct node *key, struct recipe_value *ret);

void value_release(struct recipe_value *value);
void values_release(struct recipe_values *values);
void pairs_release(struct recipe_pairs *pairs);

/* `; did you mean "NEAREST"?` or "" for a word among candidates (ends with NULL). Caller frees. */
char *suggest(const char *word, const char *const *candidates);

#endif
