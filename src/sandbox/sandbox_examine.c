/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/process.h"
#include "sandbox/sandbox_try.h"

static const struct row {
	const char *name;
	void (*try)(const struct sandbox_try *try);
} rows[] = {
	{"user namespaces", sandbox_try_namespaces},
	{"id ranges", sandbox_try_ranges},
	{"file owners", sandbox_try_owners},
	{"overlay", sandbox_try_overlay},
	{"bubblewrap", sandbox_try_bubblewrap},
	{"seccomp listener", sandbox_try_listener},
	{"store's file system", sandbox_try_file_system},
	{"free space", sandbox_try_space},
};

void sandbox_found(struct sandbox_finding *finding, enum sandbox_verdict verdict, const char *cure,
		   const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	(void)snprintf(finding->cure, sizeof(finding->cure), "%.*s", (int)sizeof(finding->cure) - 1,
		       cure);
	va_start(args, format);
	(void)vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
}

/* A try may kill its process, or stay in a namespace: a process of its own it is. */
static void try_row(const struct row *row, const struct sandbox_try *try)
{
	pid_t parent = getpid(), pid;

	(void)snprintf(try->finding->name, sizeof(try->finding->name), "%s", row->name);
	sandbox_found(try->finding, SANDBOX_MISSING, "", "the try ended early");
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			row->try(try);
		_exit(0);
	}
	if (pid > 0)
		(void)process_wait(pid);
}

size_t sandbox_examine(int store_dirfd, struct sandbox_finding findings[SANDBOX_FINDINGS])
{
	const size_t size = SANDBOX_FINDINGS * sizeof(*findings);
	struct sandbox_host host = {0};
	struct sandbox_finding *shared;
	struct sandbox_try try = {NULL, store_dirfd, NULL};
	size_t i;

	_Static_assert(ARRAY_SIZE(rows) <= SANDBOX_FINDINGS, "rows fit");
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 0;
	if (sandbox_detect(&host, NULL) == 0)
		try.host = &host;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		try.finding = &shared[i];
		try_row(&rows[i], &try);
	}
	memcpy(findings, shared, size);
	(void)munmap(shared, size);
	sandbox_host_release(&host);
	return ARRAY_SIZE(rows);
}
