/* SPDX-License-Identifier: Apache-2.0
 * A build that is told to stop ends in order: what it began is ended, nothing is half-written. */
#ifndef CLI_STOP_SIGNALS_H
#define CLI_STOP_SIGNALS_H

#include <signal.h>

/* From now on SIGINT, SIGTERM and SIGHUP only set the flag that is returned. */
const volatile sig_atomic_t *stop_signals_catch(void);
/* Forgets a signal that was answered. */
void stop_signals_clear(void);

#endif
