/* SPDX-License-Identifier: Apache-2.0
 * For waits and progress; never for what is written. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void); /* of the monotonic clock */

#endif
