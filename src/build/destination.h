/* SPDX-License-Identifier: Apache-2.0
 * Where a copy, or an install of wheels, really goes (and with which interpreter): symlinks of the
 * layers below are followed before the key is made, so that the copy itself need not look below.
 * The answer is kept as a fact, by chain and destination.
 */
#ifndef BUILD_DESTINATION_H
#define BUILD_DESTINATION_H

#include <stdbool.h>

struct buf;
struct build;
struct varve_error;

/* Fills known[step].destination (clean path; with "/" at its end when a directory is there
 * already) and interpreter. 0 when it is known (or the step is neither); -EAGAIN when the chain, or
 * a tree of it, is not here yet. */
int build_destination(struct build *build, int step, struct varve_error *err);

/* The fact of a step of which it is known, for others: its name and text. False: there is none. */
enum { DESTINATION_FACT = 96 };
bool build_destination_fact(const struct build *build, int step, char name[DESTINATION_FACT],
			    struct buf *ret_text);

/* The same inside a worker, which may unpack missing trees; leaves the fact for its parent. */
int build_destination_in_worker(struct build *build, int step, struct varve_error *err);

/* A chain's steps look into almost the same trees one after the other: those that were opened last
 * stay open, and only what the next step has more is opened for it. */
struct destination_view;
void destination_forget(struct build *build);
/* The same in a worker, which has the descriptors (hundreds) from its parent; the memory is left
 * alone, as freeing it would copy its pages first. */
void destination_leave(struct build *build);

#endif
