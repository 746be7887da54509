/* SPDX-License-Identifier: Apache-2.0
 * The pure part of sandbox_detect: reading the host's tables of ids. */
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

/* Sum of the counts of a uid_map (user_namespaces(7)): how many ids this namespace has. */
uint64_t sandbox_map_size(const char *text);

/* The command that gives ids to the user. Caller frees. */
char *sandbox_subid_cure(const char *name);
/* Name of our user, or its number as text. Caller frees. */
char *sandbox_user_name(void);

#endif
