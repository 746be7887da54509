/* SPDX-License-Identifier: Apache-2.0
 * What `git ls-remote` says, and which of it a ref means. Pure. */
#ifndef SOURCE_GIT_REFS_H
#define SOURCE_GIT_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>

enum {
	GIT_HEX = 65, /* room for the name of an object: 40 or 64 digits and NUL */
	GIT_SHORTEST = 7, /* digits that an abbreviated commit must have */
};

struct git_ref {
	char *name; /* "refs/heads/main", or "HEAD" */
	char hex[GIT_HEX]; /* of the commit; of an annotated tag what it names */
	char *target; /* "HEAD": the branch that it stands for; NULL: unknown */
};

struct git_refs {
	struct git_ref *items;
	size_t count, alloc;
};

void git_refs_release(struct git_refs *refs);
/* Reads the output of `git ls-remote --symref`. -VARVE_E_FORMAT for what is none. */
int git_refs_parse(const char *text, struct git_refs *ret, struct varve_error *err);

/* True for the whole name of an object: 40 or 64 lower-case hexadecimal digits. */
bool git_is_object(const char *text);
/* True for what may be the start of one. */
bool git_is_abbreviation(const char *text);

/* The ref that text ("main", "v1.0", "refs/heads/x", "" = HEAD) means: a branch, else a tag. NULL
 * where there is none; -VARVE_E_RESOLVE where a branch and a tag of that name differ. */
int git_refs_choose(const struct git_refs *refs, const char *text, const struct git_ref **ret,
		    struct varve_error *err);
/* Names that resemble text, for "did you mean". NULL where there is none; borrowed. */
const char *git_refs_nearest(const struct git_refs *refs, const char *text);

/* What a commit object says ("git cat-file commit"): its tree, and its committer's date in seconds,
 * within what archives can hold. */
int git_commit_parse(const char *text, char tree[GIT_HEX], long long *ret_date,
		     struct varve_error *err);

#endif
