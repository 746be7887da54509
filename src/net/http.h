/* SPDX-License-Identifier: Apache-2.0
 * Downloads over http and https (behind this header; libcurl is loaded when the
 * first http_new, so that a build that downloads nothing does not pay for it). */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>

struct http; /* connections, limits, stall rules; one per process */

struct http_options {
	unsigned parallel; /* transfers at once, default 8 */
	unsigned per_host; /* connections per host, default 6 */
	unsigned stall_seconds; /* no byte for that long: broken, default 60 */
	unsigned tries; /* per transfer, default 4; waits 0.5, 1, 2 s; honours Retry-After */
};

/* One file to fetch into a descriptor that is open for reading and writing. */
struct http_transfer {
	const char *url;
	const char *accept; /* media types that will do (Accept), NULL: any; borrowed */
	int fd; /* written from offset resume_from; borrowed */
	uint64_t resume_from; /* bytes already there (and hashed by us from the file); 0: from the
				 start */
	uint64_t size; /* expected, 0: unknown; more is an error as soon as it comes */
	uint64_t limit; /* where size is unknown: bytes accepted at most */
	const struct varve_digest *want; /* NULL: any */
	struct varve_digest got; /* of the whole file, on success */
	uint64_t got_size;
	int64_t last_modified; /* seconds since 1970, 0: not told */
	long status; /* of the last answer, 0: there was none; 404 for an absent file:// */
	int result; /* 0, or a negative code with its text in error: -VARVE_E_NETWORK,
		     * _NOT_FOUND (404, 410, no such file), _DIGEST, _LIMIT, -errno */
	struct varve_error error; /* names the URL (without credentials) and the cause */
};

/* done may start nothing; it is told of progress (transfer NULL) and of each end. */
typedef void (*http_progress)(void *cookie, const struct http_transfer *ended,
			      uint64_t bytes_so_far);

int http_new(const struct http_options *options, struct http **ret, struct varve_error *err);
void http_free(struct http *http);
void http_freep(struct http **http);

/* Runs all of them to their ends, in parallel, hashing while streaming; a broken connection is
 * resumed with Range where the server can. Redirects are followed (at most 10; never https -> http;
 * credentials never leave their origin). Proxies from the environment. file:// URLs are read too.
 * Returns 0 when all succeeded, else the first failing transfer's code with its text in err (the
 * others are run to their end first). */
int http_fetch(struct http *http, struct http_transfer *transfers, size_t count,
	       http_progress progress, void *cookie, struct varve_error *err);

#endif
