/* SPDX-License-Identifier: Apache-2.0
 * A recipe of several files. */
#include "recipe_fixture.h"

#define TAIL STAGES IMAGES

struct file {
	const char *name, *text;
};

static int load(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	for (const struct file *file = cookie; file->name; file++) {
		if (!str_equal(file->name, name))
			continue;
		buf_addstr(out, file->text);
		return 0;
	}
	return varve_error_set(err, -VARVE_E_RECIPE, "no file %s", name);
}

static int parse_files(struct file *files, struct recipe **ret, struct varve_error *err)
{
	return recipe_parse(files[0].text, strlen(files[0].text), files[0].name, load, files, ret,
			    err);
}

static void includes(void **state)
{
	struct file files[] = {
		{"d/r.yaml", "varve: 1\nname: outer\ninclude: [x/a.yaml, b.yaml]\n"
			     "variables: {z: 3}\n" TAIL},
		{"d/x/a.yaml", "include: [../b.yaml, c.yaml]\nname: inner\nvariables: {x: 1}\n"},
		{"d/x/../b.yaml", "varve: 1\nvariables: {y: 2}\nchecks: [{name: a, run: b}]\n"},
		{"d/b.yaml", "checks: [{name: c, run: d}]\n"},
		{"d/x/c.yaml", "registry: h.example\n"},
		{NULL, NULL},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	CLEANUP(recipe_freep) struct recipe *flat = NULL;
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(parse_files(files, &recipe, &err), 0);
	assert_string_equal(recipe->name.text, "outer");
	assert_string_equal(recipe->registry.text, "h.example");
	assert_int_equal(recipe->plain.count, 3);
	assert_string_equal(recipe->plain.items[0].name.text, "y");
	assert_string_equal(recipe->plain.items[2].name.text, "z");
	assert_string_equal(recipe->plain.items[0].name.at.file, "d/x/../b.yaml");
	assert_int_equal(recipe->check_count, 2);
	assert_string_equal(recipe->checks[0].name.text, "a");
	assert_int_equal(recipe->file_count, 5);
	flat = parse("varve: 1\nname: outer\nregistry: h.example\nvariables: {y: 2, x: 1, z: 3}\n"
		     "checks: [{name: a, run: b}, {name: c, run: d}]\n" TAIL);
	assert_string_equal(recipe->digest, flat->digest);
}

static void include_errors(void **state)
{
	static const struct {
		const char *list, *a, *b, *error;
	} cases[] = {
		{"[a]", "include: [r]\n", "", "a:1:11: \"r\" includes itself, by way of this file"},
		{"[r]", "", "", "r:3:11: \"r\" includes itself"},
		{"[a, b]", "variables: {v: 1}\n", "variables: {v: 2}\n",
		 "b:1:13: \"v\" is given twice; the first one is at a:1:13"},
		{"[a]", "stages: {s: {steps: [{step: x, run: y}]}}\n", "",
		 "r:4:10: \"s\" is given twice; the first one is at a:1:10"},
		{"[a]", "varve: 2\n", "",
		 "a:1:8: version \"2\" of the language is not known; this varve reads 1"},
		{"[a]", "sauces: {}\n", "",
		 "a:1:1: unknown key \"sauces\" in the recipe; did you mean \"sources\"?\n"
		 "keys of a recipe: varve, name, include, registry, options, variables, requires, sources, "
		 "stages, images, checks"},
		{"[c]", "", "", "r:3:11: include \"c\": no file c"},
		{"[/a]", "", "", "r:3:11: \"/a\" is no file name relative to this file"},
		{"[\"\"]", "", "", "r:3:11: \"\" is no file name relative to this file"},
		{"a", "", "",
		 "r:3:10: \"include\" must be a list, not a single value; a list is written [a, b] or "
		 "as lines that start with \"- \""},
		{"[a]", "stages: []\n", "",
		 "r:4:9: stages must be a list, not a map; a list is written [a, b] or as lines that "
		 "start with \"- \""},
		{"[a]", "", "", "a:1:1: the file is empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *text = xasprintf(HEAD "include: %s\n" TAIL, cases[i].list);
		struct file files[] = {
			{"r", text}, {"a", cases[i].a}, {"b", cases[i].b}, {NULL, NULL}};
		CLEANUP(recipe_freep) struct recipe *recipe = NULL;
		struct varve_error err = {0};

		assert_int_equal(parse_files(files, &recipe, &err), -VARVE_E_RECIPE);
		assert_string_equal(err.text, cases[i].error);
	}
}

/* Every file includes one more, without end. */
static int load_next(void *cookie, const char *name, struct buf *out, struct varve_error *err)
{
	unsigned *count = cookie;

	(void)name;
	(void)err;
	++*count;
	buf_addf(out, "include: [n%u]\n", *count);
	return 0;
}

static void include_depth(void **state)
{
	const char *text = HEAD "include: [n]\n" TAIL;
	struct recipe *recipe = NULL;
	struct varve_error err = {0};
	unsigned count = 0;

	(void)state;
	assert_int_equal(recipe_parse(text, strlen(text), "r", load_next, &count, &recipe, &err),
			 -VARVE_E_RECIPE);
	assert_string_equal(err.text, "n7:1:11: includes are more than 8 levels deep");
	assert_int_equal(count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(includes),
		cmocka_unit_test(include_errors),
		cmocka_unit_test(include_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
