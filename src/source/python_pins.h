/* SPDX-License-Identifier: Apache-2.0
 * The texts that go into and come out of the resolver. Pure. */
#ifndef SOURCE_PYTHON_PINS_H
#define SOURCE_PYTHON_PINS_H

#include <varve/error.h>

#include "base/strv.h"

/* One version of one project. */
struct python_pin {
	char *project; /* normalised */
	char *version;
};
struct python_pins {
	struct python_pin *items; /* in order of project */
	size_t count, alloc;
};
void python_pins_release(struct python_pins *pins);

/* What `uv pip compile` prints: lines "NAME==VERSION", with comments and markers. What an index
 * does not have (NAME @ URL, -e PATH) is -VARVE_E_RESOLVE. */
int python_pins_parse(const char *text, struct python_pins *ret, struct varve_error *err);
/* What `uv pip install --dry-run` tells: lines " + NAME==VERSION", among others. */
int python_pins_parse_dry_run(const char *text, struct python_pins *ret, struct varve_error *err);

/* A requirements.txt may hold requirements with hashes, comments and nothing else: -VARVE_E_RECIPE
 * for an option, URL or path that would lead elsewhere. name: the file's, for errors. */
int python_requirements_check(const char *text, const char *name, struct varve_error *err);

#endif
