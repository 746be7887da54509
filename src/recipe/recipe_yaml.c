/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_text.h"

enum { YAML_ANCHORS = 1024 };

struct anchor {
	char *name;
	struct node *node;
};

struct yaml {
	struct fy_diag *diag;
	struct fy_parser *parser;
	struct fy_event *event; /* the current one; NULL past the end */
	const char *file;
	struct node_pool *pool;
	struct anchor *anchors;
	size_t anchor_count, anchor_alloc;
	struct recipe_place at; /* of the last event that had a place */
};

static struct node *read_node(struct yaml *yaml, unsigned depth, struct varve_error *err);

static void drop_event(struct yaml *yaml)
{
	if (yaml->event)
		fy_parser_event_free(yaml->parser, yaml->event);
	yaml->event = NULL;
}

static void yaml_release(struct yaml *yaml)
{
	drop_event(yaml);
	if (yaml->parser)
		fy_parser_destroy(yaml->parser);
	if (yaml->diag)
		fy_diag_destroy(yaml->diag);
	for (size_t i = 0; i < yaml->anchor_count; i++)
		free(yaml->anchors[i].name);
	free(yaml->anchors);
}

static int yaml_open(struct yaml *yaml, const char *text, size_t len, struct varve_error *err)
{
	struct fy_diag_cfg diag;
	struct fy_parse_cfg config;

	fy_diag_cfg_default(&diag);
	diag.fp = NULL;
	diag.colorize = false;
	yaml->diag = fy_diag_create(&diag);
	if (!yaml->diag)
		return varve_error_set(err, -ENOMEM, "start the YAML parser");
	fy_diag_set_collect_errors(yaml->diag, true);
	memset(&config, 0, sizeof(config));
	config.flags =
		FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE;
	config.diag = yaml->diag;
	yaml->parser = fy_parser_create(&config);
	if (!yaml->parser || fy_parser_set_string(yaml->parser, text, len) != 0)
		return varve_error_set(err, -ENOMEM, "start the YAML parser");
	return 0;
}

static int syntax_error(const struct yaml *yaml, struct varve_error *err)
{
	struct recipe_place at = yaml->at;
	void *iterator = NULL;
	const struct fy_diag_error *first = fy_diag_errors_iterate(yaml->diag, &iterator);

	if (!first || !first->msg)
		return recipe_error(&at, err, "this is not YAML");
	if (first->line > 0) {
		at.line = (unsigned)first->line;
		at.column = first->column > 0 ? (unsigned)first->column : 1;
	}
	return recipe_error(&at, err, "%s", first->msg);
}

/* The mark of an alias or of a quoted scalar lies behind its first character. */
static void step_back(struct recipe_place *at)
{
	if (at->column > 1)
		at->column--;
}

/* A value that is not there. Whether it has a mark depends on the version of libfyaml. */
static bool is_nothing(const struct fy_event *event)
{
	struct fy_token *token = event->type == FYET_SCALAR ? event->scalar.value : NULL;
	size_t len = 0;

	if (event->type != FYET_SCALAR || !token)
		return event->type == FYET_SCALAR;
	(void)fy_token_get_text(token, &len);
	return len == 0 && fy_token_scalar_style(token) == FYSS_PLAIN;
}

static void note_place(struct yaml *yaml)
{
	const struct fy_mark *mark = fy_event_start_mark(yaml->event);

	if (!mark || is_nothing(yaml->event))
		return;
	yaml->at.line = (unsigned)mark->line + 1;
	yaml->at.column = (unsigned)mark->column + 1;
	if (yaml->event->type == FYET_ALIAS)
		step_back(&yaml->at);
}

static int next_event(struct yaml *yaml, struct varve_error *err)
{
	drop_event(yaml);
	yaml->event = fy_parser_parse(yaml->parser);
	if (!yaml->event)
		return syntax_error(yaml, err);
	note_place(yaml);
	return 0;
}

static char *token_text(struct fy_token *token)
{
	size_t len = 0;
	const char *text = fy_token_get_text(token, &len);

	return xstrndup(text ? text : "", text ? len : 0);
}

static struct anchor *find_anchor(const struct yaml *yaml, const char *name)
{
	for (size_t i = 0; i < yaml->anchor_count; i++)
		if (str_equal(yaml->anchors[i].name, name))
			return &yaml->anchors[i];
	return NULL;
}

static int add_anchor(struct yaml *yaml, struct fy_token *token, struct node *node,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = token_text(token);
	const struct anchor *known = find_anchor(yaml, name);

	if (known)
		return recipe_error(&node->at, err,
				    "the anchor &%s is given twice; the first one is "
				    "at line %u",
				    name, known->node->at.line);
	if (yaml->anchor_count == YAML_ANCHORS)
		return recipe_error(&node->at, err, "more than %d anchors", YAML_ANCHORS);
	yaml->anchors = array_grow(yaml->anchors, yaml->anchor_count, &yaml->anchor_alloc,
				   sizeof(*yaml->anchors));
	yaml->anchors[yaml->anchor_count++] = (struct anchor){steal_ptr(&name), node};
	return 0;
}

static int unknown_alias(const struct yaml *yaml, const char *name, struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc(yaml->anchor_count + 1, sizeof(const char *));
	const char *nearest;

	for (size_t i = 0; i < yaml->anchor_count; i++)
		names[i] = yaml->anchors[i].name;
	nearest = str_nearest(name, names);
	if (nearest)
		return recipe_error(&yaml->at, err, "unknown alias *%s; did you mean *%s?", name,
				    nearest);
	return recipe_error(&yaml->at, err, "unknown alias *%s: no anchor &%s stands before it",
			    name, name);
}

/* NULL with an error, as the next ones that return a node. */
static struct node *check_alias(struct yaml *yaml, unsigned depth, struct node *node,
				const char *name, struct varve_error *err)
{
	if (node->open) {
		(void)recipe_error(&yaml->at, err, "the alias *%s stands inside its own anchor",
				   name);
		return NULL;
	}
	if (depth + node->height > NODE_DEPTH) {
		(void)recipe_error(&yaml->at, err, "more than %d levels of nesting", NODE_DEPTH);
		return NULL;
	}
	return node_charge(yaml->pool, node->weight, &yaml->at, err) < 0 ? NULL : node;
}

static struct node *read_alias(struct yaml *yaml, unsigned depth, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = token_text(yaml->event->alias.anchor);
	const struct anchor *anchor = find_anchor(yaml, name);

	if (anchor)
		return check_alias(yaml, depth, anchor->node, name, err);
	(void)unknown_alias(yaml, name, err);
	return NULL;
}

static int read_scalar(struct yaml *yaml, struct node *node, struct varve_error *err)
{
	struct fy_token *token = yaml->event->scalar.value;
	enum fy_scalar_style style;
	const char *text;
	size_t len = 0;

	text = token ? fy_token_get_text(token, &len) : NULL;
	style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	node->plain = style == FYSS_PLAIN;
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
		step_back(&yaml->at);
	node->at = yaml->at;
	if (!text || (len == 0 && node->plain)) {
		node->type = NODE_EMPTY;
		return 0;
	}
	if (!text_is_valid(text, len))
		return recipe_error(&node->at, err,
				    "a value that holds NUL or is not UTF-8 after its escapes");
	node->text = xstrndup(text, len);
	return 0;
}

/* Moves on to the event of the value. */
static struct node *read_key(struct yaml *yaml, unsigned depth, struct varve_error *err)
{
	struct node *key = read_node(yaml, depth, err);

	if (!key)
		return NULL;
	if (key->type != NODE_SCALAR) {
		(void)recipe_error(&key->at, err, "a key must be a plain name, not %s",
				   node_type_name(key->type));
		return NULL;
	}
	return next_event(yaml, err) < 0 ? NULL : key;
}

static int read_member(struct yaml *yaml, struct node *node, unsigned depth,
		       struct varve_error *err)
{
	struct node *key = NULL, *value;

	if (node->type == NODE_MAP) {
		key = read_key(yaml, depth, err);
		if (!key)
			return -VARVE_E_RECIPE;
	}
	value = read_node(yaml, depth, err);
	if (!value)
		return -VARVE_E_RECIPE;
	node_append(node, key, value);
	return 0;
}

static int read_members(struct yaml *yaml, struct node *node, unsigned depth,
			struct varve_error *err)
{
	enum fy_event_type end = node->type == NODE_MAP ? FYET_MAPPING_END : FYET_SEQUENCE_END;
	int r;

	if (depth > NODE_DEPTH)
		return recipe_error(&node->at, err, "more than %d levels of nesting", NODE_DEPTH);
	for (;;) {
		r = next_event(yaml, err);
		if (r < 0)
			return r;
		if (yaml->event->type == end)
			break;
		r = read_member(yaml, node, depth, err);
		if (r < 0)
			return r;
	}
	r = node_check_members(node, err);
	return r < 0 || node->type == NODE_LIST ? r : node_merge(yaml->pool, node, err);
}

static int read_properties(struct yaml *yaml, struct node *node, struct varve_error *err)
{
	struct fy_token *anchor = fy_event_get_anchor_token(yaml->event);

	if (fy_event_get_tag_token(yaml->event))
		return recipe_error(&node->at, err, "tags (!NAME) have no meaning in a recipe");
	return anchor ? add_anchor(yaml, anchor, node, err) : 0;
}

static struct node *read_new_node(struct yaml *yaml, enum node_type type, unsigned depth,
				  struct varve_error *err)
{
	struct node *node = node_new(yaml->pool, type, &yaml->at);
	int r = node_charge(yaml->pool, 1, &node->at, err);

	if (r == 0)
		r = read_properties(yaml, node, err);
	node->open = true;
	if (r == 0)
		r = type == NODE_SCALAR ? read_scalar(yaml, node, err)
					: read_members(yaml, node, depth + 1, err);
	node->open = false;
	return r < 0 ? NULL : node;
}

/* Reads what the current event starts, and leaves the event that ends it current. */
static struct node *read_node(struct yaml *yaml, unsigned depth, struct varve_error *err)
{
	enum fy_event_type type = yaml->event->type;

	if (type == FYET_ALIAS)
		return read_alias(yaml, depth, err);
	if (type == FYET_MAPPING_START)
		return read_new_node(yaml, NODE_MAP, depth, err);
	if (type == FYET_SEQUENCE_START)
		return read_new_node(yaml, NODE_LIST, depth, err);
	if (type == FYET_SCALAR)
		return read_new_node(yaml, NODE_SCALAR, depth, err);
	(void)syntax_error(yaml, err);
	return NULL;
}

/* Skips the events that only open and close the stream. */
static int next_content(struct yaml *yaml, enum fy_event_type skip, struct varve_error *err)
{
	int r;

	do {
		r = next_event(yaml, err);
	} while (r == 0 && yaml->event->type == skip);
	return r;
}

static int read_document(struct yaml *yaml, struct node **ret, struct varve_error *err)
{
	struct node *root;
	int r;

	r = next_content(yaml, FYET_STREAM_START, err);
	if (r < 0)
		return r;
	if (yaml->event->type != FYET_DOCUMENT_START)
		return recipe_error(&yaml->at, err, "the file is empty");
	r = next_event(yaml, err);
	if (r < 0)
		return r;
	root = read_node(yaml, 0, err);
	if (!root)
		return -VARVE_E_RECIPE;
	r = next_content(yaml, FYET_DOCUMENT_END, err);
	if (r < 0)
		return r;
	if (yaml->event->type != FYET_STREAM_END)
		return recipe_error(&yaml->at, err, "a second document; a recipe is one");
	*ret = root;
	return 0;
}

int yaml_read(const char *text, size_t len, const char *file, struct node_pool *pool,
	      struct node **ret, struct varve_error *err)
{
	CLEANUP(yaml_release) struct yaml yaml = {.file = file, .pool = pool, .at = {file, 1, 1}};
	int r;

	r = text_check_file(text, len, file, err);
	if (r < 0)
		return r;
	/* Where is no byte, libfyaml 0.7 asks for the length of the string by itself. */
	if (len == 0)
		return recipe_error(&yaml.at, err, "the file is empty");
	r = yaml_open(&yaml, text, len, err);
	return r < 0 ? r : read_document(&yaml, ret, err);
}
