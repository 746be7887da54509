/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

enum { STRIP_LIMIT = 64 };

int spec_text(struct compiler *c, const struct recipe_value *value, const char *otherwise,
	      char **ret, struct varve_error *err)
{
	int r = recipe_expand(c->scope, value, false, NULL, NULL, ret, err);

	if (r == 0 && !*ret)
		*ret = xstrdup(otherwise);
	return r;
}

int spec_set_text(struct compiler *c, json_t *spec, const char *key,
		  const struct recipe_value *value, const char *otherwise, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = spec_text(c, value, otherwise, &text, err);

	if (r == 0)
		json_set(spec, key, json_text(text));
	return r;
}

int spec_set_boolean(struct compiler *c, json_t *spec, const char *key,
		     const struct recipe_value *value, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	bool flag = false;
	int r = spec_text(c, value, "", &text, err);

	if (r == 0 && *text)
		r = recipe_boolean(value, text, &flag, err);
	if (r == 0)
		json_set(spec, key, json_boolean(flag));
	return r;
}

int spec_set_dependencies(struct compiler *c, json_t *spec, const struct recipe_value *value,
			  struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	bool flag = true;
	int r = spec_text(c, value, "", &text, err);

	if (r == 0 && *text)
		r = recipe_boolean(value, text, &flag, err);
	if (r == 0 && !flag)
		json_set(spec, "dependencies", json_false());
	return r;
}

int spec_set_checked(struct compiler *c, json_t *spec, const char *key,
		     const struct recipe_value *value, enum grammar grammar,
		     struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *what = xasprintf("the %s of a source", key);
	struct recipe_value checked = *value;
	int r = spec_text(c, value, "", &text, err);

	checked.text = text;
	if (r == 0 && *text)
		r = grammar_check(grammar, &checked, what, err);
	if (r == 0)
		json_set(spec, key, json_text(text));
	return r;
}

int spec_set_file_digest(struct compiler *c, json_t *spec, const char *key, const char *path,
			 struct varve_error *err)
{
	struct varve_digest digest;
	int r;

	if (*path == '\0' || *path == '/')
		return 0;
	if (!c->options->file_digest)
		return varve_error_set(err, -EINVAL, "%s: no way to read files", path);
	r = c->options->file_digest(c->options->cookie, path, &digest, err);
	if (r == 0)
		json_set(spec, key, json_of_digest(&digest));
	return r;
}

int spec_add_texts(struct compiler *c, const struct recipe_values *values, struct strv *list,
		   struct varve_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < values->count; i++) {
		CLEANUP(free_ptr) char *text = NULL;

		r = spec_text(c, &values->items[i], "", &text, err);
		if (r < 0)
			return r;
		if (*text && !strv_contains(list, text))
			strv_take(list, steal_ptr(&text));
	}
	return 0;
}

/* --- url --- */
/* "http://x.example/a/b.tar.gz?raw=1" -> "b.tar.gz" */
static char *name_in_url(const char *href)
{
	size_t len = strcspn(href, "?#");
	CLEANUP(free_ptr) char *path = xstrndup(href, len);

	return xstrdup(path_base(path));
}

static int set_filename(struct compiler *c, json_t *spec, const struct recipe_source *source,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *href = NULL;
	CLEANUP(free_ptr) char *from_url = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	int r = spec_text(c, &source->href, "", &href, err);

	if (r < 0)
		return r;
	from_url = name_in_url(href);
	r = spec_text(c, &source->filename, from_url, &name, err);
	if (r < 0)
		return r;
	if (!path_is_clean(name) || strchr(name, '/'))
		return recipe_error(source->filename.text ? &source->filename.at : &source->href.at,
				    err, "\"%s\" is no name of a file; give the source a filename",
				    name);
	json_set(spec, "href", json_text(href));
	json_set(spec, "filename", json_text(name));
	return 0;
}

static int set_sha256(struct compiler *c, json_t *spec, const struct recipe_source *source,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	struct varve_digest digest;
	int r = spec_text(c, &source->sha256, "", &text, err);

	if (r < 0)
		return r;
	if (*text && varve_digest_parse_hex(text, &digest) < 0)
		return recipe_error(&source->sha256.at, err,
				    "sha256 \"%s\" is not 64 digits 0-9, a-f", text);
	json_set(spec, "sha256", json_text(text));
	return 0;
}

static int url_spec(struct compiler *c, const struct recipe_source *source, json_t *spec,
		    struct varve_error *err)
{
	CLEANUP(free_ptr) char *strip = NULL;
	int64_t number = 0;
	int r;

	r = set_filename(c, spec, source, err);
	if (r == 0)
		r = set_sha256(c, spec, source, err);
	if (r == 0)
		r = spec_set_boolean(c, spec, "unpack", &source->unpack, err);
	if (r == 0)
		r = spec_text(c, &source->strip, "", &strip, err);
	if (r == 0 && *strip)
		r = recipe_integer(&source->strip, strip, 0, STRIP_LIMIT, &number, err);
	if (r == 0)
		json_set(spec, "strip", json_integer(number));
	return r;
}

/* --- local --- */
static int local_spec(struct compiler *c, const struct recipe_source *source, json_t *spec,
		      struct varve_error *err)
{
	int r = spec_set_text(c, spec, "path", &source->path, "", err);

	if (r == 0)
		r = spec_set_text(c, spec, "ignore", &source->ignore, "", err);
	return r;
}

int compile_spec(struct compiler *c, const struct recipe_source *source, int below, json_t **ret,
		 struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *spec = json_object();
	int r;

	switch (source->kind) {
	case SOURCE_DEBIAN:
		json_set(spec, "kind", json_text("debian"));
		r = debian_spec(c, source, below, spec, err);
		break;
	case SOURCE_URL:
		json_set(spec, "kind", json_text("url"));
		r = url_spec(c, source, spec, err);
		break;
	case SOURCE_LOCAL:
		json_set(spec, "kind", json_text("local"));
		r = local_spec(c, source, spec, err);
		break;
	case SOURCE_PYTHON:
		json_set(spec, "kind", json_text("python"));
		r = python_spec(c, source, spec, err);
		break;
	case SOURCE_GIT:
		json_set(spec, "kind", json_text("git"));
		r = spec_git(c, source, spec, err);
		break;
	case SOURCE_IMAGE:
		json_set(spec, "kind", json_text("image"));
		r = spec_image(c, source, spec, err);
		break;
	default:
		r = recipe_error(&source->at, err,
				 "source \"%s\" is of a kind that this version does not support; "
				 "it has debian, git, image, local, python and url",
				 source->name.text);
	}
	if (r == 0)
		*ret = steal_ptr(&spec);
	return r;
}
