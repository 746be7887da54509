/* SPDX-License-Identifier: Apache-2.0
 * Advisory locks (flock): released by the kernel however the process ends. */
#ifndef BASE_LOCK_FILE_H
#define BASE_LOCK_FILE_H

#include <stdbool.h>
#include <varve/error.h>

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

/* Opens (and makes) dirfd/name and locks it. wait=false: -EWOULDBLOCK without a text when another
 * process holds it. -EINTR when a signal came while waiting. Returns the descriptor: closing
 * it unlocks. Lock files are never removed. */
int lock_file_open(int dirfd, const char *name, enum lock_kind kind, bool wait,
		   struct varve_error *err);

#endif
