/* SPDX-License-Identifier: Apache-2.0
 * Running things as root of an image without being root: namespaces, overlay, bubblewrap.
 *
 *	sandbox_detect (what has this host) -> sandbox_spawn (a process in its own user and mount
 *	namespace) -> there: sandbox_overlay (merged view) -> sandbox_run (bwrap in it)
 *
 * Only this directory knows how ids are mapped; the rest asks for an owner_mode. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <varve/error.h>
#include "base/owner.h"

struct strv;

struct sandbox_range {
	uint32_t first; /* first id outside */
	uint32_t count; /* number of ids; id 1 + n inside is first + n outside (0 inside is ours) */
};

/* What surrounds a command. */
enum sandbox_isolation {
	SANDBOX_BWRAP, /* own namespaces of every kind: the only one that is chosen by itself */
	SANDBOX_CHROOT, /* chroot(2) and a ban on sockets; only asked for by name, only for root */
	SANDBOX_NONE, /* commands cannot run here: cause says why. Steps without one can. */
};

struct sandbox_host {
	struct owners
		owners; /* how owners are kept here; its table is ours, and each worker's a copy */
	enum sandbox_isolation isolation;
	bool overlay; /* trees are mounted; false: they are merged by copying (layer_merge) */
	bool listener; /* commands can be supervised (sandbox_supervise.h) */
	uid_t uid; /* effective ids outside */
	gid_t gid;
	struct sandbox_range uids, gids; /* OWNER_SUBUID only */
	char *bwrap; /* absolute path; SANDBOX_BWRAP only */
	char *newuidmap, *newgidmap; /* absolute paths; OWNER_SUBUID only */
	struct varve_error cause; /* why not more than this: of SANDBOX_NONE */
};

/* Finds out by trying, in children, how commands can run here with a store in the directory
 * store_dirfd (sandbox_probe.h tells how, and what to keep of it). Never fails: a host where none
 * can is SANDBOX_NONE. */
void sandbox_detect(int store_dirfd, struct sandbox_host *ret);
void sandbox_host_release(struct sandbox_host *host);
/* What is lost of owners when a command runs here; fast: and it need not see them. */
enum sandbox_loss { SANDBOX_LOSES_NOTHING, SANDBOX_HIDES_OWNERS, SANDBOX_LOSES_OWNERS };
enum sandbox_loss sandbox_loss(const struct sandbox_host *host, bool fast);

/* Leaves of host what needs no namespace, in the given isolation (SANDBOX_CHROOT, SANDBOX_NONE):
 * trees are copied, and owners are kept as real root can where he can, else as records. The cause
 * stays. */
void sandbox_strip(struct sandbox_host *host, enum sandbox_isolation isolation);
/* True for root with the right to chroot(2) and a /proc. */
bool sandbox_can_chroot(void);
/* Asked for by name: sandbox_strip to SANDBOX_CHROOT; without root's right to chroot(2) to
 * SANDBOX_NONE, which is the cause then. */
void sandbox_use_chroot(struct sandbox_host *host);
/* Descriptors go by their names in /proc almost everywhere: without it sandbox_strip to
 * SANDBOX_NONE, with that cause. */
void sandbox_need_proc(struct sandbox_host *host);

/* Forks a process that runs fn(cookie) as id 0 of a new user namespace (OWNER_ROOT: of none) and in
 * an own mount namespace with private propagation (without SANDBOX_BWRAP: as it is, in no
 * namespace); its exit status is fn's result (0..255).
 * Descriptors are inherited. It dies when its parent does. Returns once the process runs; failure
 * to set the namespace up is reported by the process itself: a line on setup_error_fd (borrowed;
 * -1: stderr) and exit status 125. SIGINT is ignored in it (the parent decides). */
int sandbox_spawn(const struct sandbox_host *host, int (*fn)(void *cookie), void *cookie,
		  int setup_error_fd, pid_t *ret_pid, struct varve_error *err);

enum { SANDBOX_LOWERS_MAX = 500 }; /* the limit is the kernel's */
/* Mounts an overlay of lowers (topmost first; directory descriptors) on the directory target. upper
 * and work are descriptors on one file system, both -1 for a read-only view. One read-only lower is
 * bind mounted, none is an empty tmpfs. Up to SANDBOX_LOWERS_MAX (mount methods: sandbox.md 3.2;
 * equal directories are dropped). Called in a spawned process; the descriptors may come from before
 * it. For a moment the upper (else the topmost lower) directory is covered in this namespace. */
int sandbox_overlay(const int *lowers, size_t count, int upper, int work, const char *target,
		    struct varve_error *err);
int sandbox_unmount(const char *target, struct varve_error *err);

/* Copies the file or tree source to to_dir/to_name, which is not there, with owners and all. */
typedef int sandbox_copy(const struct owners *owners, const char *source, int to_dir,
			 const char *to_name, struct varve_error *err);

struct sandbox_bind {
	const char *source; /* path outside */
	const char *target; /* absolute path inside */
	bool writable;
	bool device; /* a device node of the host, to be used as one */
};

/* All of what bwrap is told. */
struct sandbox_spec {
	const char *root; /* directory that becomes / (a mounted overlay) */
	const struct sandbox_bind *binds;
	size_t bind_count;
	const struct strv *environment; /* NAME=VALUE; the whole environment */
	const char *workdir; /* absolute, inside */
	const char *temporary; /* directory on disk that becomes /tmp; NULL: a tmpfs */
	bool network; /* true: the host's network, with its resolv.conf */
	bool own_network; /* the network that the caller is in, without anything of the host's;
			     SANDBOX_BWRAP only */
	bool terminal; /* keep the controlling terminal (varve run, shell) */
	bool fast; /* with one id: owners are recorded but not shown (ownership: fast) */
	bool devices; /* with more ids: devices of layers look like devices, at a cost for each look
			 at a file; with one they do anyway */
	uint32_t uid, gid; /* user of the command, inside */
	const struct strv *groups; /* further group ids as decimal text; may be NULL */
	const struct strv *argv;
	sandbox_copy *copy; /* for read-only binds; SANDBOX_CHROOT only */
};

/* The argv of bwrap after "bwrap": pure. A user other than 0:0 is reached through setpriv(1) of the
 * image. */
void sandbox_arguments(const struct sandbox_spec *spec, struct strv *ret_argv);

/* With SANDBOX_CHROOT: no namespace at all; the binds are copies or moved (sandbox_furnish.h),
 * there is no /proc, the host's name and processes are seen, sockets but those of AF_UNIX are
 * refused where the network is off.
 *
 * Runs the command to its end. stdin_fd -1: /dev/null. stdout_fd, stderr_fd: -1: inherited.
 * Returns 0 and the exit status (128 + signal) in ret_status; arguments travel by memfd (--args).
 * Nothing of the command still runs then. -VARVE_E_HOST: bwrap could not set the sandbox up (or the
 * working directory is missing); its message is on stderr_fd. With network the host's
 * /etc/resolv.conf and /etc/hosts are mounted, on empty files that bwrap makes where there are
 * none. Makes the calling process a reaper of orphans and, but for a terminal, the leader of a
 * session. Capabilities are those of a container, no more. Owners and devices are as with real
 * root, whatever the host keeps, where it has a listener; without one, devices cannot be made, and
 * with one id changes of owners are lost. */
int sandbox_run(const struct sandbox_host *host, const struct sandbox_spec *spec, int stdin_fd,
		int stdout_fd, int stderr_fd, int *ret_status, struct varve_error *err);

#endif
