/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stop_signals.h"

#include <stddef.h>

#include "base/cleanup.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* Without SA_RESTART: a loop's poll ends at once. */
const volatile sig_atomic_t *stop_signals_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	return &stop;
}

void stop_signals_clear(void)
{
	stop = 0;
}
