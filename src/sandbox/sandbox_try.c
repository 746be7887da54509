/* SPDX-License-Identifier: Apache-2.0
 * Tries of what the kernel and the programs let us do. */
#include "sandbox/sandbox_try.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/strv.h"
#include "sandbox/sandbox_detect.h"

enum { ID_TABLE = 8 << 20, OUTPUT_LIMIT = 4096, BWRAP_MAJOR = 0, BWRAP_MINOR = 5, MAP = 32 };

static int make_mounts_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? errno : 0;
}

void sandbox_try_mounts(const struct sandbox_try *try)
{
	try->tried->mounts = unshare(CLONE_NEWNS) < 0 ? errno : make_mounts_private();
}

static int write_map(const char *path, const char *text)
{
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return -fd_write_all(fd, text, strlen(text));
}

/* What sandbox_spawn does for one id, for its errno. */
static int enter(uint32_t uid, uint32_t gid)
{
	char uids[MAP], gids[MAP];
	int error;

	(void)snprintf(uids, sizeof(uids), "0 %u 1", uid);
	(void)snprintf(gids, sizeof(gids), "0 %u 1", gid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return errno;
	error = write_map("/proc/self/setgroups", "deny");
	if (error == 0 || error == ENOENT)
		error = write_map("/proc/self/uid_map", uids);
	if (error == 0)
		error = write_map("/proc/self/gid_map", gids);
	/* Under AppArmor's restriction only what needs privilege fails. */
	return error ? error : make_mounts_private();
}

void sandbox_try_namespaces(const struct sandbox_try *try)
{
	try->tried->namespaces = enter(try->tried->uid, try->tried->gid);
}

/* A filter that allows everything; only its listener matters, which another one's forbids. */
void sandbox_try_listener(const struct sandbox_try *try)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};
	long r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		try->tried->listener = errno;
		return;
	}
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		    &program);
	try->tried->listener = r < 0 ? errno : 0;
}

void sandbox_try_chroot(const struct sandbox_try *try)
{
	try->tried->chroot = chroot("/") < 0 ? errno : 0;
}

/* --- programs and tables -----------------------------------------------------------------------
 */

static void find_program(const char *name, char ret[SANDBOX_PROGRAM])
{
	CLEANUP(free_ptr) char *path = process_find(name);

	if (path && strlen(path) < SANDBOX_PROGRAM)
		memcpy(ret, path, strlen(path) + 1);
}

static bool is_new_enough(const char *version)
{
	const char *at = version + strcspn(version, "0123456789");
	char *end;
	long major = strtol(at, &end, 10), minor = 0;

	if (*end == '.')
		minor = strtol(end + 1, NULL, 10);
	return major > BWRAP_MAJOR || minor >= BWRAP_MINOR;
}

static void ask_version(const struct sandbox_try *try)
{
	struct sandbox_tried *tried = try->tried;
	const char *const argv[] = {tried->bwrap, "--version", NULL};
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	if (process_capture(argv, OUTPUT_LIMIT, &out, NULL) < 0)
		return;
	(void)snprintf(tried->bwrap_version, SANDBOX_NAME, "%.*s",
		       (int)strcspn(buf_text(&out), "\n"), buf_text(&out));
	tried->bwrap_new_enough = is_new_enough(tried->bwrap_version);
}

void sandbox_try_programs(struct sandbox_tried *tried)
{
	find_program("bwrap", tried->bwrap);
	find_program("newuidmap", tried->newuidmap);
	find_program("newgidmap", tried->newgidmap);
}

static void find_range(const char *path, struct sandbox_tried *tried, struct sandbox_range *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	uint32_t end;

	if (fd_read_file(AT_FDCWD, path, ID_TABLE, &text, NULL) < 0)
		buf_reset(&text);
	(void)sandbox_subid_find(buf_text(&text), tried->user, tried->uid, ret);
	end = sandbox_subid_free(buf_text(&text));
	if (end > tried->free_ids)
		tried->free_ids = end;
}

void sandbox_try_tables(struct sandbox_tried *tried)
{
	CLEANUP(free_ptr) char *name = sandbox_user_name();

	tried->uid = geteuid();
	tried->gid = getegid();
	(void)snprintf(tried->user, sizeof(tried->user), "%.*s", SANDBOX_NAME - 1, name);
	find_range("/etc/subuid", tried, &tried->uids);
	find_range("/etc/subgid", tried, &tried->gids);
}

/* --- bubblewrap --------------------------------------------------------------------------------
 */

/* Runs the command; false with what was said instead. */
static bool runs(const struct sandbox_host *host, char said[SANDBOX_WORDS])
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(fd_close) int output = memfd_create("output", MFD_CLOEXEC);
	struct sandbox_spec spec = {.root = "/", .argv = &argv};
	struct varve_error err = {0};
	int status = 0, r;
	ssize_t len;

	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, "exit 7");
	r = sandbox_run(host, &spec, -1, output, output, &status, &err);
	if (r == 0 && status == 7)
		return true;
	len = pread(output, said, SANDBOX_WORDS - 1, 0);
	said[len < 0 ? 0 : len] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (*said == '\0')
		(void)snprintf(said, SANDBOX_WORDS, "%.*s", SANDBOX_WORDS - 1,
			       *err.text ? err.text : "it ran no command");
	return false;
}

void sandbox_try_bwrap(const struct sandbox_try *try)
{
	struct sandbox_tried *tried = try->tried;
	struct sandbox_host host = *try->host;
	char unused[SANDBOX_WORDS];

	if (*tried->bwrap == '\0')
		return;
	ask_version(try);
	if (!tried->bwrap_new_enough)
		return;
	host.listener = false;
	tried->bwrap_runs = runs(&host, tried->bwrap_refused);
	host.listener = true;
	if (tried->bwrap_runs && tried->listener == 0 && !runs(&host, unused))
		tried->listener = SANDBOX_UNSUPERVISED;
}
