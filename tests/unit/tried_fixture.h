/* SPDX-License-Identifier: Apache-2.0
 * What tries have shown on a host where all is well, for tests that take something away. */
#ifndef TESTS_TRIED_FIXTURE_H
#define TESTS_TRIED_FIXTURE_H

#include <stdio.h>
#include "sandbox/sandbox_tried.h"

/* An ordinary user with ranges. */
static inline struct sandbox_tried tried_well(void)
{
	return (struct sandbox_tried){
		.uid = 1000,
		.gid = 1000,
		.user = "ada",
		.settings = {15000, -1, -1, 0, false, 0},
		.mounts = SANDBOX_NOT_TRIED,
		.root_owners = SANDBOX_NOT_TRIED,
		.chroot = SANDBOX_NOT_TRIED,
		.newuidmap = "/usr/bin/newuidmap",
		.newgidmap = "/usr/bin/newgidmap",
		.uids = {100000, 65536},
		.gids = {200000, 65536},
		.free_ids = 265536,
		.overlay = true,
		.bwrap_new_enough = true,
		.bwrap_runs = true,
		.bwrap = "/usr/bin/bwrap",
		.bwrap_version = "bubblewrap 0.8.0",
		.fs_type = 0xef53,
	};
}

static inline struct sandbox_tried tried_root(void)
{
	struct sandbox_tried tried = tried_well();

	tried.uid = tried.gid = 0;
	(void)snprintf(tried.user, sizeof(tried.user), "root");
	tried.mounts = tried.root_owners = tried.chroot = 0;
	tried.uids = tried.gids = (struct sandbox_range){0, 0};
	tried.range_owners = SANDBOX_NOT_TRIED;
	return tried;
}

/* No ranges. */
static inline struct sandbox_tried tried_one(void)
{
	struct sandbox_tried tried = tried_well();

	tried.uids = tried.gids = (struct sandbox_range){0, 0};
	tried.range_owners = SANDBOX_NOT_TRIED;
	return tried;
}

/* A container: no namespaces, so nothing in them was tried. */
static inline struct sandbox_tried tried_confined(int error)
{
	struct sandbox_tried tried = tried_one();

	tried.namespaces = error;
	tried.settings.seccomp = 2;
	tried.overlay = tried.bwrap_runs = tried.bwrap_new_enough = false;
	tried.bwrap_version[0] = '\0';
	return tried;
}

#endif
