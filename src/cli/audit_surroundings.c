/* SPDX-License-Identifier: Apache-2.0
 * What a build must not depend on, changed. */
#include "cli/audit_rebuild.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { MEMORY_SHARE = 4, VARIED_UMASK = 0077 };

void audit_surroundings_release(struct audit_surroundings *s)
{
	strv_release(&s->environment);
	strv_release(&s->words);
}

void audit_surroundings_plain(const struct audited *audited, struct audit_surroundings *ret)
{
	*ret = (struct audit_surroundings){.reversed = false};
	if (audited->epoch)
		strv_add(&ret->environment, audited->epoch);
	strv_add(&ret->words, "as this account, here");
}

/* A namespace with one id: another user, another way to keep owners. */
static void vary_ids(const struct remote *remote, struct audit_surroundings *s)
{
	const struct sandbox_host *host = &remote->session.host;

	if (host->isolation != SANDBOX_BWRAP || !host->listener) {
		strv_add(&s->words, "the same user: this host can keep owners in one way only");
		return;
	}
	s->conditions.one_id = true;
	strv_add(&s->words, host->owners.mode == OWNER_ONE
				    ? "root of a user namespace, one id as before"
				    : "root of a user namespace with one id");
}

static uint64_t memory_available(void)
{
	CLEANUP(free_ptr) char *line = NULL;
	size_t alloc = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;

	while (file && getline(&line, &alloc, file) > 0) {
		if (!str_starts(line, "MemAvailable:"))
			continue;
		kib = strtoull(line + strlen("MemAvailable:"), NULL, 10);
		break;
	}
	if (file)
		(void)fclose(file);
	return kib << 10;
}

/* Another file system lists directories in another order. Its mount needs the namespace. */
static void vary_file_system(uint64_t need, struct audit_surroundings *s)
{
	bool fits = need < memory_available() / MEMORY_SHARE;

	if (s->conditions.one_id && fits) {
		s->conditions.memory = ""; /* where: audit_rebuild knows */
		strv_add(&s->words, "store in memory: directories list in another order");
	} else {
		strv_add(&s->words,
			 fits ? "the same file system: no namespace to mount another in"
			      : "the same file system: another one in memory is too small");
	}
}

static void vary_cores(struct audit_surroundings *s)
{
	cpu_set_t set;

	s->conditions.one_core = true;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1)
		strv_add(&s->words, "1 core");
	else
		strv_add(&s->words, "1 core as before: this host has no more");
}

/* The clock cannot be another one without being the host's: two builds happen at two times. */
void audit_surroundings_varied(const struct remote *remote, const struct audited *audited,
			       uint64_t need, struct audit_surroundings *ret)
{
	*ret = (struct audit_surroundings){.reversed = true};
	if (audited->epoch)
		strv_add(&ret->environment, audited->epoch);
	strv_add(&ret->environment, "TZ=Pacific/Kiritimati");
	strv_add(&ret->environment, "LANG=tr_TR.UTF-8");
	strv_add(&ret->environment, "LC_ALL=tr_TR.UTF-8");
	strv_add(&ret->environment, "USER=somebody");
	strv_add(&ret->environment, "COLUMNS=40");
	ret->conditions.set_umask = true;
	ret->conditions.umask = VARIED_UMASK;
	vary_ids(remote, ret);
	vary_file_system(need, ret);
	vary_cores(ret);
	strv_add(&ret->words, "umask 0077");
	strv_add(&ret->words, "TZ=Pacific/Kiritimati");
	strv_add(&ret->words, "LC_ALL=tr_TR.UTF-8");
	strv_add(&ret->words, "another directory, whose files were made in reverse order");
	strv_add(&ret->words, "a later time of the same clock");
}
