/* SPDX-License-Identifier: Apache-2.0
 * build --all NAME: one build for each value of an option of the recipe, each a run of this program
 * of its own. On a cluster they go on side by side: what two of them need is submitted once. Here
 * they go one after the other: each fills the cores by itself. */
#ifndef CLI_BUILD_CHOICES_H
#define CLI_BUILD_CHOICES_H

#include "cli/cli.h"

/* Prints the results in the order of values. The status is the first one that is not 0. */
int build_choices(struct cli *cli, struct varve_error *err);

#endif
