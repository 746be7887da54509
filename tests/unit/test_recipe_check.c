/* SPDX-License-Identifier: Apache-2.0
 * The meaning of a recipe: names, options, variables, sources; each rule with the exact words that
 * it is refused with. */
#include "recipe_fixture.h"

#define OPTION(body)                                                                               \
	HEAD "options:\n  o: {" body "}\n" STAGES "images: {i: {stage: s, name: \"n:${o}\"}}\n"
/* A source that is mounted. */
#define SOURCE(body)                                                                               \
	HEAD "sources:\n  a: {" body "}\n"                                                         \
	     "stages: {s: {steps: [{step: x, run: y, mounts: {/a: a}}]}}\n" IMAGES
#define DEBIAN(body) SOURCE("kind: debian, suite: s, packages: [p], " body)
#define URL(body) SOURCE("kind: url, href: \"http://h/f\", " body)
#define RUN(body) HEAD "stages:\n  s:\n    steps:\n      - {step: x, run: y, " body "}\n" IMAGES

static const struct text_case names_cases[] = {
	{HEAD STAGES IMAGES, ""},
	{"varve: 1\nname: Hello\n" STAGES IMAGES,
	 "r.yaml:2:7: \"Hello\" cannot be the name of a recipe\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{"varve: 1\nname: ../x\n" STAGES IMAGES,
	 "r.yaml:2:7: \"../x\" cannot be the name of a recipe\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{HEAD "registry: https://h\n" STAGES IMAGES,
	 "r.yaml:3:11: \"https://h\" cannot be a registry\nit takes HOST[:PORT][/PREFIX]"},
	{HEAD "registry: \"localhost:5000/a/b\"\n" STAGES IMAGES, ""},
	{HEAD "registry: \"${host}\"\n" STAGES IMAGES,
	 "r.yaml:3:11: \"${host}\": ${...} is not possible in a name that the recipe itself "
	 "uses"},
	{HEAD "sources: {a.b: {kind: local, path: p}}\n" STAGES IMAGES,
	 "r.yaml:3:11: \"a.b\" cannot be the name of a source\n"
	 "it takes lower-case letters, digits, \"_\" and \"-\", a letter or digit first"},
	{HEAD "sources: {env: {kind: local, path: p}}\n" STAGES IMAGES,
	 "r.yaml:3:11: a source cannot be called \"env\": ${env.NAME} is the environment"},
	{HEAD "stages: {\"s/t\": {steps: [{step: x, run: y}]}}\n" IMAGES,
	 "r.yaml:3:10: \"s/t\" cannot be the name of a stage\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{HEAD "stages: {s: {steps: [{step: -x, run: y}]}}\n" IMAGES,
	 "r.yaml:3:29: \"-x\" cannot be the name of a step\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{HEAD "stages: {s: {steps: [{step: x, run: y}, {step: x, run: z}]}}\n" IMAGES,
	 "r.yaml:3:48: stage \"s\" has two steps \"x\"; the first one is at line 3"},
	{HEAD STAGES "images: {I: {stage: s, name: n}}\n",
	 "r.yaml:4:10: \"I\" cannot be the name of an image\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{HEAD STAGES "images: {}\n", "r.yaml:2:7: the recipe makes no image"},
};

static void names(void **state)
{
	(void)state;
	check_cases(names_cases, ARRAY_SIZE(names_cases), check_error);
}

static const struct text_case options_cases[] = {
	{OPTION("default: x"), ""},
	{OPTION("required: true"), ""},
	{OPTION("help: x"), "r.yaml:4:3: option \"o\" needs a default, or \"required: true\""},
	{OPTION("default: x, required: true"),
	 "r.yaml:4:16: option \"o\" is required, so its default is never used"},
	{OPTION("default: \"${p}\""),
	 "r.yaml:4:16: the default of option \"o\" is taken as it is; ${...} belongs in "
	 "variables"},
	{OPTION("default: z, choices: [x, y]"),
	 "r.yaml:4:16: default of option \"o\" is x or y, not \"z\"; did you mean \"x\"?"},
	{OPTION("default: trnig, choices: [ampere, turing]"),
	 "r.yaml:4:16: default of option \"o\" is ampere or turing, not \"trnig\""},
	{OPTION("default: x, choices: [x, y, x]"), "r.yaml:4:35: the choice \"x\" is given twice"},
	{OPTION("default: 0, type: integer, minimum: 1"),
	 "r.yaml:4:16: default of option \"o\": \"0\" is not a whole number of 1 or more"},
	{OPTION("default: 5, type: integer, minimum: 1, maximum: 4"),
	 "r.yaml:4:16: default of option \"o\": \"5\" is not a whole number from 1 to 4"},
	{OPTION("default: 5, type: integer, minimum: 4, maximum: 1"),
	 "r.yaml:4:3: option \"o\" has a minimum above its maximum"},
	{OPTION("default: perhaps, type: boolean"),
	 "r.yaml:4:16: default of option \"o\": \"perhaps\" is neither true nor false"},
	{HEAD "options: {store: {default: x}}\n" STAGES IMAGES,
	 "r.yaml:3:11: option \"store\" collides with varve's own --store; give it another "
	 "name"},
	{HEAD "options: {maxJobs: {default: x}}\n" STAGES IMAGES,
	 "r.yaml:3:11: \"maxJobs\" cannot be the name of an option\n"
	 "it takes lower-case letters, digits and \"-\", a letter first"},
	{HEAD "options: {o: {default: x}}\n" STAGES IMAGES,
	 "r.yaml:3:11: nothing uses the option \"o\""},
};

static void options(void **state)
{
	(void)state;
	check_cases(options_cases, ARRAY_SIZE(options_cases), check_error);
}

#define VARIABLES(body)                                                                            \
	HEAD "options:\n  a: {choices: [x, y], default: x}\n  b: {type: boolean, default: no}\n"   \
	     "  n: {type: integer, default: 1, keyed: false}\n  s: {default: d}\n"                 \
	     "variables:\n" body STAGES "images: {i: {stage: s, name: \"n:${a}${b}${s}${v}\"}}\n"  \
	     "checks: []\n"

static const struct text_case variables_cases[] = {
	{VARIABLES("  a: {x: {v: 1}, y: {w: 2}}\n"),
	 "r.yaml:9:7: row \"x\" of the variables \"a\" lacks \"w\", which row \"y\" has"},
	{VARIABLES("  a: {x: {v: 1, w: 3}, y: {w: 2}}\n"),
	 "r.yaml:9:24: row \"y\" of the variables \"a\" lacks \"v\", which row \"x\" has"},
	{VARIABLES("  a: {x: {v: 1}}\n"), "r.yaml:9:3: the variables \"a\" lack a row for \"y\""},
	{VARIABLES("  a: {x: {v: 1}, y: {v: 2}, zz: {v: 3}}\n"),
	 "r.yaml:9:29: \"zz\" is no choice of option \"a\""},
	{VARIABLES("  b: {true: {v: 1}, yes: {v: 2}}\n"),
	 "r.yaml:9:21: \"yes\" is no choice of option \"b\""},
	{VARIABLES("  b: {true: {v: 1}}\n"),
	 "r.yaml:9:3: the variables \"b\" lack a row for \"false\""},
	{VARIABLES("  aa: {x: {v: 1}}\n"),
	 "r.yaml:9:3: the variables \"aa\" are a table, but there is no option \"aa\"; did you "
	 "mean \"a\"?"},
	{VARIABLES("  s: {d: {v: 1}}\n"),
	 "r.yaml:9:3: a table of variables needs an option with choices, and option \"s\" has "
	 "none"},
	{VARIABLES("  v: 1\n  s: 2\n"),
	 "r.yaml:10:3: the variable \"s\" has the name of the option at r.yaml:7:3"},
	{VARIABLES("  a: {x: {v: 1}, y: {v: 2}}\n  v: 2\n"),
	 "r.yaml:10:3: the variable \"v\" has the name of the variable at r.yaml:9:11"},
	{VARIABLES("  v: \"${w}\"\n  w: 1\n"),
	 "r.yaml:9:6: \"${w}\" has no value yet here: tables of variables come before plain "
	 "variables, each in the order written"},
	{VARIABLES("  v: \"${v}\"\n"),
	 "r.yaml:9:6: \"${v}\" has no value yet here: tables of variables come before plain "
	 "variables, each in the order written"},
	{VARIABLES("  w: 1\n  a: {x: {v: \"${w}\"}, y: {v: 1}}\n"),
	 "r.yaml:10:14: \"${w}\" has no value yet here: tables of variables come before plain "
	 "variables, each in the order written"},
	{VARIABLES("  a: {x: {v: \"${w}\", w: 1}, y: {w: 1, v: \"${w}\"}}\n"),
	 "r.yaml:9:14: \"${w}\" has no value yet here: tables of variables come before plain "
	 "variables, each in the order written"},
	{VARIABLES("  v: \"${n}\"\n"),
	 "r.yaml:9:6: option \"n\" has keyed: false and cannot be used here\n"
	 "such an option may reach a step only through jobs and unkeyed-environment"},
	{VARIABLES("  v: \"${x.commit}\"\n"),
	 "r.yaml:9:6: \"${x.commit}\": there is no source \"x\""},
	{VARIABLES("  v: \"${env.PATH}\"\n"),
	 "r.yaml:9:6: \"${env.PATH}\" cannot be used here: the environment below is known in "
	 "stages, steps and images' configs only"},
	{VARIABLES("  v: 1\n  V: 1\n"),
	 "r.yaml:10:3: \"V\" cannot be the name of a variable\n"
	 "it takes lower-case letters, digits, \"_\" and \"-\", a letter first"},
	{VARIABLES("  v: \"${s}${a}\"\n  w: \"${v}\"\n"),
	 "r.yaml:6:3: nothing uses the option \"n\""},
	{HEAD "variables: {v: 1}\n" STAGES IMAGES, "r.yaml:3:13: nothing uses the variable \"v\""},
	{HEAD "options: {a: {choices: [x], default: x}}\nvariables: {a: {x: {v: 1}}}\n" STAGES
	      "images: {i: {stage: s, name: \"n:${a}\"}}\n",
	 "r.yaml:4:13: nothing uses the variables \"a\""},
	{HEAD "options: {a: {choices: [x], default: x}}\n"
	      "variables: {a: {x: {v: 1, unused: 2}}}\n" STAGES
	      "images: {i: {stage: s, name: \"n:${v}\"}}\n",
	 ""},
};

static void variables(void **state)
{
	(void)state;
	check_cases(variables_cases, ARRAY_SIZE(variables_cases), check_error);
}

static const struct text_case sources_cases[] = {
	{DEBIAN("recommends: no"), ""},
	{DEBIAN("snapshot: 20261101"),
	 "r.yaml:4:56: \"20261101\" cannot be a snapshot\nit takes YYYYMMDDTHHMMSSZ"},
	{DEBIAN("snapshot: 20261101T000000Z"), ""},
	{DEBIAN("recommends: maybe"), "r.yaml:4:58: \"maybe\" is neither true nor false"},
	{DEBIAN("keyring: /usr/share/keyrings/x.gpg"),
	 "r.yaml:4:55: \"/usr/share/keyrings/x.gpg\" cannot be a keyring: it is a file beside "
	 "the recipe, without \"..\""},
	{DEBIAN("mirror: \"http://x\""),
	 "r.yaml:4:54: \"http://x\" cannot be the name of a mirror\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
	 "first"},
	{SOURCE("kind: debian, suite: s, packages: [\"git curl\"]"),
	 "r.yaml:4:42: \"git curl\" cannot be the name of a package\n"
	 "it takes one word without blanks"},
	{SOURCE("kind: debian, suite: s, packages: []"),
	 "r.yaml:4:3: source \"a\" lists no packages"},
	{URL("sha256: abc"),
	 "r.yaml:4:46: \"abc\" cannot be a sha256\nit takes 64 hexadecimal digits in lower "
	 "case"},
	{URL("strip: 1"), "r.yaml:4:45: \"strip\" of source \"a\" needs \"unpack: true\""},
	{URL("unpack: true, strip: 65"), "r.yaml:4:59: \"65\" is not a whole number from 0 to 64"},
	{URL("filename: a/b"),
	 "r.yaml:4:48: \"a/b\" cannot be a file name\nit takes the name of a file without "
	 "\"/\""},
	{SOURCE("kind: url, href: \"ftp://h/f\""),
	 "r.yaml:4:24: \"ftp://h/f\" cannot be an href\n"
	 "it takes a URL that starts with https:// or http://"},
	{SOURCE("kind: local, path: /abs"),
	 "r.yaml:4:26: \"/abs\" cannot be the path of a local source\n"
	 "it takes a path relative to the recipe"},
	{SOURCE("kind: local, path: ../up"), ""},
	{SOURCE("kind: local, path: \"${a.x}\""),
	 "r.yaml:4:26: \"${a.x}\" cannot be used here: facts of sources are not known before "
	 "sources are resolved"},
	{HEAD "sources: {a: {kind: local, path: p}}\n" STAGES IMAGES,
	 "r.yaml:3:11: no step uses source \"a\""},
	{HEAD "sources: {a: {kind: local, path: p}}\n" STAGES
	      "images: {i: {stage: s, name: \"n:${a.version}\"}}\n",
	 ""},
};

#define PYTHON(fields)                                                                             \
	HEAD "sources: {w: {kind: python, python: \"3.11\", " fields "}}\n"                        \
	     "stages: {s: {steps: [{step: x, copy: w, to: /w}]}}\n" IMAGES

static const struct text_case python_cases[] = {
	{PYTHON("requirements: [\"a[x,y]>=1,<2; python_version < '3.12'\", b]"), ""},
	{PYTHON("lock: pylock.toml"), ""},
	{PYTHON("before: 2025-06-16, requirements: [a]"), ""},
	{PYTHON("before: \"2025-06-16T01:02:03Z\", requirements: [a], index: [cuda], "
		"constraints: [\"b<2\"], sdist: true, prereleases: true, glibc: \"2.36\""),
	 ""},
	{PYTHON("index: [cuda]"), "r.yaml:3:11: source \"w\" has neither \"requirements\" nor "
				  "\"lock\""},
	{PYTHON("requirements: [a], lock: l"),
	 "r.yaml:3:70: source \"w\" has both \"requirements\" and \"lock\": a lock lists all that is "
	 "wanted"},
	{PYTHON("requirements: [a], before: yesterday"),
	 "r.yaml:3:72: \"yesterday\" cannot be a date\nit takes YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ"},
	{PYTHON("requirements: [a], glibc: \"3.0\""),
	 "r.yaml:3:71: \"3.0\" cannot be a version of glibc\nit takes two numbers, as \"2.36\""},
	{PYTHON("requirements: [\"a @ https://files.example.org/a.whl\"]"),
	 "r.yaml:3:60: \"a @ https://files.example.org/a.whl\" cannot be a requirement\n"
	 "it takes a name with extras, versions and markers, without options, URLs and paths"},
	{PYTHON("requirements: [\"-r other.txt\"]"),
	 "r.yaml:3:60: \"-r other.txt\" cannot be a requirement\n"
	 "it takes a name with extras, versions and markers, without options, URLs and paths"},
	{PYTHON("requirements: [\"./a\"]"),
	 "r.yaml:3:60: \"./a\" cannot be a requirement\n"
	 "it takes a name with extras, versions and markers, without options, URLs and paths"},
	{PYTHON("requirements: [a], constraints: [\"b --index-url x\"]"),
	 "r.yaml:3:78: \"b --index-url x\" cannot be a constraint\n"
	 "it takes a name with extras, versions and markers, without options, URLs and paths"},
	{PYTHON("requirements: [a], index: [\"https://x\"]"),
	 "r.yaml:3:72: \"https://x\" cannot be the name of an index\n"
	 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit first"},
};

static void python(void **state)
{
	(void)state;
	check_cases(python_cases, ARRAY_SIZE(python_cases), check_error);
}

static void sources(void **state)
{
	(void)state;
	check_cases(sources_cases, ARRAY_SIZE(sources_cases), check_error);
}

/* The reference case of the design, word for word but for the kind that comes later. */
#define REFERENCE(torch, flash, app)                                                               \
	"varve: 1\n"                                                                               \
	"name: linnaeus\n"                                                                         \
	"options:\n"                                                                               \
	"  arch:       {choices: [ampere, turing, hopper], default: ampere, help: GPU}\n"          \
	"  repository: {required: true, help: \"git URL (a machine's config may set it)\"}\n"      \
	"  branch:     {default: main, help: \"branch, tag or commit of the application\"}\n"      \
	"  max-jobs:   {type: integer, minimum: 1, default: 12, keyed: false, help: jobs}\n"       \
	"  tag-suffix: {default: \"\", help: appended to the runtime image's tag}\n"               \
	"variables:   # a table per option; the chosen row's columns become variables\n"           \
	"  arch:\n"                                                                                \
	"    ampere: {torch: 2.7.1, cuda: cu126, flash: 2.7.4.post1, flash-tag: fav2, "            \
	"compute: \"8.0\"}\n"                                                                      \
	"    turing: {torch: 2.7.1, cuda: cu126, flash: \"\",          flash-tag: fanone, "        \
	"compute: \"7.5\"}\n"                                                                      \
	"    hopper: {torch: 2.7.1, cuda: cu126, flash: 2.7.4.post1, flash-tag: fav2, "            \
	"compute: \"9.0\"}\n"                                                                      \
	"sources:\n"                                                                               \
	"  system:     {kind: debian, suite: bookworm, snapshot: 20261101T000000Z, "               \
	"packages: [python3.11-venv, build-essential, git]}\n"                                     \
	"  torch:      {" torch "}\n"                                                              \
	"  flash-attn: {" flash ", if: \"${flash}\"}\n"                                            \
	"  app:        {" app "}\n"                                                                \
	"stages:\n"                                                                                \
	"  base:\n"                                                                                \
	"    steps:\n"                                                                             \
	"      - {step: system, install: system}\n"                                                \
	"      - {step: torch, install: torch, into: /opt/venv}\n"                                 \
	"      - step: flash-attention\n"                                                          \
	"        if: \"${flash}\"\n"                                                               \
	"        mounts: {/src: flash-attn}\n"                                                     \
	"        environment: {FLASH_ATTENTION_FORCE_BUILD: \"TRUE\"}\n"                           \
	"        jobs: \"${max-jobs}\"\n"                                                          \
	"        run: uv pip install --no-build-isolation --no-deps /src/*.tar.gz\n"               \
	"  runtime:\n"                                                                             \
	"    from: base\n"                                                                         \
	"    steps:\n"                                                                             \
	"      - {step: code, copy: app, to: /opt/linnaeus}\n"                                     \
	"images:\n"                                                                                \
	"  base:    {stage: base,    name: "                                                       \
	"\"frontierkodiak/linnaeus-base:${arch}-${cuda}-torch${torch}-${flash-tag}\"}\n"           \
	"  runtime: {stage: runtime, name: "                                                       \
	"\"frontierkodiak/linnaeus-dev:${app.commit:.12}-${arch}${tag-suffix}\",\n"                \
	"            config: {workdir: /opt/linnaeus, environment: {PATH: "                        \
	"\"/opt/venv/bin:${env.PATH}\"}, command: [bash]}}\n"                                      \
	"checks:\n"                                                                                \
	"  - {name: torch imports, run: \"python3 -c 'import torch; assert "                       \
	"torch.__version__.startswith(\\\"${torch}\\\")'\"}\n"

static const struct text_case reference_case_cases[] = {
	{REFERENCE("kind: python, python: \"3.11\", requirements: [\"torch==${torch}\", "
		   "torchvision, torchaudio]",
		   "kind: python, python: \"3.11\", sdist: true, requirements: "
		   "[\"flash-attn==${flash}\"]",
		   "kind: git, url: \"${repository}\", ref: \"${branch}\", track: true"),
	 ""},
	/* With other kinds: what is left is what those kinds cannot do. */
	{REFERENCE("kind: debian, suite: \"s${torch}\", packages: [p]",
		   "kind: url, href: \"${repository}\"", "kind: local, path: \"${branch}\""),
	 "r.yaml:23:45: \"into\" is for wheels; Debian packages go where they belong"},
};

static void reference_case(void **state)
{
	(void)state;
	check_cases(reference_case_cases, ARRAY_SIZE(reference_case_cases), check_error);
}

/* A chain of stages as long as a map may be: no limit of the stack is near. */
static void long_chain(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, HEAD "images: {i: {stage: s0, name: n}}\nstages:\n");
	for (int i = 0; i < 4000; i++)
		buf_addf(&text, "  s%d: {from: s%d}\n", i, i + 1);
	buf_addstr(&text, "  s4000: {steps: [{step: x, run: y}]}\n");
	check_error(text.data, text.len, &err);
	assert_string_equal(err.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),      cmocka_unit_test(python),
		cmocka_unit_test(options),    cmocka_unit_test(variables),
		cmocka_unit_test(sources),    cmocka_unit_test(reference_case),
		cmocka_unit_test(long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
