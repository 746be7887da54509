/* SPDX-License-Identifier: Apache-2.0
 * The supervisor of a command: answers the system calls that its filter notifies
 * (seccomp_unotify(2)), so that the command sees and leaves behind what it would as real root,
 * although the kernel knows one id only and makes no devices. Owners and devices become records on
 * inodes (base/owner.h).
 *
 * It runs in the process that waits for the command, in the command's user namespace and outside
 * its process namespace. While it serves, its root directory is that of whoever called, and its
 * working directory a procfs; afterwards both are as before. It is no security boundary: what it
 * does for a task it does with the rights that the task has. */
#ifndef SANDBOX_SUPERVISE_H
#define SANDBOX_SUPERVISE_H

#include <sys/types.h>
#include <varve/error.h>
#include "base/owner.h"

/* Serves until the process of pid ends. listener is borrowed. */
int supervise(int listener, pid_t pid, const struct owners *owners, struct varve_error *err);

#endif
