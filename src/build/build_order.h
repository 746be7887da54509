/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_BUILD_ORDER_H
#define BUILD_BUILD_ORDER_H

#include "plan/plan.h"

/* The order in which steps get their turn: the plan's, but among the layers of a split step, which
 * can all run at once, the largest first. A large one that started last would run alone in the end,
 * and a good part of its work (uv unpacks a wheel in one thread) keeps one core only. The caller
 * frees it; step_count entries. */
int *build_order(const struct plan *plan);

#endif
