/* SPDX-License-Identifier: Apache-2.0
 * What libcurl's codes mean for a transfer. */
#ifndef NET_HTTP_CAUSE_H
#define NET_HTTP_CAUSE_H

#include <stdbool.h>
#include "net/curl_door.h"

/* The connection broke; another may hold. */
bool http_cause_is_break(CURLcode code);
/* The server's TLS ended with an alert about our certificate; text: libcurl's. */
bool http_cause_is_unproven(CURLcode code, const char *text);
/* What the user could look at, or NULL. */
const char *http_cause_hint(CURLcode code);

#endif
