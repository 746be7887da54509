/* SPDX-License-Identifier: Apache-2.0
 * One connection of the step from its first byte to its end, in a process of its own. */
#ifndef RECORD_RECORD_SERVE_H
#define RECORD_RECORD_SERVE_H

#include "record/record_upstream.h"

struct record_service {
	struct curl_door curl;
	struct record_tls_door tls;
	struct record_authority authority;
	struct varve_store *store;
	int told; /* socket of packets: exchanges as JSON go in here; borrowed */
};
void record_serve(const struct record_service *service, int fd, enum record_port port);
void record_tell(const struct record_service *service, const struct record_exchange *exchange);

#endif
