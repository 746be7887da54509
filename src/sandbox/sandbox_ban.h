/* SPDX-License-Identifier: Apache-2.0
 * "No network" where there is no network namespace. */
#ifndef SANDBOX_SANDBOX_BAN_H
#define SANDBOX_SANDBOX_BAN_H

/* Installs a filter for the calling process and all it becomes: a socket of any family but AF_UNIX
 * is EAFNOSUPPORT, and what would go round that (io_uring; socketcall of 32 bits) is ENOSYS. Needs
 * CAP_SYS_ADMIN or no new privileges. Returns 0 or -errno. */
int sandbox_ban_sockets(void);

#endif
