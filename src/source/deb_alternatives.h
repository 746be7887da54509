/* SPDX-License-Identifier: Apache-2.0
 * "Depends: a | b": the first one is meant, the others do as well (Debian policy 7.1). libsolv
 * takes the one whose name comes first in the alphabet, unless it is told what to prefer. */
#ifndef SOURCE_DEB_ALTERNATIVES_H
#define SOURCE_DEB_ALTERNATIVES_H

#include <stdbool.h>

#include <solv/pool.h>
#include <solv/queue.h>

/* Walks from the wanted dependencies to what they need and adds the names of first alternatives (of
 * those that are to be had) to ret: nearest first, each once. Only what can be reached counts: what
 * other packages of the archive prefer is not asked for. */
void deb_first_alternatives(Pool *pool, const Queue *wanted, bool recommends, Queue *ret);

#endif
