/* SPDX-License-Identifier: Apache-2.0
 * A commit's tree as artifacts: the bytes of `git archive`, so modes, links, export-ignore and
 * export-subst are git's own doing, and nothing of the repository or of whoever fetched it is in
 * them. One archive for the repository, one for each submodule, outer ones first. */
#ifndef SOURCE_GIT_EXPORT_H
#define SOURCE_GIT_EXPORT_H

#include "source/git_repository.h"
#include "source/source.h"

/* Adds the artifacts to ret, whose spec says subdirectory, exclude and submodules, and puts the
 * archives into the store. A submodule's artifact has {"path":...}, where it goes, among its
 * further members; ret->facts gets {"submodules":{path:commit}} where there are any. */
int git_export(const struct source_context *context, const struct git_repository *repository,
	       struct lock_source *ret, struct varve_error *err);

#endif
