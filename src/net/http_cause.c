/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_cause.h"

#include "base/cleanup.h"

bool http_cause_is_break(CURLcode code)
{
	static const CURLcode breaks[] = {
		CURLE_PARTIAL_FILE,
		CURLE_RECV_ERROR,
		CURLE_SEND_ERROR,
		CURLE_GOT_NOTHING,
		CURLE_HTTP2,
		CURLE_HTTP2_STREAM,
		CURLE_SSL_CONNECT_ERROR,
		CURLE_SEND_FAIL_REWIND, /* a kept connection was dead, and the body had begun */
	};

	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		if (code == breaks[i])
			return true;
	}
	return false;
}

const char *http_cause_hint(CURLcode code)
{
	static const struct {
		CURLcode code;
		const char *hint;
	} hints[] = {
		{CURLE_COULDNT_RESOLVE_HOST,
		 "is there a network? proxies are taken from http_proxy and "
		 "https_proxy"},
		{CURLE_COULDNT_CONNECT, "is there a network? proxies are taken from http_proxy and "
					"https_proxy"},
		{CURLE_PEER_FAILED_VERIFICATION,
		 "is the package ca-certificates installed, and is the "
		 "clock right?"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].code == code)
			return hints[i].hint;
	return NULL;
}
