/* SPDX-License-Identifier: Apache-2.0
 * URLs of repositories. Pure, but for git_url_open. Their grammar is GRAMMAR_GIT_URL. */
#ifndef SOURCE_GIT_URL_H
#define SOURCE_GIT_URL_H

#include <stdbool.h>
#include <varve/error.h>

/* True for a path of this machine and for file:///... */
bool git_url_is_local(const char *url);
/* What a recipe says -> what git is given: a relative path starts at directory. Caller frees. */
char *git_url_open(const char *directory, const char *url);
/* The URL of a submodule, whose .gitmodules says text, in the repository at parent: "./x" and
 * "../x" start at parent. Refused (-VARVE_E_RESOLVE): what is no GRAMMAR_GIT_URL, and what is local
 * where the parent is not: a repository from elsewhere must not read this machine's. Caller frees.
 */
int git_url_submodule(const char *parent, const char *text, char **ret, struct varve_error *err);

#endif
