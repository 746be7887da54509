/* SPDX-License-Identifier: Apache-2.0
 * The tries behind the rows of varve doctor. Each runs in a process of its own and fills one
 * finding, which lies in memory shared with the caller; what it does to that process is of no
 * account. */
#ifndef SANDBOX_SANDBOX_TRY_H
#define SANDBOX_SANDBOX_TRY_H

#include "sandbox/sandbox.h"

struct sandbox_try {
	const struct sandbox_host *host; /* NULL: sandbox_detect refuses */
	int store; /* directory descriptor */
	struct sandbox_finding *finding;
};

void sandbox_found(struct sandbox_finding *finding, enum sandbox_verdict verdict, const char *cure,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

void sandbox_try_namespaces(const struct sandbox_try *try);
void sandbox_try_ranges(const struct sandbox_try *try);
void sandbox_try_owners(const struct sandbox_try *try);
void sandbox_try_overlay(const struct sandbox_try *try);
void sandbox_try_bubblewrap(const struct sandbox_try *try);
void sandbox_try_listener(const struct sandbox_try *try);
void sandbox_try_file_system(const struct sandbox_try *try);
void sandbox_try_space(const struct sandbox_try *try);

/* Mounts an overlay in the store and looks at what changes leave in its upper directory. Called in
 * a spawned process with a struct sandbox_try; 1: the finding says what went wrong. */
int sandbox_try_overlay_inside(void *cookie);

#endif
