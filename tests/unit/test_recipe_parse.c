/* SPDX-License-Identifier: Apache-2.0
 * Text to recipe: what is read, and the exact words for what is not. */
#include "recipe_fixture.h"

#define TAIL STAGES IMAGES
#define SOURCE(body) HEAD "sources:\n  a: {" body "}\n" TAIL
#define STEP(body) HEAD "stages:\n  s:\n    steps:\n      - {" body "}\n" IMAGES
#define OPTION(body) HEAD "options:\n  o: {" body "}\n" TAIL

static const struct text_case top_level_cases[] = {
	{"name: r\n" TAIL, "r.yaml:1:1: a recipe says which version of the language it is in; "
			   "add the line \"varve: 1\""},
	{"varve: 2\nname: r\n" TAIL, "r.yaml:1:8: version \"2\" of the language is not known; "
				     "this varve reads 1"},
	{"varve: [1]\nname: r\n" TAIL, "r.yaml:1:8: \"varve\" must be a single value, not a list"},
	{"varve: 1\n" TAIL, "r.yaml:1:1: the recipe lacks \"name\""},
	{HEAD IMAGES, "r.yaml:1:1: the recipe lacks \"stages\""},
	{HEAD STAGES, "r.yaml:1:1: the recipe lacks \"images\""},
	{HEAD "stage: {}\n" TAIL,
	 "r.yaml:3:1: unknown key \"stage\" in the recipe; did you mean \"stages\"?\n"
	 "keys of a recipe: varve, name, include, registry, options, variables, requires, sources, "
	 "stages, images, checks"},
	{HEAD "options: []\n" TAIL,
	 "r.yaml:3:10: \"options\" must be a map, not a list; a map is written {name: value} "
	 "or as lines \"name: value\""},
	{HEAD "options:\n" TAIL,
	 "r.yaml:3:1: \"options\" has no value; a map is written {name: value} or as lines "
	 "\"name: value\""},
	{HEAD "checks: {a: b}\n" TAIL,
	 "r.yaml:3:9: \"checks\" must be a list, not a map; a list is written [a, b] or as "
	 "lines that start with \"- \""},
	{HEAD "include: [a.yaml]\n" TAIL, "r.yaml:3:11: includes are not possible here"},
	{HEAD "registry:\n" TAIL, "r.yaml:3:1: \"registry\" of the recipe has no value; an "
				  "empty one is written \"\""},
};

static void top_level(void **state)
{
	(void)state;
	check_cases(top_level_cases, ARRAY_SIZE(top_level_cases), parse_error);
}

static const struct text_case options_and_sources_cases[] = {
	{OPTION("default: a, choises: [a]"),
	 "r.yaml:4:19: unknown key \"choises\" in option \"o\"; did you mean \"choices\"?\n"
	 "keys of an option: type, choices, default, required, minimum, maximum, keyed, help"},
	{OPTION("default: 1, type: int"),
	 "r.yaml:4:25: unknown type \"int\" of option \"o\"\n"
	 "types of an option: string, integer, boolean, choice, jobs"},
	{OPTION("default: 1, type: integr"),
	 "r.yaml:4:25: unknown type \"integr\" of option \"o\"; did you mean \"integer\"?\n"
	 "types of an option: string, integer, boolean, choice, jobs"},
	{OPTION("default: 1, type: integer, minimum: one"),
	 "r.yaml:4:43: \"one\" is not a whole number"},
	{OPTION("default: 1, minimum: 1"),
	 "r.yaml:4:6: option \"o\" has a minimum or maximum; add \"type: integer\""},
	{OPTION("default: 1, type: choice"),
	 "r.yaml:4:6: option \"o\" of type choice lacks \"choices\""},
	{OPTION("default: 1, type: integer, choices: [1]"),
	 "r.yaml:4:6: option \"o\" has choices, so its type is \"choice\""},
	{OPTION("default: 1, keyed: maybe"), "r.yaml:4:26: \"maybe\" is neither true nor false"},
	{OPTION("default: [1]"),
	 "r.yaml:4:16: \"default\" of option \"o\" must be a single value, not a list"},
	{HEAD "options: {o: main}\n" TAIL,
	 "r.yaml:3:14: option \"o\" must be a map, not a single value; a map is written {name: "
	 "value} or as lines \"name: value\""},
	/* variables */
	{HEAD "variables: {a: [b]}\n" TAIL,
	 "r.yaml:3:16: variable \"a\" must be a single value, not a list"},
	{HEAD "variables: {a: {b: c}}\n" TAIL,
	 "r.yaml:3:20: row \"b\" of the variables \"a\" must be a map, not a single value; a "
	 "map is written {name: value} or as lines \"name: value\""},
	{HEAD "variables: {a: {b: {c: {}}}}\n" TAIL,
	 "r.yaml:3:24: \"c\" in row \"b\" of the variables \"a\" must be a single value, not a "
	 "map"},
	/* sources */
	{SOURCE("suite: b"),
	 "r.yaml:4:6: source \"a\" lacks \"kind\": debian, git, image, local, python or url"},
	{SOURCE("kind: debain"),
	 "r.yaml:4:13: unknown kind \"debain\" of source \"a\"; did you mean \"debian\"?\n"
	 "kinds of sources: debian, git, image, local, python, url"},
	{SOURCE("kind: debian, suite: b, pakages: [c]"),
	 "r.yaml:4:31: unknown key \"pakages\" in source \"a\"; did you mean \"packages\"?\n"
	 "keys of a debian source: kind, if, suite, snapshot, suites, components, packages, "
	 "architecture, keyring, recommends, dependencies, mirror, repositories, pins"},
	{SOURCE("kind: local, path: b, href: c"),
	 "r.yaml:4:29: \"href\" does not belong in source \"a\", a local source\n"
	 "keys of a local source: kind, if, path, ignore"},
	{SOURCE("kind: debian, packages: [c]"), "r.yaml:4:6: source \"a\" lacks \"suite\""},
	{SOURCE("kind: debian, suite: b, packages: c"),
	 "r.yaml:4:41: \"packages\" of source \"a\" must be a list, not a single value; a list "
	 "is written [a, b] or as lines that start with \"- \""},
	{SOURCE("kind: debian, suite: b, packages: [c, [d]]"),
	 "r.yaml:4:45: a member of \"packages\" of source \"a\" must be a single value, not a "
	 "list"},
	{SOURCE("kind: git, whatever: {a: b}"),
	 "r.yaml:4:18: unknown key \"whatever\" in source \"a\"\n"
	 "keys of a git source: kind, if, url, ref, track, submodules, subdirectory, exclude"},
	{SOURCE("kind: python, whatever: {a: b}"),
	 "r.yaml:4:21: unknown key \"whatever\" in source \"a\"\n"
	 "keys of a python source: kind, if, dependencies, python, requirements, lock, constraints, beside, before, "
	 "sdist, prereleases, index, glibc"},
};

static void options_and_sources(void **state)
{
	(void)state;
	check_cases(options_and_sources_cases, ARRAY_SIZE(options_and_sources_cases), parse_error);
}

static const struct text_case stages_and_images_cases[] = {
	{HEAD "stages: {s: {step: []}}\n" IMAGES,
	 "r.yaml:3:14: unknown key \"step\" in stage \"s\"; did you mean \"steps\"?\n"
	 "keys of a stage: from, environment, steps"},
	{HEAD "stages: {s: {steps: {step: a}}}\n" IMAGES,
	 "r.yaml:3:21: \"steps\" of stage \"s\" must be a list, not a map; a list is written "
	 "[a, b] or as lines that start with \"- \""},
	{STEP("run: y"), "r.yaml:6:9: a step of stage \"s\" lacks \"step\""},
	{STEP("step: x"),
	 "r.yaml:6:9: step \"x\" has no action; give it one of install, copy, run"},
	{STEP("step: x, run: y, copy: z"),
	 "r.yaml:6:9: step \"x\" has two actions, copy and run; make two steps of it"},
	{STEP("step: x, copy: y"), "r.yaml:6:9: step \"x\" lacks \"to\""},
	{STEP("step: x, run: y, to: /z"),
	 "r.yaml:6:27: \"to\" does not belong in step \"x\", a run step\n"
	 "keys of a run step: step, run, if, environment, unkeyed-environment, workdir, user, "
	 "shell, mounts, caches, resume, secrets, network, jobs, jobs-memory, slurm, "
	 "ownership, scrub, split"},
	{STEP("step: x, instal: y"),
	 "r.yaml:6:19: unknown key \"instal\" in step \"x\"; did you mean \"install\"?\n"
	 "keys of a step: step, install, copy, run, if, to, exclude, link, into, layout, "
	 "bytecode, environment, "
	 "unkeyed-environment, workdir, user, shell, mounts, caches, resume, secrets, network, jobs, "
	 "jobs-memory, slurm, ownership, scrub, split"},
	{STEP("step: x, run: {a: b}"),
	 "r.yaml:6:24: \"run\" of step \"x\" must be a single value, not a map"},
	{STEP("step: x, run: [a, b]"), ""},
	{STEP("step: x, run: y, split: {directories: [/a], maximum: 1GB}"), ""},
	{STEP("step: x, run: y, split: [/a]"),
	 "r.yaml:6:34: \"split\" of step \"x\" must be \"wheels\", \"none\" or {directories, maximum, "
	 "wheels}"},
	{STEP("step: x, run: y, split: {maximun: 1GB}"),
	 "r.yaml:6:35: unknown key \"maximun\" in \"split\" of step \"x\"; did you mean \"maximum\"?\n"
	 "keys of a split: wheels, directories, maximum"},
	{STEP("step: x, run: y, ownership: lax"),
	 "r.yaml:6:38: \"ownership\" of step \"x\" must be \"strict\", \"fast\" or a list of {path, uid, "
	 "gid, mode}"},
	{STEP("step: x, run: y, ownership: [{uid: 1}]"),
	 "r.yaml:6:39: \"ownership\" of step \"x\" lacks \"path\""},
	{STEP("step: x, run: y, ownership: [{path: /a, owner: 1}]"),
	 "r.yaml:6:50: unknown key \"owner\" in \"ownership\" of step \"x\"\n"
	 "keys of an ownership entry: path, uid, gid, mode"},
	{STEP("step: x, run: y, environment: [A]"),
	 "r.yaml:6:40: \"environment\" of step \"x\" must be a map, not a list; a map is "
	 "written {name: value} or as lines \"name: value\""},
	{STEP("step: x, run: y, environment: {A: }"),
	 "r.yaml:6:41: \"A\" in \"environment\" of step \"x\" has no value; an empty one is "
	 "written \"\""},
	{HEAD "stages: {s: {steps: [x]}}\n" IMAGES,
	 "r.yaml:3:22: a step of stage \"s\" must be a map, not a single value; a map is "
	 "written {name: value} or as lines \"name: value\""},
	/* images and checks */
	{HEAD STAGES "images: {i: {stage: s}}\n", "r.yaml:4:13: image \"i\" lacks \"name\""},
	{HEAD STAGES "images: {i: {stage: s, name: n, config: {cmd: [a]}}}\n",
	 "r.yaml:4:42: unknown key \"cmd\" in \"config\" of image \"i\"\n"
	 "keys of an image's config: environment, labels, workdir, user, stop-signal, command, "
	 "entrypoint, ports, volumes"},
	{HEAD TAIL "checks: [{name: a}]\n", "r.yaml:5:10: a check lacks \"run\""},
};

static void stages_and_images(void **state)
{
	(void)state;
	check_cases(stages_and_images_cases, ARRAY_SIZE(stages_and_images_cases), parse_error);
}

static const char every_field_text[] =

	HEAD "registry: h.example\n"
	     "options:\n"
	     "  n: {type: integer, minimum: -2, maximum: 9, default: 3, keyed: false}\n"
	     "  f: {type: boolean, default: no}\n"
	     "  c: {choices: [x, y], required: yes, help: h}\n"
	     "variables: {c: {x: {v: 1}, y: {v: 2}}, w: 3}\n"
	     "sources:\n"
	     "  u: {kind: url, href: h, sha256: s, unpack: true, strip: 1, filename: f, if: i}\n"
	     "  l: {kind: local, path: p, ignore: g}\n"
	     "stages:\n"
	     "  s:\n"
	     "    from: b\n"
	     "    environment: {E: F}\n"
	     "    steps:\n"
	     "      - {step: c, copy: l, to: /l, exclude: [x], ownership: strict}\n"
	     "      - {step: i, install: d, into: /v, scrub: [q]}\n"
	     "      - {step: r, run: [a, b], user: u, caches: {/c: k}, secrets: [z],\n"
	     "         ownership: [{path: /p, uid: 1, gid: 2, mode: 0755}]}\n"
	     "images:\n"
	     "  i: {stage: s, name: n, config: {labels: {a: b}, stop-signal: SIGINT,\n"
	     "      command: [c], entrypoint: [e], ports: [1], volumes: [/v], workdir: /w}}\n"
	     "checks: [{name: a, run: b, image: i, user: u, if: x}]\n";

static void every_field(void **state)
{
	CLEANUP(recipe_freep)
	struct recipe *recipe = parse(every_field_text);
	const struct recipe_step *steps = recipe->stages[0].steps;

	(void)state;
	assert_int_equal(recipe->options[0].type, OPTION_INTEGER);
	assert_int_equal(recipe->options[0].minimum, -2);
	assert_int_equal(recipe->options[0].maximum, 9);
	assert_true(recipe->options[0].has_minimum && recipe->options[0].has_maximum);
	assert_false(recipe->options[0].keyed);
	assert_int_equal(recipe->options[1].type, OPTION_BOOLEAN);
	assert_string_equal(recipe->options[1].value.text, "no");
	assert_int_equal(recipe->options[2].type, OPTION_CHOICE);
	assert_true(recipe->options[2].required && recipe->options[2].keyed);
	assert_int_equal(recipe->tables[0].count, 2);
	assert_string_equal(recipe->tables[0].rows[1].columns.items[0].value.text, "2");
	assert_string_equal(recipe->plain.items[0].name.text, "w");
	assert_int_equal(recipe->sources[0].kind, SOURCE_URL);
	assert_string_equal(recipe->sources[0].condition.text, "i");
	assert_string_equal(recipe->sources[1].ignore.text, "g");
	assert_string_equal(recipe->stages[0].from.text, "b");
	assert_string_equal(recipe->stages[0].environment.items[0].value.text, "F");
	assert_int_equal(steps[0].action, ACTION_COPY);
	assert_true(steps[0].ownership_strict);
	assert_string_equal(steps[1].argument.text, "d");
	assert_int_equal(steps[1].action, ACTION_INSTALL);
	assert_null(steps[2].argument.text);
	assert_int_equal(steps[2].command.count, 2);
	assert_int_equal(steps[2].at.line, 19);
	assert_string_equal(steps[2].ownership[0].mode.text, "0755");
	assert_string_equal(recipe->images[0].stop_signal.text, "SIGINT");
	assert_string_equal(recipe->images[0].volumes.items[0].text, "/v");
	assert_string_equal(recipe->checks[0].image.text, "i");
	assert_string_equal(recipe_find_source(recipe, "l")->path.text, "p");
	assert_null(recipe_find_stage(recipe, "l"));
	assert_ptr_equal(recipe_find_option(recipe, "f"), &recipe->options[1]);
}

static void digests(void **state)
{
	static const char *const same[] = {
		HEAD "variables: {a: b, c: d}\n" TAIL,
		TAIL "variables:\n  c: \"d\" # a comment\n  a: &x b\nname: r\nvarve: 1\n",
		HEAD "variables: {<<: {a: b}, c: 'd'}\n" TAIL,
	};
	CLEANUP(recipe_freep) struct recipe *first = parse(same[0]);
	CLEANUP(recipe_freep) struct recipe *other = parse(HEAD "variables: {a: b, c: e}\n" TAIL);

	(void)state;
	assert_int_equal(strlen(first->digest), 64);
	assert_string_not_equal(first->digest, other->digest);
	for (size_t i = 1; i < ARRAY_SIZE(same); i++) {
		CLEANUP(recipe_freep) struct recipe *again = parse(same[i]);

		assert_string_equal(first->digest, again->digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(top_level),         cmocka_unit_test(options_and_sources),
		cmocka_unit_test(stages_and_images), cmocka_unit_test(every_field),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
