/* SPDX-License-Identifier: Apache-2.0
 * The meaning of a recipe: steps, references, images and templates. */
#include "recipe_fixture.h"

#define OPTION(body)                                                                               \
	HEAD "options:\n  o: {" body "}\n" STAGES "images: {i: {stage: s, name: \"n:${o}\"}}\n"
/* A source that is copied; one that is installed. */
#define RUN(body) HEAD "stages:\n  s:\n    steps:\n      - {step: x, run: y, " body "}\n" IMAGES
#define LOCAL "sources: {l: {kind: local, path: p}}\n"
#define COPY(body) HEAD LOCAL "stages:\n  s:\n    steps:\n      - {step: x, " body "}\n" IMAGES
#define CONFIG(body) HEAD STAGES "images:\n  i: {stage: s, name: n, config: {" body "}}\n"
#define CHECKS(body) HEAD STAGES IMAGES "checks:\n  - {" body "}\n"

static const struct text_case steps_cases[] = {
	{RUN("network: host, jobs: 4, user: \"1000:1000\", workdir: /w"), ""},
	{RUN("network: bridge"),
	 "r.yaml:6:36: \"network\" is \"none\" or \"host\", not \"bridge\""},
	{RUN("jobs: 0"), "r.yaml:6:33: \"0\" is neither a whole number from 1 to 4096 nor auto"},
	{RUN("workdir: w"), "r.yaml:6:36: \"w\" cannot be a working directory\n"
			    "it takes a path that starts with \"/\" and has no \"..\""},
	{RUN("user: \"\""), "r.yaml:6:33: \"\" cannot be a user\nit takes one word without blanks"},
	{RUN("environment: {1A: x}"),
	 "r.yaml:6:41: \"1A\" cannot be the name of an environment variable\n"
	 "it takes letters, digits and \"_\", no digit first"},
	{RUN("environment: {A: x}, unkeyed-environment: {A: y}"),
	 "r.yaml:6:70: \"A\" is in both environment and unkeyed-environment"},
	{RUN("mounts: {a: \"s:/x\"}"), "r.yaml:6:36: \"a\" cannot be the target of a mount\n"
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

static void steps(void **state)
{
	(void)state;
	check_cases(steps_cases, ARRAY_SIZE(steps_cases), check_error);
}

#define WHEELS(step)                                                                               \
	HEAD "sources: {w: {kind: python, python: \"3.11\", requirements: [a]}}\n"                 \
	     "stages: {s: {steps: [{step: x, " step "}]}}\n" IMAGES

static const struct text_case references_cases[] = {
	{COPY("copy: l, to: /a"), ""},
	{COPY("copy: ll, to: /a"), "r.yaml:7:25: there is no source \"ll\"; did you mean \"l\"?"},
	{COPY("copy: l, to: a"), "r.yaml:7:32: \"a\" cannot be a destination\n"
				 "it takes a path that starts with \"/\" and has no \"..\""},
	{COPY("copy: s, to: /a"),
	 "r.yaml:7:25: \"s\" is a stage; a path in it is written \"s:/PATH\""},
	{COPY("copy: \"l:/x\", to: /a"), "r.yaml:7:25: \"l\" is a source; a stage is wanted here"},
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
	{WHEELS("install: w"),
	 "r.yaml:4:22: step \"x\" installs wheels: \"into\" has to say where, as \"into: /opt/venv\""},
	{WHEELS("install: w, into: /v, layout: prefix, bytecode: true, split: wheels"), ""},
	{WHEELS("install: w, into: v"), "r.yaml:4:50: \"v\" cannot be a directory to install into\n"
					"it takes a path that starts with \"/\" and has no \"..\""},
	{WHEELS("install: w, into: /v, layout: tree"),
	 "r.yaml:4:62: \"layout\" cannot be \"tree\"; it takes venv, prefix or directory"},
	{WHEELS("install: w, into: /v, split: yes"),
	 "r.yaml:4:61: \"split\" cannot be \"yes\"; it takes wheels, none or a map of directories, "
	 "maximum and wheels"},
	{WHEELS("install: w, into: /v, split: {wheels: true, maximum: 1GB, directories: [/v/x]}"),
	 ""},
	{WHEELS("install: w, into: /v, split: {wheels: perhaps}"),
	 "r.yaml:4:70: \"perhaps\" is neither true nor false"},
	{WHEELS("install: w, into: /v, split: {maximum: 1g}"),
	 "r.yaml:4:71: \"1g\" is no size: a number of bytes, as 512M or 7GB"},
	{WHEELS("install: w, into: /v, split: {directories: [/v/../..]}"),
	 "r.yaml:4:76: \"/v/../..\" cannot be a directory to split off\n"
	 "it takes a path or a pattern from the root of the image, without \"..\""},
	{WHEELS("install: w, into: /v, bytecode: maybe"),
	 "r.yaml:4:64: \"maybe\" is neither true nor false"},
	{WHEELS("copy: w, to: /v"), ""},
	{HEAD "sources: {d: {kind: debian, suite: s, packages: [p]}}\n"
	      "stages: {s: {steps: [{step: x, install: d, split: wheels}]}}\n" IMAGES,
	 "r.yaml:4:51: a step that installs no wheels is split by directories or a maximum"},
	{HEAD "sources: {d: {kind: debian, suite: s, packages: [p]}}\n"
	      "stages: {s: {steps: [{step: x, install: d, split: {maximum: 512M}}]}}\n" IMAGES,
	 ""},
	{COPY("copy: l, to: /a, split: {wheels: true}"),
	 "r.yaml:7:52: a step that installs no wheels is split by directories or a maximum"},
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
	{HEAD "stages:\n  s: {steps: [{step: x, run: y}]}\n  a: {from: b}\n  b: {from: a}\n" IMAGES,
	 "r.yaml:6:13: stage \"a\" needs itself: a -> b -> a"},
	{HEAD "stages:\n  s: {steps: [{step: x, run: y}]}\n  a: {from: s}\n" IMAGES,
	 "r.yaml:5:3: no image and no other stage uses stage \"a\""},
	{HEAD STAGES "images: {i: {stage: t, name: n}}\n",
	 "r.yaml:4:21: there is no stage \"t\"; did you mean \"s\"?"},
	{HEAD STAGES "images: {i: {stage: s, name: n}, j: {stage: s, name: n}}\n",
	 "r.yaml:4:54: images \"i\" and \"j\" have the same name"},
	{HEAD STAGES "images: {i: {stage: s, name: n}, j: {stage: s, name: n, if: \"1\"}}\n", ""},
};

static void references(void **state)
{
	(void)state;
	check_cases(references_cases, ARRAY_SIZE(references_cases), check_error);
}

static const struct text_case images_cases[] = {
	{CONFIG("workdir: /w, ports: [80, 53/udp], volumes: [/v], user: www"), ""},
	{CONFIG("workdir: w"), "r.yaml:5:44: \"w\" cannot be a working directory\n"
			       "it takes a path that starts with \"/\" and has no \"..\""},
	{CONFIG("ports: [0]"),
	 "r.yaml:5:43: \"0\" cannot be a port\n"
	 "it takes a port from 1 to 65535, with /tcp, /udp or /sctp or without"},
	{CONFIG("ports: [80/icmp]"),
	 "r.yaml:5:43: \"80/icmp\" cannot be a port\n"
	 "it takes a port from 1 to 65535, with /tcp, /udp or /sctp or without"},
	{CONFIG("volumes: [v]"), "r.yaml:5:45: \"v\" cannot be a volume\n"
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

static void images(void **state)
{
	(void)state;
	check_cases(images_cases, ARRAY_SIZE(images_cases), check_error);
}

static const struct text_case templates_cases[] = {
	{RUN("workdir: \"/${env.HOME}\", environment: {A: \"${env.PATH}:$PATH $$ $${x}\"}"), ""},
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
	{RUN("user: \"${}\""), "r.yaml:6:33: \"${}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
			       "a literal \"${\", as in a shell script, is written \"$${\""},
	{RUN("user: \"${x\""), "r.yaml:6:33: \"${\" without a name and a \"}\" behind it\n"
			       "a literal \"${\", as in a shell script, is written \"$${\""},
	{RUN("user: \"${HOME:-x}\""),
	 "r.yaml:6:33: \"${HOME:-x}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
	 "a literal \"${\", as in a shell script, is written \"$${\""},
	{RUN("user: \"${a:.}\""), "r.yaml:6:33: \"${a:.}\" is neither ${NAME} nor ${NAME:.NUMBER}\n"
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

static void templates(void **state)
{
	(void)state;
	check_cases(templates_cases, ARRAY_SIZE(templates_cases), check_error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),
		cmocka_unit_test(references),
		cmocka_unit_test(images),
		cmocka_unit_test(templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
