/* SPDX-License-Identifier: Apache-2.0
 * sources: */
#include "recipe/recipe_parse.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char *const source_kinds[] = {"a debian source",
					   "a local source",
					   "a url source",
					   "a python source",
					   "a git source",
					   "an image source",
					   NULL};
static const char *const kind_names[] = {"debian", "local", "url", "python", "git", "image", NULL};

enum {
	DEBIAN = 1 << SOURCE_DEBIAN,
	LOCAL = 1 << SOURCE_LOCAL,
	URL = 1 << SOURCE_URL,
	GIT = 1 << SOURCE_GIT,
	IMAGE = 1 << SOURCE_IMAGE,
	PYTHON = 1 << SOURCE_PYTHON,
};

static int read_repositories(const struct node *node, const struct schema_subject *subject,
			     void *object, struct varve_error *err);

static const char *const repository_kinds[] = {"a repository", NULL};

#define FIELD(name) offsetof(struct recipe_repository, name)
static const struct schema_key repository_keys[] = {
	{"mirror", SCHEMA_VALUE, FIELD(mirror), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{"suite", SCHEMA_VALUE, FIELD(suite), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{"components", SCHEMA_VALUES, FIELD(components), 0, 0, NAMES_OPTIONS, NULL},
	{"keyring", SCHEMA_VALUE, FIELD(keyring), 0, SCHEMA_ALL, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
const struct schema schema_repository = {repository_keys, repository_kinds};

#define FIELD(name) offsetof(struct recipe_source, name)
static const struct schema_key source_keys[] = {
	{"kind", SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
	{"if", SCHEMA_VALUE, FIELD(condition), 0, 0, NAMES_OPTIONS, NULL},
	{"suite", SCHEMA_VALUE, FIELD(suite), DEBIAN, DEBIAN, NAMES_OPTIONS, NULL},
	{"snapshot", SCHEMA_VALUE, FIELD(snapshot), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"suites", SCHEMA_VALUES, FIELD(suites), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"components", SCHEMA_VALUES, FIELD(components), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"packages", SCHEMA_VALUES, FIELD(packages), DEBIAN, DEBIAN, NAMES_OPTIONS, NULL},
	{"architecture", SCHEMA_VALUE, FIELD(architecture), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"keyring", SCHEMA_VALUE, FIELD(keyring), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"recommends", SCHEMA_VALUE, FIELD(recommends), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"dependencies", SCHEMA_VALUE, FIELD(dependencies), DEBIAN | PYTHON, 0, NAMES_OPTIONS,
	 NULL},
	{"mirror", SCHEMA_VALUE, FIELD(mirror), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"repositories", SCHEMA_OWN, 0, DEBIAN, 0, NAMES_NONE, read_repositories},
	{"pins", SCHEMA_VALUES, FIELD(pins), DEBIAN, 0, NAMES_OPTIONS, NULL},
	{"href", SCHEMA_VALUE, FIELD(href), URL, URL, NAMES_OPTIONS, NULL},
	{"sha256", SCHEMA_VALUE, FIELD(sha256), URL, 0, NAMES_OPTIONS, NULL},
	{"unpack", SCHEMA_VALUE, FIELD(unpack), URL, 0, NAMES_OPTIONS, NULL},
	{"strip", SCHEMA_VALUE, FIELD(strip), URL, 0, NAMES_OPTIONS, NULL},
	{"filename", SCHEMA_VALUE, FIELD(filename), URL, 0, NAMES_OPTIONS, NULL},
	{"path", SCHEMA_VALUE, FIELD(path), LOCAL, LOCAL, NAMES_OPTIONS, NULL},
	{"ignore", SCHEMA_VALUE, FIELD(ignore), LOCAL, 0, NAMES_OPTIONS, NULL},
	{"url", SCHEMA_VALUE, FIELD(url), GIT, GIT, NAMES_OPTIONS, NULL},
	{"ref", SCHEMA_VALUE, FIELD(ref), GIT, 0, NAMES_OPTIONS, NULL},
	{"track", SCHEMA_VALUE, FIELD(track), GIT, 0, NAMES_OPTIONS, NULL},
	{"submodules", SCHEMA_VALUE, FIELD(submodules), GIT, 0, NAMES_OPTIONS, NULL},
	{"subdirectory", SCHEMA_VALUE, FIELD(subdirectory), GIT, 0, NAMES_OPTIONS, NULL},
	{"exclude", SCHEMA_VALUES, FIELD(exclude), GIT, 0, NAMES_OPTIONS, NULL},
	{"reference", SCHEMA_VALUE, FIELD(reference), IMAGE, IMAGE, NAMES_OPTIONS, NULL},
	{"platform", SCHEMA_VALUE, FIELD(platform), IMAGE, 0, NAMES_OPTIONS, NULL},
	{"python", SCHEMA_VALUE, FIELD(python), PYTHON, PYTHON, NAMES_OPTIONS, NULL},
	{"requirements", SCHEMA_VALUES, FIELD(requirements), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"lock", SCHEMA_VALUE, FIELD(lock), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"constraints", SCHEMA_VALUES, FIELD(constraints), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"beside", SCHEMA_VALUES, FIELD(beside), PYTHON, 0, NAMES_NONE, NULL},
	{"before", SCHEMA_VALUE, FIELD(before), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"sdist", SCHEMA_VALUE, FIELD(sdist), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"prereleases", SCHEMA_VALUE, FIELD(prereleases), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"index", SCHEMA_VALUES, FIELD(index), PYTHON, 0, NAMES_OPTIONS, NULL},
	{"glibc", SCHEMA_VALUE, FIELD(glibc), PYTHON, 0, NAMES_OPTIONS, NULL},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD

const struct schema schema_source = {source_keys, source_kinds};

void recipe_source_release(struct recipe_source *source)
{
	value_release(&source->name);
	schema_release(&schema_source, source);
	for (size_t i = 0; i < source->repository_count; i++)
		schema_release(&schema_repository, &source->repositories[i]);
	free(source->repositories);
}

static int read_repositories(const struct node *node, const struct schema_subject *subject,
			     void *object, struct varve_error *err)
{
	struct recipe_source *source = object;
	CLEANUP(free_ptr) char *label = xasprintf("\"repositories\" of %s", subject->label);
	const struct schema_subject entry = {label, 0};
	int r = schema_want(node, NODE_LIST, label, err);

	for (size_t i = 0; r == 0 && i < node->count; i++) {
		source->repositories =
			array_grow(source->repositories, source->repository_count,
				   &source->repository_alloc, sizeof(*source->repositories));
		r = schema_read(&schema_repository, &entry, node->members[i].value,
				&source->repositories[source->repository_count++], err);
	}
	return r;
}

static int read_kind(const struct node *map, const char *label, enum recipe_source_kind *ret,
		     struct varve_error *err)
{
	const struct node *node = node_get(map, "kind");
	CLEANUP(free_ptr) char *suggestion = NULL;
	int r;

	if (!node)
		return recipe_error(&map->at, err,
				    "%s lacks \"kind\": debian, git, image, local, python or url",
				    label);
	r = schema_want(node, NODE_SCALAR, "\"kind\"", err);
	if (r < 0)
		return r;
	for (unsigned i = 0; kind_names[i]; i++) {
		if (str_equal(node->text, kind_names[i])) {
			*ret = (enum recipe_source_kind)i;
			return 0;
		}
	}
	suggestion = suggest(node->text, kind_names);
	r = recipe_error(&node->at, err, "unknown kind \"%s\" of %s%s", node->text, label,
			 suggestion);
	varve_error_hint(err, "kinds of sources: debian, git, image, local, python, url");
	return r;
}

static int parse_source(const struct node_member *member, struct recipe_source *source,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *label = xasprintf("source \"%s\"", member->key->text);
	struct schema_subject subject = {label, 0};
	int r;

	schema_name(member->key, &source->name);
	source->at = member->key->at;
	r = schema_want(member->value, NODE_MAP, label, err);
	if (r == 0)
		r = read_kind(member->value, label, &source->kind, err);
	if (r < 0)
		return r;
	subject.kind = source->kind;
	return schema_read(&schema_source, &subject, member->value, source, err);
}

static struct recipe_source *new_source(struct recipe *recipe)
{
	recipe->sources = array_grow(recipe->sources, recipe->source_count, &recipe->source_alloc,
				     sizeof(*recipe->sources));
	return &recipe->sources[recipe->source_count++];
}

int parse_sources(const struct node *node, const struct schema_subject *subject, void *object,
		  struct varve_error *err)
{
	struct recipe *recipe = object;
	int r = schema_want(node, NODE_MAP, "\"sources\"", err);

	(void)subject;
	for (size_t i = 0; r == 0 && i < node->count; i++)
		r = parse_source(&node->members[i], new_source(recipe), err);
	return r;
}

void parse_parents(struct recipe *recipe)
{
	for (size_t i = 0; i < recipe->stage_count; i++) {
		const struct recipe_value *from = &recipe->stages[i].from;

		if (!from->text || !recipe_is_image(from->text) ||
		    recipe_find_source(recipe, from->text))
			continue;
		*new_source(recipe) = (struct recipe_source){
			.name = {xstrdup(from->text), from->at},
			.kind = SOURCE_IMAGE,
			.at = from->at,
			.reference = {xstrdup(from->text), from->at},
		};
	}
}
