/* SPDX-License-Identifier: Apache-2.0
 * Reading the host's tables of ids. */
#ifndef SANDBOX_SANDBOX_DETECT_H
#define SANDBOX_SANDBOX_DETECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sandbox_range;

enum { SANDBOX_IDS = 65535 }; /* ids besides 0 that a Debian image needs */

/* Finds the longest range that text, in the form of subuid(5), gives to the user:
 *	text = *( owner ":" first ":" count LF ) ; owner is a name or a decimal uid
 * Lines of another form are skipped, as are ranges that end beyond 32 bits. name may be NULL. */
bool sandbox_subid_find(const char *text, const char *name, uid_t uid, struct sandbox_range *ret);

/* The first id behind all ranges of text, at least 100000 as useradd(8) has it. */
uint32_t sandbox_subid_free(const char *text);
/* The command that gives the user 65536 ids from first on. Caller frees. */
char *sandbox_subid_cure(const char *name, uint32_t first);
/* Name of our user, or its number as text. Caller frees. */
char *sandbox_user_name(void);

#endif
