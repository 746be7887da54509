/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_probe.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/process.h"
#include "sandbox/sandbox_detect.h"
#include "sandbox/sandbox_try.h"

enum { TRY_SECONDS = 30 };

typedef void (*try_fn)(const struct sandbox_try *try);

/* A try may kill its process, stay in a namespace, or wait for ever for a program that does. */
static void in_child(try_fn fn, const struct sandbox_try *try)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		(void)signal(SIGALRM, SIG_DFL);
		(void)alarm(TRY_SECONDS);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			fn(try);
		_exit(0);
	}
	if (pid > 0)
		(void)process_wait(pid);
}

/* In the namespaces. */
static void look_around(const struct sandbox_try *try)
{
	sandbox_try_bwrap(try);
	/* Leaves the working directory. */
	sandbox_try_overlay(try);
}

static int look_around_inside(void *cookie)
{
	look_around(cookie);
	return 0;
}

/* Whether newuidmap gives the ids is seen by using them. */
static int look_around_in_ranges(void *cookie)
{
	const struct sandbox_try *try = cookie;

	try->tried->range_owners = sandbox_try_chown(try->store);
	if (try->tried->range_owners == 0)
		look_around(try);
	return 0;
}

/* Spawns, and keeps the line with which the namespace could not be made. */
static void spawn(const struct sandbox_try *try, int (*fn)(void *cookie), char *refused)
{
	CLEANUP(fd_close) int said = memfd_create("setup", MFD_CLOEXEC);
	struct sandbox_try copy = *try;
	struct varve_error err = {0};
	ssize_t len;
	pid_t pid;

	if (sandbox_spawn(try->host, fn, &copy, said, &pid, &err) < 0) {
		(void)snprintf(refused, SANDBOX_WORDS, "%.*s", SANDBOX_WORDS - 1, err.text);
		return;
	}
	if (process_wait(pid) == 0)
		return;
	len = pread(said, refused, SANDBOX_WORDS - 1, 0);
	refused[len < 0 ? 0 : len] = '\0';
	refused[strcspn(refused, "\n")] = '\0';
}

static void try_inside(const struct sandbox_try *try)
{
	spawn(try, look_around_inside, try->tried->bwrap_refused);
}

static void try_ranges(const struct sandbox_try *try)
{
	spawn(try, look_around_in_ranges, try->tried->ranges_refused);
}

static bool has_ranges(const struct sandbox_tried *tried)
{
	return *tried->newuidmap && *tried->newgidmap && tried->uids.count >= SANDBOX_IDS &&
	       tried->gids.count >= SANDBOX_IDS;
}

static bool is_root(const struct sandbox_tried *tried)
{
	return tried->mounts == 0 && tried->root_owners == 0;
}

/* From the best kind of namespace downwards. */
static void try_kinds(struct sandbox_try *try)
{
	struct sandbox_tried *tried = try->tried;
	struct sandbox_host host = {.uid = tried->uid,
				    .gid = tried->gid,
				    .uids = tried->uids,
				    .gids = tried->gids,
				    .bwrap = tried->bwrap,
				    .newuidmap = tried->newuidmap,
				    .newgidmap = tried->newgidmap,
				    .overlay = true};

	try->host = &host;
	host.owners = (struct owners){.mode = OWNER_SUBUID, .links = owner_links_new()};
	if (has_ranges(tried) && !is_root(tried))
		in_child(try_ranges, try);
	if (sandbox_choose(tried, &host.owners.mode) && host.owners.mode != OWNER_SUBUID)
		in_child(try_inside, try);
	try->host = NULL;
	owner_links_free(host.owners.links);
}

static void try_all(struct sandbox_try *try)
{
	struct sandbox_tried *tried = try->tried;

	sandbox_settings_read(&tried->settings);
	sandbox_try_programs(tried);
	sandbox_try_tables(tried);
	sandbox_try_files(try);
	in_child(sandbox_try_namespaces, try);
	in_child(sandbox_try_listener, try);
	if (tried->uid == 0) {
		tried->root_owners = sandbox_try_chown(try->store);
		in_child(sandbox_try_mounts, try);
		in_child(sandbox_try_chroot, try);
	}
	try_kinds(try);
}

void sandbox_probe(int store_dirfd, struct sandbox_tried *ret)
{
	struct sandbox_try try = {.store = store_dirfd};

	sandbox_tried_init(ret);
	try.tried = mmap(NULL, sizeof(*try.tried), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (try.tried == MAP_FAILED)
		return;
	sandbox_tried_init(try.tried);
	try_all(&try);
	*ret = *try.tried;
	(void)munmap(try.tried, sizeof(*try.tried));
}
