/* SPDX-License-Identifier: Apache-2.0
 * Why two texts differ, told by the texts alone: they are equal but for dates, temporary names,
 * directories, users and hosts, random identifiers, or numbers. Pure. */
#ifndef AUDIT_CAUSE_H
#define AUDIT_CAUSE_H

#include <stddef.h>
#include "audit/cure.h"

/* Texts need no NUL; of longer ones only the first CAUSE_MAX bytes count. CURE_NONE: unknown. */
enum { CAUSE_MAX = 4096 };
enum cure_rule cause_of(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
