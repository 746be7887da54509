/* SPDX-License-Identifier: Apache-2.0
 * All that the result of sandbox_probe depends on: while it stays the same, so does the result. */
#ifndef SANDBOX_SANDBOX_SURROUNDINGS_H
#define SANDBOX_SANDBOX_SURROUNDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/json.h"

/* Reads it: boot, ids, namespaces, seccomp and capabilities of this process, security label,
 * settings of the kernel, programs and tables of ids with their times, the store's file system,
 * varve's version. An object of strings and integers; the caller owns it. */
json_t *sandbox_surroundings(int store_dirfd);
/* The name of the fact: "host/HEX", HEX over the object. Pure; the caller frees. */
char *sandbox_surroundings_name(const json_t *surroundings);

/* The value of "NAME:" TAB value in a text like /proc/self/status; false: not there. Pure. */
bool sandbox_status_member(const char *text, const char *name, char *ret, size_t size);

#endif
