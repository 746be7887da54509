/* SPDX-License-Identifier: Apache-2.0
 * How much this process may use of the machine. */
#ifndef BASE_CAPACITY_H
#define BASE_CAPACITY_H

#include <stdint.h>

/* Cores that it may run on. */
unsigned capacity_cores(void);
/* Bytes of memory that are free for it: what the kernel calls available, and no more than is left
 * in any control group (v2) that it is in. 0: not known. */
uint64_t capacity_memory(void);

/* --- pure --- */
/* "MemAvailable: 123 kB" in the text of /proc/meminfo, in bytes; 0: no such line. */
uint64_t capacity_meminfo(const char *text);
/* As many jobs of so many bytes as fit in memory, one per core at most, and one at least. memory or
 * per_job 0: not known. */
int64_t capacity_jobs(unsigned cores, uint64_t memory, uint64_t per_job);

#endif
