/* SPDX-License-Identifier: Apache-2.0
 * Values of sources. */
#include "recipe/recipe_check.h"

#include "base/buf.h"
#include "base/path.h"
#include "recipe/recipe_grammar.h"
#include "recipe/recipe_template.h"

enum { STRIP_MAXIMUM = 64 };

static int check_boolean(const struct recipe_value *value, struct varve_error *err)
{
	bool ignored;

	if (!value->text || template_is(value->text))
		return 0;
	return recipe_boolean(value, value->text, &ignored, err);
}

static int check_words(const struct recipe_values *values, const char *what,
		       struct varve_error *err)
{
	int r = 0;

	/* A template may well come to nothing: it is left out then. */
	for (size_t i = 0; r == 0 && i < values->count; i++)
		r = grammar_check_literal(GRAMMAR_WORD, &values->items[i], what, err);
	return r;
}

static int check_keyring(const struct recipe_value *keyring, struct varve_error *err)
{
	if (!keyring->text || template_is(keyring->text) || path_is_clean(keyring->text))
		return 0;
	return recipe_error(&keyring->at, err,
			    "\"%s\" cannot be a keyring: it is a file beside the recipe, without "
			    "\"..\"",
			    keyring->text);
}

static int check_repositories(const struct recipe_source *source, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < source->repository_count; i++) {
		const struct recipe_repository *one = &source->repositories[i];

		r = grammar_check_literal(GRAMMAR_NAME, &one->mirror, "the name of a mirror", err);
		if (r == 0)
			r = grammar_check_literal(GRAMMAR_WORD, &one->suite, "a suite", err);
		if (r == 0)
			r = check_words(&one->components, "a component", err);
		if (r == 0)
			r = check_keyring(&one->keyring, err);
	}
	for (size_t i = 0; r == 0 && i < source->pins.count; i++)
		r = grammar_check_literal(GRAMMAR_PIN, &source->pins.items[i], "a pin", err);
	return r;
}

static int check_debian(const struct recipe_source *source, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_WORD, &source->suite, "a suite", err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_SNAPSHOT, &source->snapshot, "a snapshot", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &source->architecture, "an architecture",
					  err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_NAME, &source->mirror, "the name of a mirror",
					  err);
	if (r == 0)
		r = check_keyring(&source->keyring, err);
	if (r == 0)
		r = check_boolean(&source->recommends, err);
	if (r == 0)
		r = check_boolean(&source->dependencies, err);
	if (r == 0)
		r = check_repositories(source, err);
	if (r == 0)
		r = check_words(&source->suites, "a suite", err);
	if (r == 0)
		r = check_words(&source->components, "a component", err);
	if (r == 0)
		r = check_words(&source->packages, "the name of a package", err);
	if (r == 0 && source->packages.count == 0)
		r = recipe_error(&source->at, err, "source \"%s\" lists no packages",
				 source->name.text);
	return r;
}

static int check_strip(const struct recipe_source *source, struct varve_error *err)
{
	int64_t ignored;

	if (!source->strip.text)
		return 0;
	if (!source->unpack.text)
		return recipe_error(&source->strip.at, err,
				    "\"strip\" of source \"%s\" needs \"unpack: true\"",
				    source->name.text);
	if (template_is(source->strip.text))
		return 0;
	return recipe_integer(&source->strip, source->strip.text, 0, STRIP_MAXIMUM, &ignored, err);
}

static int check_url(const struct recipe_source *source, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_HREF, &source->href, "an href", err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_SHA256, &source->sha256, "a sha256", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_FILENAME, &source->filename, "a file name", err);
	if (r == 0)
		r = check_boolean(&source->unpack, err);
	return r < 0 ? r : check_strip(source, err);
}

static int check_local(const struct recipe_source *source, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_RELATIVE, &source->path, "the path of a local source",
				      err);

	return r < 0 ? r
		     : grammar_check_literal(GRAMMAR_RELATIVE, &source->ignore, "an ignore file",
					     err);
}

static int check_exclude(const struct recipe_values *patterns, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < patterns->count; i++)
		r = grammar_check_literal(GRAMMAR_PATTERN, &patterns->items[i],
					  "a pattern of paths", err);
	return r;
}

static int check_git(const struct recipe_source *source, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_GIT_URL, &source->url, "the URL of a repository",
				      err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_GIT_REF, &source->ref, "a ref", err);
	if (r == 0)
		r = check_boolean(&source->track, err);
	if (r == 0)
		r = check_boolean(&source->submodules, err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_PATTERN, &source->subdirectory, "a subdirectory",
					  err);
	return r < 0 ? r : check_exclude(&source->exclude, err);
}

static int check_image(const struct recipe_source *source, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_IMAGE, &source->reference, "an image", err);

	return r < 0 ? r
		     : grammar_check_literal(GRAMMAR_PLATFORM, &source->platform, "a platform",
					     err);
}

int check_source(const struct recipe_source *source, struct varve_error *err)
{
	switch (source->kind) {
	case SOURCE_PYTHON:
		return check_python(source, err);
	case SOURCE_DEBIAN:
		return check_debian(source, err);
	case SOURCE_URL:
		return check_url(source, err);
	case SOURCE_GIT:
		return check_git(source, err);
	case SOURCE_IMAGE:
		return check_image(source, err);
	case SOURCE_LOCAL:
	default:
		return check_local(source, err);
	}
}
