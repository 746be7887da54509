/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock_place.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH = 5 }; /* { "sources" [ { "artifacts" [ element */

/* A walk over the tokens. Of each level down to DEPTH it knows the last string and the count of
 * elements before the one that it is in. */
struct walk {
	const char *at, *end;
	int depth;
	const char *word[DEPTH + 1]; /* the last string at this level, without its first quote */
	long element[DEPTH + 1];
};

static bool word_is(const char *word, const char *name)
{
	return word && strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == '"';
}

static void pass_string(struct walk *w)
{
	if (w->depth <= DEPTH)
		w->word[w->depth] = w->at + 1;
	for (w->at++; w->at < w->end && *w->at != '"'; w->at++)
		if (*w->at == '\\')
			w->at++;
}

/* True when the value that starts at w->at is the one that is looked for. */
static bool is_wanted(const struct walk *w, long source, long artifact)
{
	bool in_sources = w->depth >= 2 && word_is(w->word[1], "sources");

	if (artifact == LOCK_NOWHERE)
		return w->depth == 2 && in_sources && w->element[2] == source;
	return w->depth == 4 && in_sources && w->element[2] == source &&
	       word_is(w->word[3], "artifacts") && w->element[4] == artifact;
}

static const char *find(struct walk *w, long source, long artifact)
{
	for (; w->at < w->end; w->at++) {
		if (!strchr(" \t\r\n,:]}", *w->at) && is_wanted(w, source, artifact))
			return w->at;
		if (*w->at == '"') {
			pass_string(w);
		} else if (strchr("{[", *w->at)) {
			if (++w->depth <= DEPTH) {
				w->word[w->depth] = NULL;
				w->element[w->depth] = 0;
			}
		} else if (strchr("}]", *w->at)) {
			w->depth--;
		} else if (*w->at == ',' && w->depth <= DEPTH) {
			w->element[w->depth]++;
		}
	}
	return NULL;
}

struct lock_place lock_place_of(const char *text, size_t len, long source, long artifact)
{
	struct walk w = {.at = text, .end = text + len};
	struct lock_place place = {1, 1};
	const char *found = source == LOCK_NOWHERE ? NULL : find(&w, source, artifact);

	for (const char *p = text; found && p < found; p++) {
		place.column++;
		if (*p == '\n')
			place = (struct lock_place){place.line + 1, 1};
	}
	return place;
}
