/* SPDX-License-Identifier: Apache-2.0
 * Values of python sources and of steps that install them. */
#include "recipe/recipe_check.h"

#include "base/buf.h"
#include "recipe/recipe_grammar.h"
#include "recipe/recipe_template.h"

static int check_boolean(const struct recipe_value *value, struct varve_error *err)
{
	bool ignored;

	if (!value->text || template_is(value->text))
		return 0;
	return recipe_boolean(value, value->text, &ignored, err);
}

static int check_list(const struct recipe_values *values, enum grammar grammar, const char *what,
		      struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < values->count; i++)
		r = grammar_check_literal(grammar, &values->items[i], what, err);
	return r;
}

static int check_content(const struct recipe_source *source, struct varve_error *err)
{
	if (source->requirements.count == 0 && !source->lock.text)
		return recipe_error(&source->at, err,
				    "source \"%s\" has neither \"requirements\" nor \"lock\"",
				    source->name.text);
	if (source->requirements.count > 0 && source->lock.text)
		return recipe_error(&source->lock.at, err,
				    "source \"%s\" has both \"requirements\" and \"lock\": a lock "
				    "lists all that is wanted",
				    source->name.text);
	return 0;
}

/* Those above it only, so that there is no circle. */
static int check_neighbour(const struct recipe *recipe, size_t index,
			   const struct recipe_value *name, struct varve_error *err)
{
	for (size_t i = 0; i < recipe->source_count; i++) {
		const struct recipe_source *source = &recipe->sources[i];

		if (!str_equal(source->name.text, name->text))
			continue;
		if (source->kind != SOURCE_PYTHON)
			return recipe_error(&name->at, err, "source \"%s\" holds no wheels",
					    name->text);
		if (i < index)
			return 0;
		return recipe_error(&name->at, err,
				    "source \"%s\" has to be written above \"%s\", which is beside "
				    "it",
				    name->text, recipe->sources[index].name.text);
	}
	return recipe_error(&name->at, err, "there is no source \"%s\"", name->text);
}

int check_beside(const struct recipe *recipe, size_t index, struct varve_error *err)
{
	const struct recipe_values *names = &recipe->sources[index].beside;
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = check_neighbour(recipe, index, &names->items[i], err);
	return r;
}

int check_python(const struct recipe_source *source, struct varve_error *err)
{
	int r = check_content(source, err);

	if (r == 0)
		r = grammar_check_literal(GRAMMAR_PYTHON, &source->python, "a version of Python",
					  err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_GLIBC, &source->glibc, "a version of glibc", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_DATE, &source->before, "a date", err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_RELATIVE, &source->lock, "a lock file", err);
	if (r == 0)
		r = check_list(&source->requirements, GRAMMAR_REQUIREMENT, "a requirement", err);
	if (r == 0)
		r = check_list(&source->constraints, GRAMMAR_REQUIREMENT, "a constraint", err);
	if (r == 0)
		r = check_list(&source->index, GRAMMAR_NAME, "the name of an index", err);
	if (r == 0)
		r = check_boolean(&source->sdist, err);
	if (r == 0)
		r = check_boolean(&source->dependencies, err);
	return r < 0 ? r : check_boolean(&source->prereleases, err);
}

/* told: the words that will do; a literal value has to be one of them. */
static int check_word(const struct recipe_value *value, const char *key, const char *const *words,
		      const char *told, struct varve_error *err)
{
	if (!value->text || template_is(value->text))
		return 0;
	for (size_t i = 0; words[i]; i++)
		if (str_equal(words[i], value->text))
			return 0;
	return recipe_error(&value->at, err, "\"%s\" cannot be \"%s\"; it takes %s", key,
			    value->text, told);
}

static int check_install_python(const struct recipe_step *step, struct varve_error *err)
{
	static const char *const layouts[] = {"venv", "prefix", "directory", NULL};
	int r;

	if (!step->into.text)
		return recipe_error(&step->at, err,
				    "step \"%s\" installs wheels: \"into\" has to say where, as "
				    "\"into: /opt/venv\"",
				    step->name.text);
	r = grammar_check_literal(GRAMMAR_ABSOLUTE, &step->into, "a directory to install into",
				  err);
	if (r == 0)
		r = check_word(&step->layout, "layout", layouts, "venv, prefix or directory", err);
	return r < 0 ? r : check_boolean(&step->bytecode, err);
}

static int check_install_debian(const struct recipe_step *step, struct varve_error *err)
{
	const struct {
		const struct recipe_value *value;
		const char *key;
	} fields[] = {
		{&step->into, "into"}, {&step->layout, "layout"}, {&step->bytecode, "bytecode"}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].value->text)
			return recipe_error(&fields[i].value->at, err,
					    "\"%s\" is for wheels; Debian packages go where they "
					    "belong",
					    fields[i].key);
	return check_no_wheels(&step->split, err);
}

int check_install(const struct recipe_step *step, enum recipe_source_kind kind,
		  struct varve_error *err)
{
	return kind == SOURCE_PYTHON ? check_install_python(step, err)
				     : check_install_debian(step, err);
}
