/* SPDX-License-Identifier: Apache-2.0
 * Which network an address belongs to, and which of them a server may send us to: one on the
 * Internet must not reach what only this machine or its network can. */
#ifndef NET_HTTP_REACH_H
#define NET_HTTP_REACH_H

#include <stdbool.h>

enum http_reach {
	HTTP_REACH_UNKNOWN, /* a name, or a server behind a proxy */
	HTTP_REACH_PUBLIC,
	HTTP_REACH_PRIVATE, /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 */
	HTTP_REACH_LINK, /* 169.254/16, 0/8, fe80::/10: also where clouds keep secrets of machines
			  */
	HTTP_REACH_LOOPBACK, /* 127/8, ::1, localhost */
};

/* Of an IPv4 or IPv6 literal without brackets, or of a name that means this machine. Pure. */
enum http_reach http_reach_of(const char *host);
/* True when a server in one network may name an address in the other: its own kind and the
 * Internet always, private ones from this machine. Of a server behind a proxy only so much is
 * assumed that it is no stranger to private addresses. Pure. */
bool http_reach_may_lead(enum http_reach from, enum http_reach to);
/* "this machine", "a private network", ... for messages. */
const char *http_reach_text(enum http_reach reach);

#endif
