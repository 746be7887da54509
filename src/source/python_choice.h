/* SPDX-License-Identifier: Apache-2.0
 * Versions -> files: which of an index's files are locked. */
#ifndef SOURCE_PYTHON_CHOICE_H
#define SOURCE_PYTHON_CHOICE_H

#include "source/python_name.h"
#include "source/python_pins.h"
#include "source/source_kind.h"

struct python_choice {
	struct source_context *context;
	const struct python_pins *pins; /* what is wanted */
	const struct strv *indexes; /* in order of preference */
	const struct python_target *target;
	bool sdist; /* source distributions are wanted, no wheels */
	const char *lock; /* text of the recipe's lock file, whose hashes count; "" without one */
	struct lock_source *ret; /* gets the artifacts; its spec is told of in errors */
	json_t *yanked; /* array: gets the names of files that their publisher withdrew */
};

/* Adds an artifact for each pin, from the first index that has its project, and puts all in order.
 * What fits nowhere is -VARVE_E_RESOLVE saying what is missing. */
int python_choose(struct python_choice *choice, struct varve_error *err);

#endif
