/* SPDX-License-Identifier: Apache-2.0
 * The meaning of a recipe: each rule with the exact words that it is refused with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe.h"

#define HEAD "varve: 1\nname: r\n"
#define STAGES "stages: {s: {steps: [{step: x, run: y}]}}\n"
#define IMAGES "images: {i: {stage: s, name: n}}\n"
#define OPTION(body)                                                                               \
	HEAD "options:\n  o: {" body "}\n" STAGES "images: {i: {stage: s, name: \"n:${o}\"}}\n"
/* A source that is copied; one that is installed. */
#define SOURCE(body)                                                                               \
	HEAD "sources:\n  a: {" body "}\n"                                                         \
	     "stages: {s: {steps: [{step: x, run: y, mounts: {/a: a}}]}}\n" IMAGES
#define DEBIAN(body) SOURCE("kind: debian, suite: s, packages: [p], " body)
#define URL(body) SOURCE("kind: url, href: \"http://h/f\", " body)
#define RUN(body) HEAD "stages:\n  s:\n    steps:\n      - {step: x, run: y, " body "}\n" IMAGES
#define LOCAL "sources: {l: {kind: local, path: p}}\n"
#define COPY(body) HEAD LOCAL "stages:\n  s:\n    steps:\n      - {step: x, " body "}\n" IMAGES
#define CONFIG(body) HEAD STAGES "images:\n  i: {stage: s, name: n, config: {" body "}}\n"
#define CHECKS(body) HEAD STAGES IMAGES "checks:\n  - {" body "}\n"

struct text_case {
	const char *text, *error; /* error "": nothing is wrong */
};

static void check_error(const char *text, struct varve_error *err)
{
	static const char *const reserved[] = {"store", "set", NULL};
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	int r = recipe_parse(text, strlen(text), "r.yaml", NULL, NULL, &recipe, err);

	if (r < 0)
		print_message("%s\n", err->text);
	assert_int_equal(r, 0);
	r = recipe_check(recipe, reserved, err);
	assert_true(r == 0 || r == -VARVE_E_RECIPE);
	if (r == 0)
		err->text[0] = '\0';
}

static void check_cases(const struct text_case *cases, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		struct varve_error err = {0};

		check_error(cases[i].text, &err);
		if (str_equal(err.text, cases[i].error))
			continue;
		print_message("%s\ngave: %s\nnot:  %s\n", cases[i].text, err.text, cases[i].error);
		failed++;
	}
	assert_int_equal(failed, 0);
}

static void names(void **state)
{
	static const struct text_case cases[] = {
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

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void later_kinds(void **state)
{
	static const struct text_case cases[] = {
		{SOURCE("kind: python, requirements: [x]"),
		 "r.yaml:4:13: source kind \"python\" is not supported by this version of varve"},
		{SOURCE("kind: git"),
		 "r.yaml:4:13: source kind \"git\" is not supported by this version of varve"},
		{HEAD "sources: {b: {kind: image, reference: x}}\nstages: {s: {from: b}}\n" IMAGES,
		 "r.yaml:3:21: source kind \"image\" is not supported by this version of varve"},
		{RUN("split: 10"),
		 "r.yaml:6:34: \"split\" is reserved: this version of varve makes one layer per step"},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void options(void **state)
{
	static const struct text_case cases[] = {
		{OPTION("default: x"), ""},
		{OPTION("required: true"), ""},
		{OPTION("help: x"),
		 "r.yaml:4:3: option \"o\" needs a default, or \"required: true\""},
		{OPTION("default: x, required: true"),
		 "r.yaml:4:16: option \"o\" is required, so its default is never used"},
		{OPTION("default: \"${p}\""),
		 "r.yaml:4:16: the default of option \"o\" is taken as it is; ${...} belongs in "
		 "variables"},
		{OPTION("default: z, choices: [x, y]"),
		 "r.yaml:4:16: default of option \"o\" is x or y, not \"z\"; did you mean \"x\"?"},
		{OPTION("default: trnig, choices: [ampere, turing]"),
		 "r.yaml:4:16: default of option \"o\" is ampere or turing, not \"trnig\""},
		{OPTION("default: x, choices: [x, y, x]"),
		 "r.yaml:4:35: the choice \"x\" is given twice"},
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

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

#define VARIABLES(body)                                                                            \
	HEAD "options:\n  a: {choices: [x, y], default: x}\n  b: {type: boolean, default: no}\n"   \
	     "  n: {type: integer, default: 1, keyed: false}\n  s: {default: d}\n"                 \
	     "variables:\n" body STAGES "images: {i: {stage: s, name: \"n:${a}${b}${s}${v}\"}}\n"  \
	     "checks: []\n"

static void variables(void **state)
{
	static const struct text_case cases[] = {
		{VARIABLES("  a: {x: {v: 1}, y: {w: 2}}\n"),
		 "r.yaml:9:7: row \"x\" of the variables \"a\" lacks \"w\", which row \"y\" has"},
		{VARIABLES("  a: {x: {v: 1, w: 3}, y: {w: 2}}\n"),
		 "r.yaml:9:24: row \"y\" of the variables \"a\" lacks \"v\", which row \"x\" has"},
		{VARIABLES("  a: {x: {v: 1}}\n"),
		 "r.yaml:9:3: the variables \"a\" lack a row for \"y\""},
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
		{HEAD "variables: {v: 1}\n" STAGES IMAGES,
		 "r.yaml:3:13: nothing uses the variable \"v\""},
		{HEAD
		 "options: {a: {choices: [x], default: x}}\nvariables: {a: {x: {v: 1}}}\n" STAGES
		 "images: {i: {stage: s, name: \"n:${a}\"}}\n",
		 "r.yaml:4:13: nothing uses the variables \"a\""},
		{HEAD "options: {a: {choices: [x], default: x}}\n"
		      "variables: {a: {x: {v: 1, unused: 2}}}\n" STAGES
		      "images: {i: {stage: s, name: \"n:${v}\"}}\n",
		 ""},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void sources(void **state)
{
	static const struct text_case cases[] = {
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
		{URL("unpack: true, strip: 65"),
		 "r.yaml:4:59: \"65\" is not a whole number from 0 to 64"},
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

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void steps(void **state)
{
	static const struct text_case cases[] = {
		{RUN("network: host, jobs: 4, user: \"1000:1000\", workdir: /w"), ""},
		{RUN("network: bridge"),
		 "r.yaml:6:36: \"network\" is \"none\" or \"host\", not \"bridge\""},
		{RUN("jobs: 0"), "r.yaml:6:33: \"0\" is not a whole number from 1 to 4096"},
		{RUN("workdir: w"), "r.yaml:6:36: \"w\" cannot be a working directory\n"
				    "it takes a path that starts with \"/\" and has no \"..\""},
		{RUN("user: \"\""),
		 "r.yaml:6:33: \"\" cannot be a user\nit takes one word without blanks"},
		{RUN("environment: {1A: x}"),
		 "r.yaml:6:41: \"1A\" cannot be the name of an environment variable\n"
		 "it takes letters, digits and \"_\", no digit first"},
		{RUN("environment: {A: x}, unkeyed-environment: {A: y}"),
		 "r.yaml:6:70: \"A\" is in both environment and unkeyed-environment"},
		{RUN("mounts: {a: \"s:/x\"}"),
		 "r.yaml:6:36: \"a\" cannot be the target of a mount\n"
		 "it takes a path that starts with \"/\" and has no \"..\""},
		{RUN("mounts: {/a/../b: \"s:/x\"}"),
		 "r.yaml:6:36: \"/a/../b\" cannot be the target of a mount\n"
		 "it takes a path that starts with \"/\" and has no \"..\""},
		{RUN("mounts: {/: \"s:/x\"}"),
		 "r.yaml:6:36: \"/\" cannot be the target of a mount: it is the root"},
		{RUN("mounts: {/a: x, /a/: y}"), "r.yaml:6:43: \"/a/\" is mounted on twice"},
		{RUN("mounts: {/a: x}, caches: {/b: c, //a: d}"),
		 "r.yaml:6:60: \"//a\" is mounted on twice"},
		{RUN("mounts: {\"/${x}\": x}"), "r.yaml:6:45: there is no source \"x\""},
		{RUN("caches: {/b: \"../c\"}"),
		 "r.yaml:6:40: \"../c\" cannot be the name of a cache\n"
		 "it takes lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
		 "first"},
		{RUN("secrets: [a/b]"),
		 "r.yaml:6:37: \"a/b\" cannot be the name of a secret\n"
		 "it takes letters, digits, \".\", \"_\" and \"-\", a letter or digit first"},
		{RUN("secrets: [a, b, a]"), "r.yaml:6:43: the secret \"a\" is given twice"},
		{RUN("ownership: [{path: /a}]"),
		 "r.yaml:6:46: the ownership of \"/a\" says nothing; give it uid, gid or mode"},
		{RUN("ownership: [{path: /a, uid: -1}]"),
		 "r.yaml:6:55: \"-1\" is not a whole number from 0 to 4294967294"},
		{RUN("ownership: [{path: /a, mode: 0888}]"),
		 "r.yaml:6:56: \"0888\" cannot be a mode\nit takes an octal mode from 0 to 07777"},
		{RUN("ownership: [{path: /a, mode: 17777}]"),
		 "r.yaml:6:56: \"17777\" cannot be a mode\nit takes an octal mode from 0 to 07777"},
		{RUN("ownership: [{path: ../a, uid: 0}]"),
		 "r.yaml:6:46: \"../a\" cannot be the path of an ownership entry\n"
		 "it takes a path or a pattern from the root of the image, without \"..\""},
		{RUN("scrub: [/a/../b]"),
		 "r.yaml:6:35: \"/a/../b\" cannot be a pattern\n"
		 "it takes a path or a pattern from the root of the image, without \"..\""},
		{HEAD "stages: {s: {steps: [{step: x, run: \" \"}]}}\n" IMAGES,
		 "r.yaml:3:22: step \"x\" runs nothing"},
		{HEAD "stages: {s: {steps: [{step: x, run: []}]}}\n" IMAGES,
		 "r.yaml:3:22: step \"x\" runs nothing"},
		{HEAD "stages: {s: {steps: [{step: x, run: [a], shell: [b]}]}}\n" IMAGES,
		 "r.yaml:3:50: step \"x\" runs a list of words, which no shell reads; remove \"shell\" "
		 "or give \"run\" as one text"},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void references(void **state)
{
	static const struct text_case cases[] = {
		{COPY("copy: l, to: /a"), ""},
		{COPY("copy: ll, to: /a"),
		 "r.yaml:7:25: there is no source \"ll\"; did you mean \"l\"?"},
		{COPY("copy: l, to: a"),
		 "r.yaml:7:32: \"a\" cannot be a destination\n"
		 "it takes a path that starts with \"/\" and has no \"..\""},
		{COPY("copy: s, to: /a"),
		 "r.yaml:7:25: \"s\" is a stage; a path in it is written \"s:/PATH\""},
		{COPY("copy: \"l:/x\", to: /a"),
		 "r.yaml:7:25: \"l\" is a source; a stage is wanted here"},
		{COPY("copy: \"t:/x\", to: /a"),
		 "r.yaml:7:25: there is no stage \"t\"; did you mean \"s\"?"},
		{COPY("copy: \"s:x\", to: /a"),
		 "r.yaml:7:25: \"s:x\": a path in a stage is written STAGE:/PATH"},
		{COPY("copy: \"s:/x\", to: /a"), "r.yaml:7:25: stage \"s\" needs itself: s -> s"},
		{COPY("copy: \"${x}\", to: /a"),
		 "r.yaml:7:25: \"${x}\": sources and stages are named as they are, without ${...}; an "
		 "\"if\" can choose between steps"},
		{COPY("install: l"),
		 "r.yaml:7:28: \"l\" is no source of packages; it can be copied or mounted"},
		{HEAD "sources: {d: {kind: debian, suite: s, packages: [p]}}\n"
		      "stages: {s: {steps: [{step: x, install: d, into: /v}]}}\n" IMAGES,
		 "r.yaml:4:50: \"into\" is for wheels; Debian packages go where they belong"},
		{HEAD "sources: {d: {kind: debian, suite: s, packages: [p]}}\n"
		      "stages: {s: {steps: [{step: x, copy: d, to: /v}]}}\n" IMAGES,
		 "r.yaml:4:38: \"d\" is a debian source: it is installed, not copied"},
		{HEAD "sources: {d: {kind: debian, suite: s, packages: [p]}}\n"
		      "stages: {s: {steps: [{step: x, run: y, mounts: {/d: d}}]}}\n" IMAGES,
		 ""},
		{HEAD "stages: {s: {from: base, steps: [{step: x, run: y}]}}\n" IMAGES,
		 "r.yaml:3:20: there is no stage \"base\""},
		{HEAD "stages: {s: {}}\n" IMAGES,
		 "r.yaml:3:10: stage \"s\" has neither \"from\" nor steps"},
		{HEAD "stages: {s: {from: t}, t: {steps: [{step: x, run: y}]}}\n" IMAGES, ""},
		{HEAD "stages:\n  s: {from: t}\n  t: {steps: [{step: x, copy: \"u:/a\", to: /a}]}\n"
		      "  u: {steps: [{step: y, run: z, mounts: {/s: \"s:/\"}}]}\n" IMAGES,
		 "r.yaml:6:46: stage \"s\" needs itself: s -> t -> u -> s"},
		{HEAD
		 "stages:\n  s: {steps: [{step: x, run: y}]}\n  a: {from: b}\n  b: {from: a}\n" IMAGES,
		 "r.yaml:6:13: stage \"a\" needs itself: a -> b -> a"},
		{HEAD "stages:\n  s: {steps: [{step: x, run: y}]}\n  a: {from: s}\n" IMAGES,
		 "r.yaml:5:3: no image and no other stage uses stage \"a\""},
		{HEAD STAGES "images: {i: {stage: t, name: n}}\n",
		 "r.yaml:4:21: there is no stage \"t\"; did you mean \"s\"?"},
		{HEAD STAGES "images: {i: {stage: s, name: n}, j: {stage: s, name: n}}\n",
		 "r.yaml:4:54: images \"i\" and \"j\" have the same name"},
		{HEAD STAGES
		 "images: {i: {stage: s, name: n}, j: {stage: s, name: n, if: \"1\"}}\n",
		 ""},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void images(void **state)
{
	static const struct text_case cases[] = {
		{CONFIG("workdir: /w, ports: [80, 53/udp], volumes: [/v], user: www"), ""},
		{CONFIG("workdir: w"), "r.yaml:5:44: \"w\" cannot be a working directory\n"
				       "it takes a path that starts with \"/\" and has no \"..\""},
		{CONFIG("ports: [0]"),
		 "r.yaml:5:43: \"0\" cannot be a port\n"
		 "it takes a port from 1 to 65535, with /tcp, /udp or /sctp or without"},
		{CONFIG("ports: [80/icmp]"),
		 "r.yaml:5:43: \"80/icmp\" cannot be a port\n"
		 "it takes a port from 1 to 65535, with /tcp, /udp or /sctp or without"},
		{CONFIG("volumes: [v]"),
		 "r.yaml:5:45: \"v\" cannot be a volume\n"
		 "it takes a path that starts with \"/\" and has no \"..\""},
		{CONFIG("environment: {\"A=B\": c}"),
		 "r.yaml:5:49: \"A=B\" cannot be the name of an environment variable\n"
		 "it takes letters, digits and \"_\", no digit first"},
		{CONFIG("labels: {\"\": c}"),
		 "r.yaml:5:44: \"\" cannot be the name of a label\nit takes text that is not empty"},
		{CHECKS("name: c, run: r, image: j"),
		 "r.yaml:6:30: there is no image \"j\"; did you mean \"i\"?"},
		{CHECKS("name: c, run: r}\n  - {name: c, run: s"),
		 "r.yaml:7:12: two checks have the name \"c\""},
		{CHECKS("name: c, run: \"\""),
		 "r.yaml:6:20: \"\" cannot be what a check runs\nit takes text that is not empty"},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void templates(void **state)
{
	static const struct text_case cases[] = {
		{RUN("workdir: \"/${env.HOME}\", environment: {A: \"${env.PATH}:$PATH $$ $${x}\"}"),
		 ""},
		{OPTION("default: x, keyed: false"),
		 "r.yaml:6:30: option \"o\" has keyed: false and cannot be used here\n"
		 "such an option may reach a step only through jobs and unkeyed-environment"},
		{HEAD "options: {o: {default: 1, keyed: false}}\n"
		      "stages: {s: {steps: [{step: x, run: y, jobs: \"${o}\", "
		      "unkeyed-environment: {A: \"${o}\"}}]}}\n" IMAGES,
		 ""},
		{RUN("user: \"${usr}\""),
		 "r.yaml:6:33: \"${usr}\" names neither an option nor a variable\n"
		 "a literal \"${usr}\", as in a shell script, is written \"$${usr}\""},
		{HEAD "options: {user: {default: x}}\n"
		      "stages: {s: {steps: [{step: x, run: \"echo ${usr}\"}]}}\n" IMAGES,
		 "r.yaml:4:37: \"${usr}\" names neither an option nor a variable; did you mean "
		 "\"user\"?"},
		{HEAD "stages:\n  s:\n    steps:\n      - step: x\n        run: |\n          a\n"
		      "          echo ${HOME}\n" IMAGES,
		 "r.yaml:9:1: \"${HOME}\" names neither an option nor a variable\n"
		 "a literal \"${HOME}\", as in a shell script, is written \"$${HOME}\""},
		{RUN("user: \"${a.b}\""), "r.yaml:6:33: \"${a.b}\": there is no source \"a\""},
		{RUN("user: \"${env.}\""), "r.yaml:6:33: \"${env.}\" lacks the name of a variable"},
		{RUN("user: \"${}\""),
		 "r.yaml:6:33: \"${}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{RUN("user: \"${x\""),
		 "r.yaml:6:33: \"${\" without a name and a \"}\" behind it\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{RUN("user: \"${HOME:-x}\""),
		 "r.yaml:6:33: \"${HOME:-x}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{RUN("user: \"${a:.}\""),
		 "r.yaml:6:33: \"${a:.}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{RUN("user: \"${a:.9999999}\""),
		 "r.yaml:6:33: \"${a:.9999999}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
		 "a literal \"${\", as in a shell script, is written \"$${\""},
		{RUN("if: \"a == b == c\""),
		 "r.yaml:6:31: \"a == b == c\" has two comparisons; an \"if\" is A, A == B or A != B"},
		{RUN("if: \"${x} == b\""),
		 "r.yaml:6:31: \"${x}\" names neither an option nor a variable\n"
		 "a literal \"${x}\", as in a shell script, is written \"$${x}\""},
		{RUN("if: \"${env.X}\""),
		 "r.yaml:6:31: \"${env.X}\" cannot be used here: the environment below is known in "
		 "stages, steps and images' configs only"},
		{RUN("secrets: [\"${x}\"]"),
		 "r.yaml:6:37: \"${x}\" cannot be the name of a secret\n"
		 "it takes letters, digits, \".\", \"_\" and \"-\", a letter or digit first"},
		{CONFIG("labels: {\"${x}\": y}"),
		 "r.yaml:5:44: \"${x}\": ${...} is not possible in a name that the recipe itself uses"},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

/* The reference case of the design, word for word but for the two kinds that come later. */
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

static void reference_case(void **state)
{
	static const struct text_case cases[] = {
		{REFERENCE("kind: python, python: \"3.11\", requirements: [\"torch==${torch}\", "
			   "torchvision, torchaudio]",
			   "kind: python, python: \"3.11\", sdist: true, requirements: "
			   "[\"flash-attn==${flash}\"]",
			   "kind: git, url: \"${repository}\", ref: \"${branch}\", track: true"),
		 "r.yaml:16:22: source kind \"python\" is not supported by this version of varve"},
		/* With kinds that are: what is left is what those kinds cannot do. */
		{REFERENCE("kind: debian, suite: \"s${torch}\", packages: [p]",
			   "kind: url, href: \"${repository}\"",
			   "kind: local, path: \"${branch}\""),
		 "r.yaml:23:45: \"into\" is for wheels; Debian packages go where they belong"},
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
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
	check_error(text.data, &err);
	assert_string_equal(err.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),      cmocka_unit_test(later_kinds),
		cmocka_unit_test(options),    cmocka_unit_test(variables),
		cmocka_unit_test(sources),    cmocka_unit_test(steps),
		cmocka_unit_test(references), cmocka_unit_test(images),
		cmocka_unit_test(templates),  cmocka_unit_test(reference_case),
		cmocka_unit_test(long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
