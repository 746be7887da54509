/* SPDX-License-Identifier: Apache-2.0
 * Living without a network. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <varve/error.h>

/* Moves this process into a network namespace that has nothing but a loopback that is down, for
 * good and with all that it will start. An ordinary user's process gets a user namespace for it, in
 * which it keeps its ids but loses set-id programs (newuidmap). To be called while there is one
 * thread. -VARVE_E_HOST where the kernel forbids it. */
int network_cut(struct varve_error *err);
/* The same without a user namespace: -EPERM, without a text, where that is not allowed. */
int network_cut_privileged(void);

#endif
