/* SPDX-License-Identifier: Apache-2.0
 * Advisory locks (flock): released by the kernel however the process ends. */
#ifndef BASE_LOCK_FILE_H
#define BASE_LOCK_FILE_H

#include <stdbool.h>
#include <varve/error.h>

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

/* Over NFS flock is a lock of bytes at the server: an exclusive one needs a descriptor that can be
 * written, a shared one a descriptor that can be read. Else, and so for every directory, it is
 * EBADF. So whatever is locked exclusively is opened for writing. */

/* Opens (and makes) dirfd/name and locks it. wait=false: -EWOULDBLOCK without a text when another
 * process holds it. -EINTR when a signal came while waiting. Returns the descriptor: closing
 * it unlocks. Lock files are never removed. */
int lock_file_open(int dirfd, const char *name, enum lock_kind kind, bool wait,
		   struct varve_error *err);

/* True while dirfd/name is the file that fd is: whoever held it before may have removed or renamed
 * it. */
bool lock_file_is_named(int dirfd, const char *name, int fd);

/* Holds the directory dirfd alone, waiting for others: it itself where a directory can be locked,
 * else the file ".varve-lock" in it. *ret_fd: -1, or what lock_directory_drop is to be given. */
int lock_directory(int dirfd, int *ret_fd);
/* Removes the file, where there is one; closing dirfd lets the directory go. */
void lock_directory_drop(int dirfd, int *fd);

#endif
