/* SPDX-License-Identifier: Apache-2.0
 * What lies in a commit of a fetched repository: its directory, its submodules, and which of its
 * paths a source leaves out. */
#ifndef SOURCE_GIT_TREE_H
#define SOURCE_GIT_TREE_H

#include <stdbool.h>
#include "source/git_repository.h"

struct strv;

/* A commit of another repository at a path. */
struct git_link {
	char *path; /* in the repository, clean */
	char commit[GIT_HEX];
	char *url; /* as .gitmodules says; NULL: it says nothing */
};
struct git_links {
	struct git_link *items;
	size_t count, alloc;
};
void git_links_release(struct git_links *links);

/* All submodules of the commit, with their URLs. */
int git_links_read(const struct git_repository *repository, struct git_links *ret,
		   struct varve_error *err);
/* Pure: the rows of `git ls-tree -r -z` that are submodules. */
int git_links_parse(const char *text, size_t len, struct git_links *ret, struct varve_error *err);
/* Pure: takes the URLs out of `git config -z --list` of a .gitmodules file. */
void git_links_take_urls(const char *text, size_t len, struct git_links *links);

/* Refuses a subdirectory that is absent, a link, a file or a submodule. */
int git_check_subdirectory(const struct git_repository *repository, const char *subdirectory,
			   struct varve_error *err);

/* --- paths that are left out: patterns relative to the source's top; one without "/" at any depth.
 * Pure. */
bool git_is_excluded(const struct strv *patterns, const char *path);
/* The arguments that make git archive do the same: subdirectory and patterns as pathspecs. */
void git_pathspecs(const char *subdirectory, const struct strv *patterns, struct strv *ret);
/* The patterns that hold inside the submodule at path. */
void git_patterns_below(const struct strv *patterns, const char *path, struct strv *ret);

#endif
