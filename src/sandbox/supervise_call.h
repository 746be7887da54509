/* SPDX-License-Identifier: Apache-2.0
 * One notified call, and what handlers do with it. A handler returns the call's result (>= 0 or
 * -errno), or SUPERVISE_CONTINUE: the kernel shall do it. Whatever a handler does not understand it
 * leaves to the kernel. */
#ifndef SANDBOX_SUPERVISE_CALL_H
#define SANDBOX_SUPERVISE_CALL_H

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/owner.h"
#include "sandbox/supervise_ids.h"

/* Beyond all errors: ids fill 32 bits, and are results too. */
enum {
	SUPERVISE_CONTINUE = -5000,
	SUPERVISE_ANSWERED = -5001, /* the answer has been sent (with a descriptor) */
};

struct supervisor {
	int listener; /* borrowed */
	int proc; /* root of a procfs that knows the tasks; also the working directory */
	const struct owners *owners;
	pid_t first; /* bwrap's first process, which stays outside */
	uint64_t root_mount, root_inode; /* which root is ours at the moment; 0: unknown */
	unsigned pivots; /* changes of root by pivot_root(2) */
	bool roots_differ; /* since then a task has looked for another root */
	struct ids_table ids;
};

struct call {
	struct supervisor *s;
	uint64_t id; /* of the notification */
	pid_t pid; /* the task, as the procfs names it */
	uint64_t args[6];
};

/* --- the task's memory and state (supervise_call.c) --- */
int call_read(const struct call *c, uint64_t address, void *data, size_t size);
int call_write(const struct call *c, uint64_t address, const void *data, size_t size);
/* The text at address; -ENAMETOOLONG from PATH_MAX on. */
int call_read_path(const struct call *c, uint64_t address, char path[PATH_MAX]);
/* False when the task is gone: what is known of it may be another one's. */
bool call_is_alive(const struct call *c);
mode_t call_umask(const struct call *c);
/* Which program the task runs: an inode number, 0 where that is not known. */
uint64_t call_program(const struct call *c);
/* Root's rights, as far as they are about ids. */
bool call_is_privileged(const struct call *c);

/* --- paths (supervise_path.c) --- */
/* A path of the task, for us: relative to our root and working directory while the call lasts. */
struct call_path {
	char text[PATH_MAX];
	bool follow; /* a last symlink is followed */
};
/* flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. -EXDEV: for the kernel to decide (procfs); other
 * errors are what the call itself would return. Nothing is looked at yet. */
int call_path(const struct call *c, int dirfd, uint64_t address, int flags, struct call_path *ret);
/* A descriptor of the task. */
int call_path_fd(const struct call *c, int fd, struct call_path *ret);
/* Returns an O_PATH descriptor or -errno. */
int call_open(const struct call_path *path);
/* Where something is to be made. */
struct call_place {
	struct call_path path; /* of the directory */
	int dir; /* the directory, when it was opened; -1: it was not */
	char name[NAME_MAX + 1];
};
void call_place_release(struct call_place *place);
int call_find_place(const struct call *c, int dirfd, uint64_t address, struct call_place *ret);
int call_open_place(struct call_place *place);

/* --- records of opened files (supervise_record.c) --- */
/* For the functions of base/owner.h that take a path: relative to our working directory. */
enum { CALL_FD_PATH = 32 };
const char *call_fd_path(int fd, char text[CALL_FD_PATH]);
/* What the inode does not say of the file. 1: there is something; 0: there is not. */
int call_record(const struct supervisor *s, int fd, struct owner_record *ret);
/* The same by path, without opening it; 1 may also mean that it has to be opened to know. */
int call_may_have_record(const struct supervisor *s, const struct call_path *path);
int call_set_owner(struct supervisor *s, int fd, uint32_t uid, uint32_t gid);
/* Puts an inode of the upper directory in the place of the link or fifo fd, which a copy-up has
 * just brought there (supervise_renew.c). Returns its O_PATH descriptor, or -errno. */
int call_renew(int fd);
/* The result of owner_record_set where the file system, or the kind of file, keeps no records. */
bool call_holds_no_record(int r);

/* --- handlers --- */
typedef long (*call_handler)(struct call *c);
/* NULL: nobody handles it. */
call_handler call_find_handler(const char *name);

#define DECLARE_HANDLER(name) long handle_##name(struct call *c)
/* supervise_owner.c */
DECLARE_HANDLER(chown);
DECLARE_HANDLER(lchown);
DECLARE_HANDLER(fchown);
DECLARE_HANDLER(fchownat);
/* supervise_stat.c */
DECLARE_HANDLER(stat);
DECLARE_HANDLER(lstat);
DECLARE_HANDLER(fstat);
DECLARE_HANDLER(newfstatat);
DECLARE_HANDLER(statx);
/* supervise_xattr.c */
DECLARE_HANDLER(listxattr);
DECLARE_HANDLER(llistxattr);
DECLARE_HANDLER(flistxattr);
/* supervise_create.c */
DECLARE_HANDLER(open);
DECLARE_HANDLER(openat);
DECLARE_HANDLER(openat2);
DECLARE_HANDLER(creat);
DECLARE_HANDLER(mkdir);
DECLARE_HANDLER(mkdirat);
DECLARE_HANDLER(symlink);
DECLARE_HANDLER(symlinkat);
DECLARE_HANDLER(mknod);
DECLARE_HANDLER(mknodat);
/* supervise_setid.c */
DECLARE_HANDLER(setuid);
DECLARE_HANDLER(setgid);
DECLARE_HANDLER(setreuid);
DECLARE_HANDLER(setregid);
DECLARE_HANDLER(setresuid);
DECLARE_HANDLER(setresgid);
DECLARE_HANDLER(setfsuid);
DECLARE_HANDLER(setfsgid);
DECLARE_HANDLER(setgroups);
DECLARE_HANDLER(prctl);
/* supervise_limit.c */
DECLARE_HANDLER(setrlimit);
DECLARE_HANDLER(getrlimit);
DECLARE_HANDLER(prlimit64);
/* supervise_path.c */
DECLARE_HANDLER(pivot_root);
DECLARE_HANDLER(chroot);
DECLARE_HANDLER(setns);
DECLARE_HANDLER(unshare);
DECLARE_HANDLER(clone);
/* supervise_getid.c */
DECLARE_HANDLER(getuid);
DECLARE_HANDLER(geteuid);
DECLARE_HANDLER(getgid);
DECLARE_HANDLER(getegid);
DECLARE_HANDLER(getresuid);
DECLARE_HANDLER(getresgid);
DECLARE_HANDLER(getgroups);

#endif
