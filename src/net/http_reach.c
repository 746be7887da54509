/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_reach.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "net/http_url.h"

static enum http_reach reach_of_four(uint32_t address)
{
	static const struct {
		uint32_t network;
		unsigned bits;
		enum http_reach reach;
	} networks[] = {
		{0x00000000, 8, HTTP_REACH_LINK}, /* 0.0.0.0/8 */
		{0x0a000000, 8, HTTP_REACH_PRIVATE}, /* 10.0.0.0/8 */
		{0x64400000, 10, HTTP_REACH_PRIVATE}, /* 100.64.0.0/10 */
		{0x7f000000, 8, HTTP_REACH_LOOPBACK}, /* 127.0.0.0/8 */
		{0xa9fe0000, 16, HTTP_REACH_LINK}, /* 169.254.0.0/16 */
		{0xac100000, 12, HTTP_REACH_PRIVATE}, /* 172.16.0.0/12 */
		{0xc0a80000, 16, HTTP_REACH_PRIVATE}, /* 192.168.0.0/16 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		if ((address ^ networks[i].network) >> (32 - networks[i].bits) == 0)
			return networks[i].reach;
	}
	return HTTP_REACH_PUBLIC;
}

static enum http_reach reach_of_six(const struct in6_addr *six)
{
	if (IN6_IS_ADDR_LOOPBACK(six))
		return HTTP_REACH_LOOPBACK;
	if (IN6_IS_ADDR_V4MAPPED(six))
		return reach_of_four((uint32_t)six->s6_addr[12] << 24 |
				     (uint32_t)six->s6_addr[13] << 16 |
				     (uint32_t)six->s6_addr[14] << 8 | six->s6_addr[15]);
	if (IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_UNSPECIFIED(six))
		return HTTP_REACH_LINK;
	return (six->s6_addr[0] & 0xfe) == 0xfc ? HTTP_REACH_PRIVATE : HTTP_REACH_PUBLIC;
}

enum http_reach http_reach_of(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (http_host_is_loopback(host))
		return HTTP_REACH_LOOPBACK;
	if (inet_pton(AF_INET, host, &four) == 1)
		return reach_of_four(ntohl(four.s_addr));
	if (inet_pton(AF_INET6, host, &six) == 1)
		return reach_of_six(&six);
	return HTTP_REACH_UNKNOWN;
}

bool http_reach_may_lead(enum http_reach from, enum http_reach to)
{
	if (to == HTTP_REACH_UNKNOWN || to == HTTP_REACH_PUBLIC || to == from)
		return true;
	return to == HTTP_REACH_PRIVATE &&
	       (from == HTTP_REACH_LOOPBACK || from == HTTP_REACH_UNKNOWN);
}

const char *http_reach_text(enum http_reach reach)
{
	static const char *const texts[] = {
		[HTTP_REACH_UNKNOWN] = "an unknown network", [HTTP_REACH_PUBLIC] = "the Internet",
		[HTTP_REACH_PRIVATE] = "a private network",  [HTTP_REACH_LINK] = "the local link",
		[HTTP_REACH_LOOPBACK] = "this machine",
	};

	return texts[reach];
}
