/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include "base/buf.h"

/* Where scheme://credentials@ ends. */
static const char *authority(const char *url)
{
	const char *start = strstr(url, "://");
	const char *at, *end;

	if (!start)
		return url;
	start += strlen("://");
	end = start + strcspn(start, "/?#");
	at = memrchr(start, '@', (size_t)(end - start));
	return at ? at + 1 : start;
}

bool http_url_has_scheme(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);

	return strncasecmp(url, scheme, len) == 0 && strncmp(url + len, "://", 3) == 0;
}

char *http_url_of_file(const char *path)
{
	struct buf url = BUF_INIT;

	buf_addstr(&url, "file://");
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/-._~+:=@", *path))
			buf_addc(&url, *path);
		else
			buf_addf(&url, "%%%02X", (unsigned char)*path);
	}
	return buf_steal(&url);
}

char *http_url_display(const char *url)
{
	const char *start = authority(url);

	return xstrndup(start, strcspn(start, "?#"));
}

char *http_url_origin(const char *url)
{
	const char *colon = strstr(url, "://");
	const char *start = authority(url);
	int host_len = (int)strcspn(start, "/?#");

	if (!colon || http_url_has_scheme(url, "file"))
		return xstrdup("");
	return xasprintf("%.*s://%.*s", (int)(colon - url), url, host_len, start);
}

bool http_url_may_redirect(const char *from, const char *to)
{
	if (http_url_has_scheme(to, "https"))
		return http_url_has_scheme(from, "http") || http_url_has_scheme(from, "https");
	return http_url_has_scheme(to, "http") && http_url_has_scheme(from, "http");
}

void http_url_escape(const char *value, struct buf *out)
{
	for (; *value; value++) {
		if (isalnum((unsigned char)*value) || strchr("-._~", *value))
			buf_addc(out, *value);
		else
			buf_addf(out, "%%%02X", (unsigned char)*value);
	}
}

char *http_url_host(const char *url)
{
	const char *start = authority(url);

	if (*start == '[')
		return xstrndup(start + 1, strcspn(start + 1, "]/?#"));
	return xstrndup(start, strcspn(start, ":/?#"));
}

bool http_host_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(host, "localhost") == 0 ||
	       (strlen(host) > 10 && strcasecmp(host + strlen(host) - 10, ".localhost") == 0);
}
