/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_cause.h"

#include <string.h>
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

/* libcurl has a code for one of these alerts, and only while it connects; with TLS 1.3 they come as
 * the first thing that is read. A handshake that just fails is how servers say it before TLS 1.3.
 */
bool http_cause_is_unproven(CURLcode code, const char *text)
{
	static const char *const alerts[] = {"certificate required", "bad certificate",
					     "certificate unknown",  "certificate expired",
					     "certificate revoked",  "unsupported certificate",
					     "alert unknown ca",     "alert handshake failure"};

	if (code != CURLE_SSL_CLIENTCERT && code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR &&
	    code != CURLE_SSL_CONNECT_ERROR)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++) {
		if (strcasestr(text, alerts[i]) && strcasestr(text, "alert"))
			return true;
	}
	return code == CURLE_SSL_CLIENTCERT;
}

const char *http_cause_hint(CURLcode code)
{
	static const struct {
		CURLcode code;
		const char *hint;
	} hints[] = {
		{CURLE_COULDNT_RESOLVE_HOST,
		 "is the name right, and is there a network? proxies are taken from http_proxy and "
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
