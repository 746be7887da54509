/* SPDX-License-Identifier: Apache-2.0
 * Rules that leave files out, in gitignore's language (one file of rules, at the top of a tree):
 *
 *	line    = "" | "#" comment | [ "!" ] pattern [ "/" ] ; "/" at the end: directories only
 *	pattern = [ "/" ] segment *( "/" segment )
 *	segment = "**" ; any number of directories, at the end everything inside
 *		| 1*( "*" | "?" | "[" set "]" | "\" byte | byte )
 *
 * A pattern without "/" (but at its end) holds at any depth, any other from the top. The last rule
 *that matches decides; "!" takes back in. Spaces at the end count only after "\". A pattern that is
 *no pattern ("[a", "a\") matches nothing, as in git. */
#ifndef SOURCE_SOURCE_IGNORE_H
#define SOURCE_SOURCE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct source_ignore;

struct source_ignore *source_ignore_parse(const char *text, size_t len);
void source_ignore_free(struct source_ignore *ignore);
void source_ignore_freep(struct source_ignore **ignore);

/* Whether the rules leave out path (clean, relative to the top). Says nothing of the directories
 * above it: what lies in one that is left out is left out too, so a walk does not enter it. ignore
 * may be NULL: nothing is left out. */
bool source_ignore_matches(const struct source_ignore *ignore, const char *path, bool is_directory);

#endif
