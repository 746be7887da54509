/* SPDX-License-Identifier: Apache-2.0
 * The shapes of names and of single values. Values with ${...} are looked at by whoever expands
 * them: a check of a value here takes text that is literal. */
#ifndef RECIPE_RECIPE_GRAMMAR_H
#define RECIPE_RECIPE_GRAMMAR_H

#include <stdbool.h>
#include "recipe/recipe.h"

enum grammar {
	GRAMMAR_NAME, /* [a-z0-9][a-z0-9._-]*: recipes, stages, steps, images, caches */
	GRAMMAR_OPTION, /* [a-z][a-z0-9-]* */
	GRAMMAR_VARIABLE, /* [a-z][a-z0-9_-]* */
	GRAMMAR_SOURCE, /* [a-z0-9][a-z0-9_-]*: no dot, which starts a fact */
	GRAMMAR_ENVIRONMENT, /* [A-Za-z_][A-Za-z0-9_]* */
	GRAMMAR_SECRET, /* [A-Za-z0-9][A-Za-z0-9._-]* */
	GRAMMAR_LABEL, /* anything but nothing */
	GRAMMAR_SNAPSHOT, /* YYYYMMDDTHHMMSSZ */
	GRAMMAR_SHA256, /* 64 lower-case hexadecimal digits */
	GRAMMAR_HREF, /* http:// or https:// */
	GRAMMAR_WORD, /* no blanks, not empty */
	GRAMMAR_FILENAME, /* a last component of a path */
	GRAMMAR_ABSOLUTE, /* /a/path without .. */
	GRAMMAR_RELATIVE, /* a/path that does not start with / */
	GRAMMAR_PATTERN, /* a path or pattern from the root of the image, without .. */
	GRAMMAR_MODE, /* 0 to 07777, octal */
	GRAMMAR_PORT, /* 1 to 65535, with /tcp, /udp or /sctp or without */
	GRAMMAR_PIN, /* of a Debian package: NAME=VERSION or NAME/SUITE */
	GRAMMAR_PYTHON, /* version of Python: 3.11 */
	GRAMMAR_GLIBC, /* version of glibc: 2.36 */
	GRAMMAR_DATE, /* YYYY-MM-DD, or with THH:MM:SSZ */
	GRAMMAR_REQUIREMENT, /* of a Python package, met by an index: no URL, path or option */
	GRAMMAR_REGISTRY, /* HOST[:PORT][/PREFIX] */
	GRAMMAR_GIT_URL, /* https, http, ssh, git or file URL, [USER@]HOST:PATH, /PATH, ./PATH; no
			    password, nothing that git could take for an option or a helper */
	GRAMMAR_GIT_REF, /* a name that git-check-ref-format(1) allows, or a commit */
	GRAMMAR_IMAGE, /* docker://HOST/NAME[:TAG][@DIGEST], oci:DIR[:NAME],
			  oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] */
	GRAMMAR_PLATFORM, /* OS/ARCH[/VARIANT] */
};

bool grammar_matches(enum grammar grammar, const char *text);
/* Checks a literal value; `what` says in the error what it is: `stage "Base"` -> `the name of a
 * stage`. */
int grammar_check(enum grammar grammar, const struct recipe_value *value, const char *what,
		  struct varve_error *err);
/* The same, but for a value that is absent or holds ${...}: those pass. */
int grammar_check_literal(enum grammar grammar, const struct recipe_value *value, const char *what,
			  struct varve_error *err);

#endif
