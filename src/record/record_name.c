/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_name.h"

#include <string.h>

#include "record/record_head.h"

enum { HEADER = 12, FLAGS = 2, COUNTS = 4, LABEL = 63, TYPE_A = 1, CLASS_IN = 1 };

static unsigned number(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static char lower(uint8_t byte)
{
	return (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

/* Returns where the name ends; 0: it is none. */
static size_t read_name(const uint8_t *query, size_t len, char *ret)
{
	size_t at = HEADER, n = 0, label, i;

	for (; at < len && query[at] > 0; at += 1 + label) {
		label = query[at];
		if (label > LABEL || at + 1 + label >= len || n + label + 1 > RECORD_NAME_LIMIT)
			return 0;
		if (n > 0)
			ret[n++] = '.';
		for (i = 1; i <= label; i++)
			ret[n++] = lower(query[at + i]);
	}
	ret[n] = '\0';
	return at < len && strlen(ret) == n && record_is_host(ret) ? at + 1 : 0;
}

size_t record_name_answer(const uint8_t *query, size_t len, uint8_t reply[RECORD_NAME_PACKET],
			  char ret_name[RECORD_NAME_LIMIT + 1])
{
	/* A pointer to the question's name, type, class, no time to live, 4 bytes. */
	static const uint8_t loopback[] = {0xc0, HEADER, 0, TYPE_A, 0,   CLASS_IN, 0, 0,
					   0,    0,      0, 4,      127, 0,        0, 1};
	static const uint8_t counts[] = {0, 1, 0, 0, 0, 0, 0, 0};
	size_t end;

	/* A query (no reply, of the standard kind) with one question. */
	if (len < HEADER || (query[FLAGS] & 0xf8) != 0 || number(query + COUNTS) != 1)
		return 0;
	end = read_name(query, len, ret_name);
	if (end == 0 || end + 4 > len || number(query + end + 2) != CLASS_IN)
		return 0;
	memcpy(reply, query, end + 4);
	reply[FLAGS] =
		(uint8_t)(0x80 | (query[FLAGS] & 1)); /* a reply; recursion as it was asked for */
	reply[FLAGS + 1] = 0x80; /* there is recursion, and no error */
	memcpy(reply + COUNTS, counts, sizeof(counts));
	if (number(query + end) != TYPE_A)
		return end + 4;
	reply[COUNTS + 3] = 1;
	memcpy(reply + end + 4, loopback, sizeof(loopback));
	return end + 4 + sizeof(loopback);
}
