/* SPDX-License-Identifier: Apache-2.0
 * The part of a host's name that somebody registered, by the list of public suffixes: of
 * "auth.example.co.uk" it is "example.co.uk". The list comes with libpsl, which libcurl uses as
 * well; it is loaded when the question comes up. */
#ifndef NET_REGISTRABLE_H
#define NET_REGISTRABLE_H

#include <stdbool.h>

/* Both lie in one registered domain. False also for public suffixes, addresses, names without a
 * dot, and where libpsl is missing. */
bool registrable_is_common(const char *a, const char *b);

#endif
