/* SPDX-License-Identifier: Apache-2.0 */
#include "base/capacity.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

#define CGROUPS "/sys/fs/cgroup"
enum { CAPACITY_TEXT = 64 << 10 };

unsigned capacity_cores(void)
{
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return online > 0 ? (unsigned)online : 1;
}

uint64_t capacity_meminfo(const char *text)
{
	static const char name[] = "MemAvailable:";
	const char *at = strstr(text, name);

	return at ? strtoull(at + sizeof(name) - 1, NULL, 10) * 1024 : 0;
}

/* A file of one number. false: there is none, or it says "max". */
static bool read_number(const char *directory, const char *name, uint64_t *ret)
{
	CLEANUP(free_ptr) char *path = path_join(directory, name);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	unsigned long long value;

	if (fd_read_file(AT_FDCWD, path, CAPACITY_TEXT, &text, NULL) < 0)
		return false;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (!str_to_u64(buf_text(&text), UINT64_MAX, &value))
		return false;
	*ret = value;
	return true;
}

/* What groups from this one up to the root leave. */
static uint64_t left_in_groups(const char *group, uint64_t left)
{
	CLEANUP(free_ptr) char *path = xasprintf(CGROUPS "%s", group);

	while (strlen(path) > strlen(CGROUPS)) {
		uint64_t limit, used;

		if (read_number(path, "memory.max", &limit) &&
		    read_number(path, "memory.current", &used)) {
			uint64_t room = limit > used ? limit - used : 0;

			left = room < left ? room : left;
		}
		*strrchr(path, '/') = '\0';
	}
	return left;
}

uint64_t capacity_memory(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf groups = BUF_INIT;
	const char *group;
	uint64_t left;

	if (fd_read_file(AT_FDCWD, "/proc/meminfo", CAPACITY_TEXT, &text, NULL) < 0)
		return 0;
	left = capacity_meminfo(buf_text(&text));
	if (left == 0 ||
	    fd_read_file(AT_FDCWD, "/proc/self/cgroup", CAPACITY_TEXT, &groups, NULL) < 0)
		return left;
	group = strstr(buf_text(&groups), "0::/");
	if (group) {
		CLEANUP(free_ptr) char *name = xstrndup(group + 3, strcspn(group + 3, "\n"));

		left = left_in_groups(name, left);
	}
	return left;
}

int64_t capacity_jobs(unsigned cores, uint64_t memory, uint64_t per_job)
{
	uint64_t fit = memory > 0 && per_job > 0 ? memory / per_job : cores;

	if (fit > cores)
		fit = cores;
	return fit > 0 ? (int64_t)fit : 1;
}
