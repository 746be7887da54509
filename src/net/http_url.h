/* SPDX-License-Identifier: Apache-2.0
 * Parts of a URL, as far as messages and rules of redirection need them. */
#ifndef NET_HTTP_URL_H
#define NET_HTTP_URL_H

#include <stdbool.h>

struct buf;

/* Host (with its port) and path, for messages: without scheme, credentials, query and fragment;
 * only the path for file://. Caller frees. */
char *http_url_display(const char *url);
/* Scheme, host and port: what connections are counted by. "" for file://. Caller frees. */
char *http_url_origin(const char *url);
/* file:// URL of an absolute path, with what is not allowed in URLs escaped. Caller frees. */
char *http_url_of_file(const char *path);
/* Appends a value for a query or a form: all but letters, digits and "-._~" as %XX. */
void http_url_escape(const char *value, struct buf *out);
/* The host alone, without port and brackets. Caller frees. */
char *http_url_host(const char *url);
/* localhost, 127.0.0.0/8, ::1: names and literals that need no look-up. */
bool http_host_is_loopback(const char *host);
bool http_url_has_scheme(const char *url, const char *scheme);
/* A redirection goes from http to http or https, and from https to https only. */
bool http_url_may_redirect(const char *from, const char *to);

#endif
