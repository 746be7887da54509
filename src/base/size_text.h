/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SIZE_TEXT_H
#define BASE_SIZE_TEXT_H

#include <stdint.h>

/* "823 B", "1.4 kB", "31.2 MB": powers of 1000, for people. Returns the buffer. */
const char *size_text(uint64_t bytes, char buffer[16]);

#endif
