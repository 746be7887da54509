/* SPDX-License-Identifier: Apache-2.0
 * Looking at processes. */
#include "build/compile.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

enum { SAMPLE_INTERVAL = 1000 /* ms */, SAMPLE_TEXT = 1024, SAMPLE_FILE = 64 << 10 };

struct process {
	pid_t pid, parent;
	uint64_t memory;
	bool ours;
};

struct processes {
	struct process *items;
	size_t count, alloc;
};

static size_t read_text(const char *path, char *text, size_t room)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, room - 1);

	text[len < 0 ? 0 : len] = '\0';
	return len < 0 ? 0 : (size_t)len;
}

/* "PID (NAME) STATE PPID ...", where NAME may hold anything; field 24 is the resident set. */
static bool parse_stat(const char *text, struct process *ret)
{
	const char *at = strrchr(text, ')');
	int parent;
	long pages;

	if (!at || sscanf(at + 1,
			  " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %*u %*u %ld",
			  &parent, &pages) != 2)
		return false;
	ret->parent = parent;
	ret->memory = pages < 0 ? 0 : (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static void list(struct processes *ret)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char path[300], text[SAMPLE_TEXT], *end;
		struct process one = {.pid = (pid_t)strtol(entry->d_name, &end, 10)};

		if (one.pid <= 0 || *end)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (read_text(path, text, sizeof(text)) == 0 || !parse_stat(text, &one))
			continue;
		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		ret->items[ret->count++] = one;
	}
	if (proc)
		closedir(proc);
}

static bool is_ours(const struct processes *all, pid_t parent, pid_t top)
{
	size_t i;

	for (i = 0; i < all->count; i++)
		if (all->items[i].pid == parent)
			return all->items[i].ours;
	return parent == top;
}

/* Children of children, until a round finds no more. */
static void mark(struct processes *all, pid_t top)
{
	bool more = true;
	size_t i;

	while (more) {
		more = false;
		for (i = 0; i < all->count; i++) {
			struct process *one = &all->items[i];

			if (one->ours || (one->pid != top && !is_ours(all, one->parent, top)))
				continue;
			one->ours = true;
			more = true;
		}
	}
}

bool compile_sample(struct compile *compile, pid_t pid)
{
	struct processes all = {0};
	int64_t now = clock_ms();
	size_t i;

	if (now - compile->sampled < SAMPLE_INTERVAL)
		return false;
	compile->sampled = now;
	list(&all);
	mark(&all, pid);
	compile->memory = 0;
	for (i = 0; i < all.count; i++) {
		if (!all.items[i].ours)
			continue;
		compile->memory += all.items[i].memory;
		if (all.items[i].memory > compile->largest)
			compile->largest = all.items[i].memory;
	}
	if (compile->memory > compile->peak)
		compile->peak = compile->memory;
	free(all.items);
	return true;
}

uint64_t compile_kills(void)
{
	CLEANUP(free_ptr) char *text = xcalloc(1, SAMPLE_FILE);
	const char *at;

	if (read_text("/proc/vmstat", text, SAMPLE_FILE) == 0)
		return 0;
	at = strstr(text, "\noom_kill ");
	return at ? strtoull(at + strlen("\noom_kill "), NULL, 10) : 0;
}
