/* SPDX-License-Identifier: Apache-2.0
 * Finding out what a host can do:
 *
 *	sandbox_probe (forks, tries each thing for real) -> struct sandbox_tried (kept, as JSON)
 *		-> sandbox_decide   -> struct sandbox_host (how commands run)
 *		-> sandbox_findings -> rows of varve doctor */
#ifndef SANDBOX_SANDBOX_PROBE_H
#define SANDBOX_SANDBOX_PROBE_H

#include "sandbox/sandbox.h"

struct sandbox_tried;

/* Tries everything, on the file system of the directory store_dirfd, in children that end before
 * it returns; about 0.1 s. Nothing stays behind. What could not be tried says so. */
void sandbox_probe(int store_dirfd, struct sandbox_tried *ret);

/* The kind of namespaces that commands would get: real root's, else with ranges of ids, else with
 * one id. false: none can be made. Pure. */
bool sandbox_choose(const struct sandbox_tried *tried, enum owner_mode *ret);
/* How commands run here. Pure; the caller releases *ret. Without namespaces, bubblewrap or user
 * xattrs: SANDBOX_NONE with its cause. */
void sandbox_decide(const struct sandbox_tried *tried, struct sandbox_host *ret);

/* One row of varve doctor. */
enum sandbox_verdict {
	SANDBOX_OK,
	SANDBOX_DEGRADED, /* varve does without it, at a cost */
	SANDBOX_MISSING, /* commands cannot run for want of it */
};
struct sandbox_finding {
	char name[32]; /* "user namespaces", "overlay", ... */
	enum sandbox_verdict verdict;
	char detail[640]; /* what was found, or what is missing */
	char cost[160]; /* what that means for builds; "" when ok */
	char cure[256]; /* command or setting; "" when there is none, or no need */
};
enum { SANDBOX_FINDINGS = 16 };
/* Pure. Returns the number of rows. */
size_t sandbox_findings(const struct sandbox_tried *tried, const struct sandbox_host *host,
			struct sandbox_finding findings[SANDBOX_FINDINGS]);
/* The row that changes from hour to hour. */
void sandbox_find_space(int store_dirfd, struct sandbox_finding *ret);
void sandbox_found(struct sandbox_finding *finding, enum sandbox_verdict verdict,
		   const char *format, ...) __attribute__((format(printf, 3, 4)));
void sandbox_found_cost(struct sandbox_finding *finding, const char *cost, const char *cure);

#endif
