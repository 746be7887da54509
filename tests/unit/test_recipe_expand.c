/* SPDX-License-Identifier: Apache-2.0
 * Options, variables, templates, conditions and typed values. */
#include "recipe_fixture.h"

#define RECIPE                                                                                     \
	"varve: 1\n"                                                                               \
	"name: r\n"                                                                                \
	"options:\n"                                                                               \
	"  arch: {choices: [ampere, turing], default: ampere, help: the GPU}\n"                    \
	"  repo: {required: true, help: \"the URL\\nof it\"}\n"                                    \
	"  jobs: {type: integer, minimum: 1, maximum: 64, default: 12, keyed: false}\n"            \
	"  low: {type: integer, minimum: -5, default: 0}\n"                                        \
	"  fast: {type: boolean, default: no}\n"                                                   \
	"  suffix: {default: \"\"}\n"                                                              \
	"variables:\n"                                                                             \
	"  label: \"${arch}-${cuda}-${repo:.3}\"\n"                                                \
	"  arch:\n"                                                                                \
	"    ampere: {cuda: \"cu${low}\", both: \"${cuda}${cuda}\", flash: \"\"}\n"                \
	"    turing: {both: t, flash: \"2\", cuda: cu1}\n"                                         \
	"  fast: {true: {level: \"1\"}, false: {level: \"19\"}}\n"                                 \
	"  again: \"${label}/${level}\"\n"                                                         \
	"stages: {s: {steps: [{step: x, run: y}]}}\n"                                              \
	"images: {i: {stage: s, name: n}}\n"

/* Settings are one text, a line each; "" for none. */
static int new_scope(const struct recipe *recipe, const char *settings, struct recipe_scope **ret,
		     struct varve_error *err)
{
	CLEANUP(strv_release) struct strv list = STRV_INIT;

	while (*settings) {
		size_t len = strcspn(settings, "\n");

		strv_take(&list, xstrndup(settings, len));
		settings += len + (settings[len] ? 1 : 0);
	}
	return recipe_scope_new(recipe, &list, ret, err);
}

static void scopes(void **state)
{
	static const struct {
		const char *settings, *name, *value;
	} cases[] = {
		{"repo=abcdef", "arch", "ampere"},
		{"repo=abcdef", "cuda", "cu0"},
		{"repo=abcdef", "both", "cu0cu0"},
		{"repo=abcdef", "flash", ""},
		{"repo=abcdef", "label", "ampere-cu0-abc"},
		{"repo=abcdef", "again", "ampere-cu0-abc/19"},
		{"repo=abcdef", "jobs", "12"},
		{"repo=abcdef", "suffix", ""},
		{"repo=abcdef", "none", NULL},
		{"repo=ab\narch=turing", "label", "turing-cu1-ab"},
		{"repo=ab\narch=turing", "both", "t"},
		{"repo=ab\nrepo=cd", "repo", "cd"},
		{"repo=a=b=c", "repo", "a=b=c"},
		{"repo=", "repo", ""},
		{"repo=${arch}", "repo", "${arch}"},
		{"repo=a\nfast=yes", "fast", "true"},
		{"repo=a\nfast=1", "level", "1"},
		{"repo=a\nfast=0", "level", "19"},
		{"repo=a\njobs=007", "jobs", "7"},
		{"repo=a\nlow=-5", "cuda", "cu-5"},
		{"repo=a\nlow=-0", "low", "0"},
		{"repo=\xc3\xa4\xc3\xa4", "label", "ampere-cu0-\xc3\xa4"},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
		struct varve_error err = {0};
		const char *value;

		if (new_scope(recipe, cases[i].settings, &scope, &err) < 0)
			print_message("%s: %s\n", cases[i].settings, err.text);
		assert_non_null(scope);
		value = recipe_scope_get(scope, cases[i].name);
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
	}
}

static void scope_errors(void **state)
{
	static const struct {
		const char *settings, *error;
	} cases[] = {
		{"", "recipe \"r\" needs to be told:\n  --repo VALUE   the URL of it"},
		{"rpo=a", "recipe \"r\" has no option \"rpo\"; did you mean \"repo\"?\n"
			  "its options: arch, repo, jobs, low, fast, suffix"},
		{"repo", "\"repo\" is not NAME=VALUE"},
		{"=x", "recipe \"r\" has no option \"\"\n"
		       "its options: arch, repo, jobs, low, fast, suffix"},
		{"cuda=x", "recipe \"r\" has no option \"cuda\"\n"
			   "its options: arch, repo, jobs, low, fast, suffix"},
		{"repo=a\narch=turng",
		 "option \"arch\" is ampere or turing, not \"turng\"; did you mean \"turing\"?"},
		{"repo=a\narch=volta", "option \"arch\" is ampere or turing, not \"volta\""},
		{"repo=a\njobs=0", "option \"jobs\": \"0\" is not a whole number from 1 to 64"},
		{"repo=a\njobs=65", "option \"jobs\": \"65\" is not a whole number from 1 to 64"},
		{"repo=a\njobs=", "option \"jobs\": \"\" is not a whole number from 1 to 64"},
		{"repo=a\njobs= 3", "option \"jobs\": \" 3\" is not a whole number from 1 to 64"},
		{"repo=a\njobs=1e3", "option \"jobs\": \"1e3\" is not a whole number from 1 to 64"},
		{"repo=a\njobs=99999999999999999999",
		 "option \"jobs\": \"99999999999999999999\" is not a whole number from 1 to 64"},
		{"repo=a\nlow=-6", "option \"low\": \"-6\" is not a whole number of -5 or more"},
		{"repo=a\nfast=maybe", "option \"fast\": \"maybe\" is neither true nor false"},
		{"repo=\xff", "option \"repo\": a value that is not UTF-8 or too long"},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recipe_scope *scope = NULL;
		struct varve_error err = {0};

		assert_int_equal(new_scope(recipe, cases[i].settings, &scope, &err),
				 -VARVE_E_USAGE);
		assert_string_equal(err.text, cases[i].error);
		assert_int_equal(err.code, -VARVE_E_USAGE);
		assert_null(scope);
	}
}

static const char *lookup(void *cookie, const char *name)
{
	assert_string_equal(cookie, "cookie");
	if (str_equal(name, "app.commit"))
		return "0123456789abcdef";
	return str_equal(name, "env.PATH") ? "/bin" : NULL;
}

static void expand(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"", ""},
		{"plain", "plain"},
		{"${arch}", "ampere"},
		{"a${arch}b", "aampereb"},
		{"${arch}${low}", "ampere0"},
		{"${arch:.2}", "am"},
		{"${arch:.0}", ""},
		{"${arch:.99}", "ampere"},
		{"${app.commit:.12}", "0123456789ab"},
		{"/x:${env.PATH}", "/x:/bin"},
		{"$${arch}", "${arch}"},
		{"$$${arch}", "$${arch}"},
		{"$$ $x $$x $", "$$ $x $$x $"},
		{"$ {arch}", "$ {arch}"},
		{"{arch}", "{arch}"},
		{"$", "$"},
		{"$(a) $1 $", "$(a) $1 $"},
		{"${suffix}", ""},
		{"\xc3\xa4${arch}\xc3\xa4", "\xc3\xa4"
					    "ampere\xc3\xa4"},
		{"${wide:.1}", ""},
		{"${wide:.2}", "\xc3\xa4"},
		{"${wide:.4}", "\xc3\xa4"
			       "b"},
		{"$${${arch}}", "${ampere}"},
		{"${dollar}", "${arch}"},
	};
	CLEANUP(recipe_freep)
	struct recipe *recipe = parse(
		"varve: 1\nname: r\noptions: {arch: {default: ampere}, low: {default: 0},\n"
		"  suffix: {default: \"\"}, wide: {default: \xc3\xa4"
		"b\xc3\xa4}}\nvariables: {dollar: \"$${arch}\"}\n"
		"stages: {s: {steps: [{step: x, run: y}]}}\nimages: {i: {stage: s, name: n}}\n");
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	char cookie[] = "cookie";

	(void)state;
	assert_int_equal(new_scope(recipe, "", &scope, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *copy = xstrdup(cases[i].text);
		CLEANUP(free_ptr) char *value = NULL;
		const struct recipe_value written = {copy, {"r.yaml", 1, 1}};
		struct varve_error err = {0};

		if (recipe_expand(scope, &written, false, lookup, cookie, &value, &err) < 0)
			print_message("%s: %s\n", copy, err.text);
		assert_string_equal(value, cases[i].value);
	}
}

static void expand_errors(void **state)
{
	static const struct {
		const char *text;
		bool lookup;
		const char *error;
	} cases[] = {
		{"${jobs}", true,
		 "r.yaml:1:1: option \"jobs\" has keyed: false and cannot be used here\n"
		 "such an option may reach a step only through jobs and unkeyed-environment"},
		{"${arhc}", true,
		 "r.yaml:1:1: \"${arhc}\" names neither an option nor a variable; did you mean "
		 "\"arch\"?"},
		{"a\n\n${zebra}", true,
		 "r.yaml:3:1: \"${zebra}\" names neither an option nor a variable"},
		{"${app.date}", true, "r.yaml:1:1: \"${app.date}\" is not known here"},
		{"${app.commit}", false, "r.yaml:1:1: \"${app.commit}\" is not known here"},
		{"${env.NOPE}", true,
		 "r.yaml:1:1: \"${env.NOPE}\": nothing below sets the variable NOPE"},
		{"${env.PATH}", false, "r.yaml:1:1: \"${env.PATH}\" is not known here"},
		{"${arch", true,
		 "r.yaml:1:1: \"${\" without a name and a \"}\" behind it\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{"${arch:2}", true,
		 "r.yaml:1:1: \"${arch:2}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{"${ arch }", true,
		 "r.yaml:1:1: \"${ arch }\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	char cookie[] = "cookie";

	(void)state;
	assert_int_equal(new_scope(recipe, "repo=a", &scope, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *copy = xstrdup(cases[i].text);
		const struct recipe_value written = {copy, {"r.yaml", 1, 1}};
		struct varve_error err = {0};
		char *value = NULL;

		assert_int_equal(recipe_expand(scope, &written, false,
					       cases[i].lookup ? lookup : NULL, cookie, &value,
					       &err),
				 -VARVE_E_RECIPE);
		assert_string_equal(err.text, cases[i].error);
		assert_null(value);
	}
}

static void expand_special(void **state)
{
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	CLEANUP(free_ptr) char *value = NULL;
	char text[] = "${jobs}", unchanged[] = "unchanged";
	const struct recipe_value absent = {NULL, {NULL, 0, 0}};
	const struct recipe_value jobs = {text, {"r.yaml", 1, 1}};
	char *nothing = unchanged;

	(void)state;
	assert_int_equal(new_scope(recipe, "repo=a", &scope, NULL), 0);
	assert_int_equal(recipe_expand(scope, &absent, false, NULL, NULL, &nothing, NULL), 0);
	assert_null(nothing);
	assert_int_equal(recipe_expand(scope, &jobs, true, NULL, NULL, &value, NULL), 0);
	assert_string_equal(value, "12");
}

/* Doubling thirty times. */
static void growth(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	struct recipe_scope *scope = NULL;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, "varve: 1\nname: r\nvariables:\n  v0: xxxxxxxx\n");
	for (int i = 1; i < 30; i++)
		buf_addf(&text, "  v%d: \"${v%d}${v%d}\"\n", i, i - 1, i - 1);
	buf_addstr(&text, "stages: {s: {from: s}}\nimages: {i: {stage: s, name: n}}\n");
	recipe = parse(text.data);
	assert_int_equal(new_scope(recipe, "", &scope, &err), -VARVE_E_RECIPE);
	assert_string_equal(err.text, "r.yaml:22:8: the value grows beyond 1048576 bytes");
	assert_null(scope);
}

/* Each value is small enough, all of them are not. */
static void growth_of_all(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	struct recipe_scope *scope = NULL;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, "varve: 1\nname: r\nvariables:\n  big: ");
	for (int i = 0; i < 500000; i++)
		buf_addc(&text, 'x');
	buf_addc(&text, '\n');
	for (int i = 1; i < 100; i++)
		buf_addf(&text, "  v%d: \"${big}${big}\"\n", i);
	buf_addstr(&text, "stages: {s: {from: s}}\nimages: {i: {stage: s, name: n}}\n");
	recipe = parse(text.data);
	assert_int_equal(new_scope(recipe, "", &scope, &err), -VARVE_E_RECIPE);
	assert_string_equal(err.text,
			    "r.yaml:21:3: the values of variables are larger than 16777216 bytes");
}

static void conditions(void **state)
{
	static const struct {
		const char *text;
		bool value;
	} cases[] = {
		{"", false},
		{"false", false},
		{"no", false},
		{"0", false},
		{" no ", false},
		{"true", true},
		{"yes", true},
		{"00", true},
		{"False", true},
		{"${flash}", false},
		{"${level}", true},
		{"${fast}", false},
		{"${arch} == ampere", true},
		{"${arch}==ampere", true},
		{"${arch} == turing", false},
		{"${arch} != turing", true},
		{"${arch} != ampere", false},
		{"ampere == ${arch}", true},
		{"${flash} ==", true},
		{"${flash} != ", false},
		{"== ${flash}", true},
		{"${repo} == a", false},
		{"${repo} != a", true},
		{"${repo}", true},
		{"${jobs}x == 12x", true},
	};
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	const struct recipe_value absent = {NULL, {NULL, 0, 0}};
	bool value = false;

	(void)state;
	/* A value that looks like a comparison is not one. */
	assert_int_equal(new_scope(recipe, "repo=a == a", &scope, NULL), 0);
	assert_int_equal(recipe_condition(scope, &absent, &value, NULL), 0);
	assert_true(value);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_ptr) char *copy = xstrdup(cases[i].text);
		const struct recipe_value written = {copy, {"r.yaml", 1, 1}};
		int r = recipe_condition(scope, &written, &value, NULL);

		if (str_starts(copy, "${jobs}")) {
			assert_int_equal(r, -VARVE_E_RECIPE);
			continue;
		}
		if (r != 0 || value != cases[i].value)
			print_message("%s\n", copy);
		assert_int_equal(r, 0);
		assert_int_equal(value, cases[i].value);
	}
}

static void integers(void **state)
{
	static const struct {
		const char *text;
		int64_t minimum, maximum, value;
		const char *error; /* NULL: none */
	} cases[] = {
		{"0", 0, 9, 0, NULL},
		{"9", 0, 9, 9, NULL},
		{"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, NULL},
		{"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, NULL},
		{"9223372036854775808", INT64_MIN, INT64_MAX, 0,
		 "f:2:3: \"9223372036854775808\" is not a whole number"},
		{"10", 0, 9, 0, "f:2:3: \"10\" is not a whole number from 0 to 9"},
		{"-1", INT64_MIN, -2, 0, "f:2:3: \"-1\" is not a whole number of -2 or less"},
		{"", 0, 9, 0, "f:2:3: \"\" is not a whole number from 0 to 9"},
		{"-", 0, 9, 0, "f:2:3: \"-\" is not a whole number from 0 to 9"},
		{"+1", 0, 9, 0, "f:2:3: \"+1\" is not a whole number from 0 to 9"},
		{"0x1", 0, 9, 0, "f:2:3: \"0x1\" is not a whole number from 0 to 9"},
		{"1 ", 0, 9, 0, "f:2:3: \"1 \" is not a whole number from 0 to 9"},
	};
	const struct recipe_value at = {NULL, {"f", 2, 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct varve_error err = {0};
		int64_t value = 77;
		int r = recipe_integer(&at, cases[i].text, cases[i].minimum, cases[i].maximum,
				       &value, &err);

		assert_int_equal(r, cases[i].error ? -VARVE_E_RECIPE : 0);
		assert_string_equal(err.text, cases[i].error ? cases[i].error : "");
		assert_true(value == (cases[i].error ? 77 : cases[i].value));
	}
}

static void sizes_and_jobs(void **state)
{
	static const struct {
		const char *text;
		uint64_t size; /* 0: an error */
		int64_t jobs; /* -1: an error */
	} cases[] = {
		{"1", 1, 1},
		{"4096", 4096, 4096},
		{"4097", 4097, -1},
		{"7G", UINT64_C(7) << 30, -1},
		{"512M", UINT64_C(512) << 20, -1},
		{"1K", 1024, -1},
		{"2T", UINT64_C(2) << 40, -1},
		{"8388608T", 0, -1},
		{"8388607T", UINT64_C(8388607) << 40, -1},
		{"auto", 0, 0},
		{"0", 0, -1},
		{"0G", 0, -1},
		{"-1", 0, -1},
		{"", 0, -1},
		{"7GB", UINT64_C(7000000000), -1},
		{"7Gb", 0, -1},
		{"G", 0, -1},
		{"7 G", 0, -1},
		{"1.5G", 0, -1},
		{"18446744073709551616", 0, -1},
	};
	const struct recipe_value at = {NULL, {"f", 2, 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t size = 0;
		int64_t jobs = -1;

		assert_int_equal(recipe_size(&at, cases[i].text, &size, NULL),
				 cases[i].size ? 0 : -VARVE_E_RECIPE);
		assert_true(size == cases[i].size);
		assert_int_equal(recipe_jobs(&at, cases[i].text, &jobs, NULL),
				 cases[i].jobs >= 0 ? 0 : -VARVE_E_RECIPE);
		assert_int_equal(jobs, cases[i].jobs);
	}
}

static void booleans(void **state)
{
	static const struct {
		const char *text;
		int value; /* -1: an error */
	} cases[] = {{"true", 1}, {"yes", 1}, {"1", 1},     {"false", 0}, {"no", 0},  {"0", 0},
		     {"", -1},    {"on", -1}, {"True", -1}, {"2", -1},    {"tru", -1}};
	const struct recipe_value at = {NULL, {"f", 2, 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct varve_error err = {0};
		bool value = false;
		int r = recipe_boolean(&at, cases[i].text, &value, &err);

		assert_int_equal(r, cases[i].value < 0 ? -VARVE_E_RECIPE : 0);
		assert_int_equal(value, cases[i].value > 0);
		assert_int_equal(err.line, r < 0 ? 2 : 0);
	}
}

static void help(void **state)
{
	CLEANUP(recipe_freep) struct recipe *recipe = parse(RECIPE);
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	(void)state;
	recipe_options_help(recipe, &out);
	assert_string_equal(buf_text(&out), "--arch ampere|turing\tthe GPU (default ampere)\n"
					    "--repo VALUE\tthe URL of it (required)\n"
					    "--jobs N\t(1 to 64, default 12)\n"
					    "--low N\t(-5 or more, default 0)\n"
					    "--fast true|false\t(default no)\n"
					    "--suffix VALUE\t(default: empty)\n");
}

/* Values of a recipe that was only parsed: no default, no row. Errors, not crashes. */
static void unchecked(void **state)
{
	CLEANUP(recipe_freep)
	struct recipe *recipe =
		parse("varve: 1\nname: r\noptions: {a: {help: h}}\nvariables: {b: {c: {d: e}}}\n"
		      "stages: {}\nimages: {}\n");
	struct recipe_scope *scope = NULL;
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(new_scope(recipe, "", &scope, &err), -VARVE_E_USAGE);
	assert_int_equal(new_scope(recipe, "a=1", &scope, &err), -VARVE_E_RECIPE);
	assert_string_equal(err.text, "r.yaml:4:13: the variables \"b\" have no row for \"\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scopes),         cmocka_unit_test(scope_errors),
		cmocka_unit_test(expand),         cmocka_unit_test(expand_errors),
		cmocka_unit_test(expand_special), cmocka_unit_test(growth),
		cmocka_unit_test(growth_of_all),  cmocka_unit_test(conditions),
		cmocka_unit_test(integers),       cmocka_unit_test(booleans),
		cmocka_unit_test(sizes_and_jobs), cmocka_unit_test(help),
		cmocka_unit_test(unchecked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
