/* SPDX-License-Identifier: Apache-2.0
 * From what tries have shown to how commands run, and to the rows of varve doctor. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/sandbox_probe.h"
#include "tried_fixture.h"

typedef struct sandbox_tried (*start)(void);

static struct sandbox_tried tried_forbidden(void)
{
	return tried_confined(EPERM);
}

static struct sandbox_tried tried_container_root(void)
{
	struct sandbox_tried tried = tried_confined(EPERM);

	tried.uid = 0;
	tried.mounts = EPERM;
	tried.root_owners = tried.chroot = 0;
	return tried;
}

/* --- what is taken away --- */
static void nothing(struct sandbox_tried *t)
{
	(void)t;
}
static void newuidmap(struct sandbox_tried *t)
{
	t->newuidmap[0] = '\0';
	t->range_owners = SANDBOX_NOT_TRIED;
}
static void grant(struct sandbox_tried *t)
{
	t->range_owners = SANDBOX_NOT_TRIED;
	(void)snprintf(t->ranges_refused, sizeof(t->ranges_refused), "newuidmap: not allowed");
}
static void chown_to_range(struct sandbox_tried *t)
{
	t->range_owners = EPERM;
}
static void ids_of_root(struct sandbox_tried *t)
{
	t->root_owners = EINVAL;
}
static void mounts_of_root(struct sandbox_tried *t)
{
	t->mounts = EPERM;
}
static void bwrap(struct sandbox_tried *t)
{
	t->bwrap[0] = t->bwrap_version[0] = '\0';
	t->bwrap_runs = t->bwrap_new_enough = false;
}
static void new_bwrap(struct sandbox_tried *t)
{
	(void)snprintf(t->bwrap_version, sizeof(t->bwrap_version), "bubblewrap 0.4.1");
	t->bwrap_runs = t->bwrap_new_enough = false;
}
static void working_bwrap(struct sandbox_tried *t)
{
	(void)snprintf(t->bwrap_refused, sizeof(t->bwrap_refused), "bwrap: Can't mount proc");
	t->bwrap_runs = false;
}
static void overlay(struct sandbox_tried *t)
{
	(void)snprintf(t->overlay_refused, sizeof(t->overlay_refused), "mount: Invalid argument");
	t->overlay = false;
}
static void whiteouts(struct sandbox_tried *t)
{
	t->whiteouts = EPERM;
}
static void xattrs(struct sandbox_tried *t)
{
	t->xattrs = EOPNOTSUPP;
	t->overlay = false;
}
static void listener(struct sandbox_tried *t)
{
	t->listener = EBUSY;
}
static void permitted_listener(struct sandbox_tried *t)
{
	t->listener = EPERM;
}
static void known_listener(struct sandbox_tried *t)
{
	t->listener = EINVAL;
}
static void supervision(struct sandbox_tried *t)
{
	t->listener = SANDBOX_UNSUPERVISED;
}

static const struct decision {
	const char *what;
	start start;
	void (*less)(struct sandbox_tried *t);
	enum sandbox_isolation isolation;
	enum owner_mode mode;
	bool overlay, file_whiteouts, listener;
	const char *cause, *cure; /* parts of the text; NULL: there is none */
} decisions[] = {
	{"user", tried_well, nothing, SANDBOX_BWRAP, OWNER_SUBUID, true, false, true, NULL, NULL},
	{"root", tried_root, nothing, SANDBOX_BWRAP, OWNER_ROOT, true, false, true, NULL, NULL},
	{"one", tried_one, nothing, SANDBOX_BWRAP, OWNER_ONE, true, false, true, NULL, NULL},
	{"no newuidmap", tried_well, newuidmap, SANDBOX_BWRAP, OWNER_ONE, true, false, true, NULL,
	 NULL},
	{"no grant", tried_well, grant, SANDBOX_BWRAP, OWNER_ONE, true, false, true, NULL, NULL},
	{"store keeps no ids", tried_well, chown_to_range, SANDBOX_BWRAP, OWNER_ONE, true, false,
	 true, NULL, NULL},
	{"root of one id", tried_root, ids_of_root, SANDBOX_BWRAP, OWNER_ONE, true, false, true,
	 NULL, NULL},
	{"root, user namespaces only", tried_root, mounts_of_root, SANDBOX_BWRAP, OWNER_ONE, true,
	 false, true, NULL, NULL},
	{"no bwrap", tried_well, bwrap, SANDBOX_NONE, OWNER_ONE, false, false, true,
	 "not installed", "apt-get install bubblewrap"},
	{"no bwrap, root", tried_root, bwrap, SANDBOX_NONE, OWNER_ROOT, false, false, true,
	 "not installed", "apt-get install bubblewrap"},
	{"old bwrap", tried_well, new_bwrap, SANDBOX_NONE, OWNER_ONE, false, false, true, "too old",
	 "0.5.0"},
	{"bwrap fails", tried_well, working_bwrap, SANDBOX_NONE, OWNER_ONE, false, false, true,
	 "Can't mount proc", "without masks"},
	{"no overlay", tried_well, overlay, SANDBOX_BWRAP, OWNER_SUBUID, false, false, true, NULL,
	 NULL},
	{"no whiteouts", tried_well, whiteouts, SANDBOX_BWRAP, OWNER_SUBUID, false, true, true,
	 NULL, NULL},
	{"no xattrs", tried_well, xattrs, SANDBOX_NONE, OWNER_ONE, false, false, true,
	 "user xattrs", "--scratch"},
	{"no xattrs, root", tried_root, xattrs, SANDBOX_NONE, OWNER_ROOT, false, false, true,
	 "user xattrs", "--scratch"},
	{"no listener", tried_one, listener, SANDBOX_BWRAP, OWNER_ONE, true, false, false, NULL,
	 NULL},
	{"no supervision", tried_one, supervision, SANDBOX_BWRAP, OWNER_ONE, true, false, false,
	 NULL, NULL},
	{"forbidden", tried_forbidden, nothing, SANDBOX_NONE, OWNER_ONE, false, false, true,
	 "seccomp profile", "seccomp=unconfined"},
	{"container's root", tried_container_root, nothing, SANDBOX_NONE, OWNER_ROOT, false, false,
	 true, "seccomp profile", "seccomp=unconfined"},
	{"container's root, no whiteouts", tried_container_root, whiteouts, SANDBOX_NONE,
	 OWNER_ROOT, false, true, true, "seccomp profile", "seccomp=unconfined"},
};

static const char *differs(const struct decision *d, const struct sandbox_host *host)
{
	if (host->isolation != d->isolation)
		return "isolation";
	if (host->owners.mode != d->mode || !host->owners.links)
		return "owners";
	if (host->overlay != d->overlay)
		return "overlay";
	if (host->owners.file_whiteouts != d->file_whiteouts)
		return "whiteouts";
	if (host->listener != d->listener)
		return "listener";
	if ((host->isolation == SANDBOX_NONE) != (host->cause.code == -VARVE_E_HOST))
		return "code of the cause";
	if (d->cause && (!strstr(host->cause.text, d->cause) || !strstr(host->cause.text, d->cure)))
		return "cause";
	if ((host->isolation == SANDBOX_BWRAP) != str_equal(host->bwrap, "/usr/bin/bwrap"))
		return "bwrap";
	if ((host->isolation == SANDBOX_BWRAP && d->mode == OWNER_SUBUID) !=
	    (host->uids.first == 100000 && host->gids.first == 200000 && host->newuidmap &&
	     host->newgidmap))
		return "ranges";
	return NULL;
}

static void test_decide(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(decisions); i++) {
		CLEANUP(sandbox_host_release) struct sandbox_host host = {0};
		struct sandbox_tried tried = decisions[i].start();
		const char *wrong;

		decisions[i].less(&tried);
		sandbox_decide(&tried, &host);
		wrong = differs(&decisions[i], &host);
		if (wrong)
			fail_msg("%s: %s (%s)", decisions[i].what, wrong, host.cause.text);
	}
}

/* --- rows --- */

static const struct row_case {
	const char *what;
	start start;
	void (*less)(struct sandbox_tried *t);
	const char *row;
	enum sandbox_verdict verdict;
	const char *detail, *cure; /* parts; NULL: empty */
} row_cases[] = {
	{"user", tried_well, nothing, "user namespaces", SANDBOX_OK, "can be made", NULL},
	{"user", tried_well, nothing, "id ranges", SANDBOX_OK, "100000-165535, gids 200000-265535",
	 NULL},
	{"user", tried_well, nothing, "file owners", SANDBOX_OK, "exactly (subuid)", NULL},
	{"root", tried_root, nothing, "file owners", SANDBOX_OK, "exactly (root)", NULL},
	{"root", tried_root, nothing, "isolation chroot", SANDBOX_OK, "--isolation chroot", NULL},
	{"user", tried_well, nothing, "isolation chroot", SANDBOX_OK, "not needed", NULL},
	{"one", tried_one, nothing, "id ranges", SANDBOX_DEGRADED, "no range of 65535 ids for ada",
	 "usermod --add-subuids 265536-331071"},
	{"one", tried_one, nothing, "file owners", SANDBOX_DEGRADED, "supervisor (one)", "range"},
	{"no newuidmap", tried_well, newuidmap, "id ranges", SANDBOX_DEGRADED, "not installed",
	 "apt-get install uidmap"},
	{"no grant", tried_well, grant, "id ranges", SANDBOX_DEGRADED, "not allowed", "setuid bit"},
	{"no ids in store", tried_well, chown_to_range, "id ranges", SANDBOX_DEGRADED,
	 "cannot be given away", "--store"},
	{"root of one id", tried_root, ids_of_root, "id ranges", SANDBOX_DEGRADED, "root here",
	 "outside of this user namespace"},
	{"no listener", tried_one, listener, "file owners", SANDBOX_DEGRADED, "not kept",
	 "listener"},
	{"no listener", tried_one, listener, "seccomp listener", SANDBOX_DEGRADED, "another one",
	 "outside"},
	{"no listener", tried_one, permitted_listener, "seccomp listener", SANDBOX_DEGRADED,
	 "profile forbids", "seccomp=unconfined"},
	{"no listener", tried_one, known_listener, "seccomp listener", SANDBOX_DEGRADED,
	 "Linux 5.0", "seccomp=unconfined"},
	{"no supervision", tried_one, supervision, "seccomp listener", SANDBOX_DEGRADED,
	 "supervised command fails", "seccomp=unconfined"},
	{"no overlay", tried_well, overlay, "overlay", SANDBOX_DEGRADED, "Invalid argument",
	 "--store"},
	{"no whiteouts", tried_well, whiteouts, "overlay", SANDBOX_DEGRADED, "devices 0:0",
	 "--store"},
	{"no bwrap", tried_well, bwrap, "bubblewrap", SANDBOX_MISSING, "not installed",
	 "install bubblewrap"},
	{"old bwrap", tried_well, new_bwrap, "bubblewrap", SANDBOX_MISSING, "0.4.1", "0.5.0"},
	{"bwrap fails", tried_well, working_bwrap, "bubblewrap", SANDBOX_MISSING, "mount proc",
	 "without masks"},
	{"no xattrs", tried_well, xattrs, "store's file system", SANDBOX_MISSING, "no user xattrs",
	 "--store"},
	{"user", tried_well, nothing, "store's file system", SANDBOX_OK, "ext4", NULL},
	{"user", tried_well, nothing, "reflinks", SANDBOX_DEGRADED, "none", "xfs or btrfs"},
	{"forbidden", tried_forbidden, nothing, "user namespaces", SANDBOX_MISSING,
	 "seccomp profile", "seccomp=unconfined"},
	{"forbidden", tried_forbidden, nothing, "bubblewrap", SANDBOX_DEGRADED, "not tried", NULL},
	{"forbidden", tried_forbidden, nothing, "overlay", SANDBOX_DEGRADED, "not tried", NULL},
	{"forbidden", tried_forbidden, nothing, "isolation chroot", SANDBOX_DEGRADED,
	 "only root may", "as root"},
	{"container's root", tried_container_root, nothing, "isolation chroot", SANDBOX_OK,
	 "possible", NULL},
};

static bool has(const char *text, const char *part)
{
	return part ? strstr(text, part) != NULL : *text == '\0';
}

static void test_rows(void **state)
{
	size_t i, j, count;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row_cases); i++) {
		struct sandbox_finding findings[SANDBOX_FINDINGS];
		CLEANUP(sandbox_host_release) struct sandbox_host host = {0};
		const struct row_case *c = &row_cases[i];
		struct sandbox_tried tried = c->start();

		c->less(&tried);
		sandbox_decide(&tried, &host);
		count = sandbox_findings(&tried, &host, findings);
		for (j = 0; j < count && strcmp(findings[j].name, c->row) != 0; j++)
			;
		assert_true(j < count);
		if (findings[j].verdict != c->verdict || !has(findings[j].detail, c->detail) ||
		    !has(findings[j].cure, c->cure))
			fail_msg("%s: %s: %d %s (%s)", c->what, c->row, findings[j].verdict,
				 findings[j].detail, findings[j].cure);
	}
}

/* Rows that say "missing" and a host that runs commands exclude each other. */
static void test_rows_agree_with_decision(void **state)
{
	size_t i, j, count, missing;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(decisions); i++) {
		struct sandbox_finding findings[SANDBOX_FINDINGS];
		CLEANUP(sandbox_host_release) struct sandbox_host host = {0};
		struct sandbox_tried tried = decisions[i].start();

		decisions[i].less(&tried);
		sandbox_decide(&tried, &host);
		count = sandbox_findings(&tried, &host, findings);
		for (j = missing = 0; j < count; j++) {
			missing += findings[j].verdict == SANDBOX_MISSING;
			assert_true(*findings[j].detail);
			if (findings[j].verdict == SANDBOX_OK && *findings[j].cure)
				fail_msg("%s: %s is ok, and wants a cure", decisions[i].what,
					 findings[j].name);
			if (findings[j].verdict == SANDBOX_MISSING && !*findings[j].cost)
				fail_msg("%s: %s costs nothing", decisions[i].what,
					 findings[j].name);
		}
		if ((missing > 0) != (host.isolation == SANDBOX_NONE))
			fail_msg("%s: %zu rows are missing", decisions[i].what, missing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rows_agree_with_decision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
