/* SPDX-License-Identifier: Apache-2.0
 * Look-ups of names in the step's network (RFC 1035): every name is the loopback, where the proxy
 * listens. So a program that knows no proxy comes to it too. Pure. */
#ifndef RECORD_RECORD_NAME_H
#define RECORD_RECORD_NAME_H

#include <stddef.h>
#include <stdint.h>

enum { RECORD_NAME_PACKET = 512, RECORD_NAME_LIMIT = 255 };

/* The reply to a query, and its length; 0: it is none that makes sense. ret_name: what was asked
 * for, in lower case, without the dot at the end. Records other than A are said to be missing. */
size_t record_name_answer(const uint8_t *query, size_t len, uint8_t reply[RECORD_NAME_PACKET],
			  char ret_name[RECORD_NAME_LIMIT + 1]);

#endif
