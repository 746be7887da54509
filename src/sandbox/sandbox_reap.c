/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_chroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"

enum { STAT_TEXT = 512, PAUSE_NS = 2000000 };

/* The parent in /proc/PID/stat: PID (NAME) STATE PARENT ...; NAME may hold anything. */
static pid_t parent_of(int proc, const char *pid)
{
	char path[64], text[STAT_TEXT + 1];
	CLEANUP(fd_close) int fd = -1;
	const char *end;
	ssize_t len;

	(void)snprintf(path, sizeof(path), "%.20s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : fd_read_full(fd, text, STAT_TEXT);
	if (len <= 0)
		return -1;
	text[len] = '\0';
	end = strrchr(text, ')');
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : -1;
}

static int kill_children(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t self = getpid();

	if (!proc)
		return -errno;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    parent_of(dirfd(proc), entry->d_name) == self)
			(void)kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	(void)closedir(proc);
	return 0;
}

/* Children of the killed become ours: again, until there is none. */
int sandbox_reap_all(void)
{
	int r = 0;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno != EINTR)
			return 0;
		if (pid != 0)
			continue;
		r = kill_children();
		if (r < 0)
			return r;
		(void)nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
	}
}
