/* SPDX-License-Identifier: Apache-2.0
 * Tries of what the kernel and the programs let us do. */
#include "sandbox/sandbox_try.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/strv.h"
#include "sandbox/sandbox_cause.h"
#include "sandbox/sandbox_detect.h"

enum { ID_TABLE = 8 << 20, OUTPUT_LIMIT = 4096, DETAIL = 200, BWRAP_MAJOR = 0, BWRAP_MINOR = 5 };

void sandbox_try_namespaces(const struct sandbox_try *try)
{
	struct sandbox_settings settings;
	struct sandbox_cause cause;
	bool is_root = geteuid() == 0;
	int flags = is_root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;

	/* Under AppArmor's restriction only the mount fails. */
	if (unshare(flags) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		sandbox_found(try->finding, SANDBOX_OK, "",
			      is_root ? "not needed: varve runs as root" : "can be made");
		return;
	}
	sandbox_settings_read(&settings);
	cause = sandbox_cause_find(&settings, errno, is_root);
	sandbox_found(try->finding, SANDBOX_MISSING, cause.cure, "%s", cause.why);
}

static bool find_range(const char *path, const char *name, struct sandbox_range *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	*ret = (struct sandbox_range){0, 0};
	return fd_read_file(AT_FDCWD, path, ID_TABLE, &text, NULL) == 0 &&
	       sandbox_subid_find(buf_text(&text), name, geteuid(), ret) &&
	       ret->count >= SANDBOX_IDS;
}

void sandbox_try_ranges(const struct sandbox_try *try)
{
	CLEANUP(free_ptr) char *name = sandbox_user_name();
	CLEANUP(free_ptr) char *cure = sandbox_subid_cure(name);
	struct sandbox_range uids, gids;

	if (geteuid() == 0) {
		sandbox_found(try->finding, try->host ? SANDBOX_OK : SANDBOX_MISSING, "",
			      try->host ? "not needed: varve runs as root"
					: "root of a user namespace with too few ids, or no bwrap");
		return;
	}
	if (!find_range("/etc/subuid", name, &uids) || !find_range("/etc/subgid", name, &gids)) {
		sandbox_found(
			try->finding, SANDBOX_MISSING, cure,
			"no range of %d ids for %s in /etc/subuid and /etc/subgid; this version "
			"of varve cannot run steps with one id only",
			SANDBOX_IDS, name);
		return;
	}
	sandbox_found(try->finding, SANDBOX_OK, "", "uids %u-%u, gids %u-%u", uids.first,
		      uids.first + (uids.count - 1), gids.first, gids.first + (gids.count - 1));
}

void sandbox_try_listener(const struct sandbox_try *try)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = -ENOMEM;

	/* A call that nobody makes here: the listener has no answer ready. */
	if (filter)
		r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(swapoff), 0);
	if (r == 0)
		r = seccomp_load(filter);
	if (r == 0)
		sandbox_found(try->finding, SANDBOX_OK, "", "can be installed");
	else
		sandbox_found(try->finding, SANDBOX_DEGRADED, "",
			      "%s (%s); nothing in this version needs one",
			      r == -EBUSY ? "another one is installed" : "refused", strerror(-r));
}

static bool is_new_enough(const char *bwrap, char version[OUTPUT_LIMIT])
{
	const char *const argv[] = {bwrap, "--version", NULL};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	char *end;
	long major, minor = 0;

	if (process_capture(argv, OUTPUT_LIMIT - 1, &out, NULL) < 0)
		return false;
	(void)snprintf(version, OUTPUT_LIMIT, "%s", buf_text(&out));
	version[strcspn(version, "\n")] = '\0';
	version += strcspn(version, "0123456789");
	major = strtol(version, &end, 10);
	if (*end == '.')
		minor = strtol(end + 1, NULL, 10);
	return major > BWRAP_MAJOR || minor >= BWRAP_MINOR;
}

/* Runs in the namespace: a command in a sandbox around the host's own root directory. */
static int run_nothing(void *cookie)
{
	const struct sandbox_try *try = cookie;
	char text[OUTPUT_LIMIT];
	struct varve_error err = {0};
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(fd_close) int output = memfd_create("output", MFD_CLOEXEC);
	struct sandbox_spec spec = {.root = "/", .argv = &argv};
	int status = 0, r;
	ssize_t len;

	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, "exit 7");
	r = sandbox_run(try->host, &spec, -1, output, output, &status, &err);
	if (r == 0 && status == 7)
		return 0;
	len = pread(output, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	sandbox_found(try->finding, SANDBOX_MISSING,
		      "in a container: --security-opt seccomp=unconfined, and no masks on /proc",
		      "%.*s", DETAIL, *text ? text : err.text);
	return 1;
}

/* fn fills the finding when it returns 1; a namespace that fails says so itself. */
static bool try_inside(const struct sandbox_try *try, int (*fn)(void *cookie))
{
	char text[OUTPUT_LIMIT];
	CLEANUP(fd_close) int said = memfd_create("setup", MFD_CLOEXEC);
	struct sandbox_try copy = *try;
	struct varve_error err = {0};
	ssize_t len;
	pid_t pid;

	if (sandbox_spawn(try->host, fn, &copy, said, &pid, &err) < 0) {
		sandbox_found(try->finding, SANDBOX_MISSING, "", "%.*s", DETAIL, err.text);
		return false;
	}
	if (process_wait(pid) == 0)
		return true;
	len = pread(said, text, sizeof(text) - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (*text)
		sandbox_found(try->finding, SANDBOX_MISSING, "", "%.*s", DETAIL, text);
	return false;
}

static bool is_tried(const struct sandbox_try *try)
{
	if (try->host)
		return true;
	sandbox_found(try->finding, SANDBOX_DEGRADED, "", "not tried: the rows above come first");
	return false;
}

void sandbox_try_bubblewrap(const struct sandbox_try *try)
{
	CLEANUP(free_ptr) char *bwrap = process_find("bwrap");
	char version[OUTPUT_LIMIT] = "";

	if (!bwrap) {
		sandbox_found(try->finding, SANDBOX_MISSING, "sudo apt-get install bubblewrap",
			      "bwrap is not installed");
		return;
	}
	if (!is_new_enough(bwrap, version)) {
		sandbox_found(try->finding, SANDBOX_MISSING, "bubblewrap 0.5.0 or later",
			      "%s is too old: '%.*s'", bwrap, DETAIL / 2, version);
		return;
	}
	if (is_tried(try) && try_inside(try, run_nothing))
		sandbox_found(try->finding, SANDBOX_OK, "", "%.*s, runs a command", DETAIL,
			      version);
}

/* Runs in the namespace. */
static int give_away(void *cookie)
{
	const struct sandbox_try *try = cookie;
	CLEANUP(fd_close) int fd = openat(try->store, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* Not every file system knows O_TMPFILE; a file in memory shows the map of ids as well. */
	if (fd < 0)
		fd = memfd_create("owner", MFD_CLOEXEC);
	if (fchown(fd, SANDBOX_IDS - 1, SANDBOX_IDS - 1) == 0)
		return 0;
	sandbox_found(try->finding, SANDBOX_MISSING,
		      "put the store on a local file system (--store or VARVE_STORE)",
		      "chown to %d in the store: %s", SANDBOX_IDS - 1, strerror(errno));
	return 1;
}

void sandbox_try_owners(const struct sandbox_try *try)
{
	CLEANUP(free_ptr) char *newuidmap = process_find("newuidmap");
	CLEANUP(free_ptr) char *newgidmap = process_find("newgidmap");

	if (geteuid() != 0 && (!newuidmap || !newgidmap)) {
		sandbox_found(try->finding, SANDBOX_MISSING, "sudo apt-get install uidmap",
			      "newuidmap and newgidmap are not installed");
		return;
	}
	if (is_tried(try) && try_inside(try, give_away))
		sandbox_found(try->finding, SANDBOX_OK, "", "kept exactly (%s)",
			      owner_mode_name(try->host->owners.mode));
}

void sandbox_try_overlay(const struct sandbox_try *try)
{
	if (is_tried(try) && try_inside(try, sandbox_try_overlay_inside))
		sandbox_found(try->finding, SANDBOX_OK, "",
			      "mounts in the store; whiteouts and opaque directories appear");
}
