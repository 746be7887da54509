/* SPDX-License-Identifier: Apache-2.0
 * Extended attributes as text, for indexes and comparisons. Pure.
 *
 *	text  = [ item { " " item } ]	in the order given, by name
 *	item  = name "=" value		bytes of the name up to " ", "=", "%" and from 0x7f are
 *"%HH" value = hex | "sha256:" hex	the latter from XATTRS_VALUE_MAX bytes on */
#ifndef AUDIT_XATTRS_TEXT_H
#define AUDIT_XATTRS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct layer_xattrs;

enum { XATTRS_VALUE_MAX = 64 };

char *xattrs_text(const struct layer_xattrs *xattrs); /* caller frees */

/* Walks two texts by name: = {text, text}, then until false. Owned: name, a, b. */
struct xattrs_step {
	const char *a_next, *b_next; /* what is left of them; borrowed */
	char *name; /* as the text has it */
	char *a, *b; /* the values; NULL: only the other has it */
};
bool xattrs_next(struct xattrs_step *step);
void xattrs_step_release(struct xattrs_step *step); /* usable with CLEANUP */

#endif
