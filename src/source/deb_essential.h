/* SPDX-License-Identifier: Apache-2.0
 * Essential packages: every Debian system has them, and nobody need declare a dependency on them
 * (Debian policy 3.8). libsolv does not know the field. */
#ifndef SOURCE_DEB_ESSENTIAL_H
#define SOURCE_DEB_ESSENTIAL_H

#include <solv/bitmap.h>
#include <solv/pool.h>
#include <solv/queue.h>

#include "base/strv.h"

/* Adds the names of the packages in a Packages text whose stanza has this line ("Essential: yes",
 * "Priority: required"), each once. */
void deb_names_with(const char *text, const char *line, struct strv *ret);

/* Marks those of steps (solvables that are to be installed) that are essential or that essential
 * ones need, directly or not. ret: initialised here, freed by the caller with map_free. */
void deb_essential_closure(Pool *pool, const Queue *steps, const struct strv *names, Map *ret);

#endif
