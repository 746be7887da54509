/* SPDX-License-Identifier: Apache-2.0
 * The seccomp program of a command: which calls go to the supervisor. */
#ifndef SANDBOX_SANDBOX_FILTER_H
#define SANDBOX_SANDBOX_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct varve_error;

enum sandbox_watch {
	WATCH_NOTHING, /* no listener, but ids of our own: devices cannot be made (EPERM) */
	WATCH_DEVICES, /* ids of our own: devices become records */
	WATCH_SEEN_DEVICES, /* the same, and commands see them as devices */
	WATCH_FLAT, /* one id and no listener: changes of owners and ids succeed, and are lost */
	WATCH_OWNERS, /* one id: owners and devices become records; programs see 0:0, and changes
			 of their ids succeed without effect */
	WATCH_ALL, /* one id: owners, devices, ids and new files are as with real root, and seen */
	WATCH_KINDS,
};

struct sandbox_host;
struct sandbox_spec;
/* What a host can do for a command, and the command asks for. */
enum sandbox_watch sandbox_watch(const struct sandbox_host *host, const struct sandbox_spec *spec);

/* The calls of interest, by name: each is notified by the filter and has a handler in
 * supervise_call.h. */
struct watched_call {
	const char *name;
	unsigned in; /* bits of enum sandbox_watch: where it is notified */
	int flags_at; /* argument that tells whether it is of interest: all its bits of mask are
			 value; -1: always */
	unsigned long mask, value;
};
/* Ends with a name of NULL; a call may stand in it more than once. */
extern const struct watched_call watched_calls[];

/* Appends the BPF program (struct sock_filter). With one id the ABIs of 32 bits are refused, as
 * nothing watches them: they kill the caller. arch: AUDIT_ARCH_X86_64 or AUDIT_ARCH_AARCH64; 0:
 * that of this machine. */
int sandbox_filter_make(enum sandbox_watch watch, uint32_t arch, struct buf *ret,
			struct varve_error *err);
/* A file with the program for this machine, for bwrap's --seccomp. */
int sandbox_filter_open(enum sandbox_watch watch, int *ret_fd, struct varve_error *err);
/* Installs it for the calling process and all it becomes, with no new privileges from here on. Only
 * system calls: may follow a fork. Returns the listener, or -errno. */
int sandbox_filter_listen(const struct buf *program);

/* Adds to a libseccomp filter (scmp_filter_ctx) the other ABIs that a kernel of the machine arch
 * runs. Returns 0 or -errno. */
int sandbox_filter_add_foreign(void *filter, uint32_t arch);

#endif
