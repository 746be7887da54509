/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_include.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_text.h"
#include "recipe/recipe_yaml.h"

enum { INCLUDE_DEPTH = 8, INCLUDE_FILES = 64 };

/* The files being read, innermost first. */
struct frame {
	const char *file;
	const struct frame *up;
	unsigned depth;
};

static int read_file(const struct include_input *input, const char *text, size_t len,
		     const struct frame *frame, struct node *into, struct varve_error *err);

static const char *add_file(struct recipe *recipe, const char *name)
{
	recipe->files = array_grow(recipe->files, recipe->file_count, &recipe->file_alloc,
				   sizeof(*recipe->files));
	recipe->files[recipe->file_count] = xstrdup(name);
	return recipe->files[recipe->file_count++];
}

static bool was_read(const struct recipe *recipe, const char *name)
{
	for (size_t i = 0; i < recipe->file_count; i++)
		if (str_equal(recipe->files[i], name))
			return true;
	return false;
}

static int check_cycle(const struct frame *frame, const char *name, const struct recipe_place *at,
		       struct varve_error *err)
{
	for (const struct frame *f = frame; f; f = f->up)
		if (str_equal(f->file, name))
			return recipe_error(at, err, "\"%s\" includes itself%s", name,
					    f == frame ? "" : ", by way of this file");
	return 0;
}

static int check_name(const struct node *item, struct varve_error *err)
{
	int r = schema_want(item, NODE_SCALAR, "a member of \"include\"", err);

	if (r < 0)
		return r;
	if (item->text[0] == '\0' || item->text[0] == '/')
		return recipe_error(&item->at, err, "\"%s\" is no file name relative to this file",
				    item->text);
	return 0;
}

static int load_file(const struct include_input *input, const struct node *item,
		     const struct frame *frame, const char *name, struct buf *text,
		     struct varve_error *err)
{
	int r;

	if (!input->load)
		return recipe_error(&item->at, err, "includes are not possible here");
	if (frame->depth >= INCLUDE_DEPTH)
		return recipe_error(&item->at, err, "includes are more than %d levels deep",
				    INCLUDE_DEPTH);
	if (input->recipe->file_count >= INCLUDE_FILES)
		return recipe_error(&item->at, err, "a recipe of more than %d files",
				    INCLUDE_FILES);
	r = input->load(input->cookie, name, text, err);
	if (r < 0)
		varve_error_prefix(err, "%s:%u:%u: include \"%s\"", item->at.file, item->at.line,
				   item->at.column, item->text);
	return r;
}

static int include_one(const struct include_input *input, const struct node *item,
		       const struct frame *frame, struct node *into, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(free_ptr) char *directory = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	int r;

	r = check_name(item, err);
	if (r < 0)
		return r;
	directory = xstrndup(frame->file, path_dir_len(frame->file));
	name = path_join(directory, item->text);
	r = check_cycle(frame, name, &item->at, err);
	if (r < 0 || was_read(input->recipe, name))
		return r;
	r = load_file(input, item, frame, name, &text, err);
	if (r < 0)
		return r;
	return read_file(input, buf_text(&text), text.len,
			 &(struct frame){add_file(input->recipe, name), frame, frame->depth + 1},
			 into, err);
}

static int check_version(const struct node *root, bool required, struct varve_error *err)
{
	const struct node *version = node_get(root, "varve");
	int r;

	if (!version)
		return required ? recipe_error(&root->at, err,
					       "a recipe says which version of the language it is "
					       "in; add the line \"varve: 1\"")
				: 0;
	r = schema_want(version, NODE_SCALAR, "\"varve\"", err);
	if (r == 0 && !str_equal(version->text, "1"))
		r = recipe_error(&version->at, err,
				 "version \"%s\" of the language is not known; this varve reads 1",
				 version->text);
	return r;
}

/* Joins the members of a section: into is a copy, since an alias may share the original. */
static int join_section(const struct include_input *input, struct node *into,
			const struct node_member *member, struct varve_error *err)
{
	const struct node *section = member->value;
	struct node *joined = NULL;
	int r;

	for (size_t i = 0; i < into->count; i++)
		if (str_equal(into->members[i].key->text, member->key->text))
			joined = into->members[i].value;
	if (!joined) {
		joined = node_new(input->pool, section->type, &section->at);
		node_append(into, member->key, joined);
	}
	r = schema_want(section, joined->type, member->key->text, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < section->count; i++)
		node_append(joined, section->members[i].key, section->members[i].value);
	return node_check_members(joined, err);
}

static void join_value(struct node *into, const struct node_member *member)
{
	for (size_t i = 0; i < into->count; i++) {
		if (str_equal(into->members[i].key->text, member->key->text)) {
			into->members[i] = *member;
			return;
		}
	}
	node_append(into, member->key, member->value);
}

static int join(const struct include_input *input, struct node *into, const struct node *root,
		struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < root->count; i++) {
		const struct node_member *member = &root->members[i];

		if (str_equal(member->key->text, "include"))
			continue;
		if (member->value->type == NODE_LIST || member->value->type == NODE_MAP)
			r = join_section(input, into, member, err);
		else
			join_value(into, member);
	}
	return r;
}

static int read_file(const struct include_input *input, const char *text, size_t len,
		     const struct frame *frame, struct node *into, struct varve_error *err)
{
	const struct schema_subject subject = {"the recipe", 0};
	const struct node *includes;
	struct node *root;
	int r;

	r = yaml_read(text, len, frame->file, input->pool, &root, err);
	if (r == 0)
		r = schema_check_keys(&schema_recipe, &subject, root, err);
	if (r == 0)
		r = check_version(root, frame->depth == 0, err);
	if (r < 0)
		return r;
	includes = node_get(root, "include");
	if (includes)
		r = schema_want(includes, NODE_LIST, "\"include\"", err);
	for (size_t i = 0; r == 0 && includes && i < includes->count; i++)
		r = include_one(input, includes->members[i].value, frame, into, err);
	return r < 0 ? r : join(input, into, root, err);
}

int include_read(const struct include_input *input, const char *text, size_t len, const char *file,
		 struct node **ret, struct varve_error *err)
{
	const struct frame frame = {add_file(input->recipe, file), NULL, 0};
	struct node *root =
		node_new(input->pool, NODE_MAP, &(struct recipe_place){frame.file, 1, 1});
	int r = read_file(input, text, len, &frame, root, err);

	if (r == 0)
		*ret = root;
	return r;
}
