/* SPDX-License-Identifier: Apache-2.0
 * Several blobs at once: threads that each take the next one and have a client of their own, while
 * the caller's thread tells of progress. The first failure ends the others. */
#ifndef REGISTRY_TRANSFER_H
#define REGISTRY_TRANSFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct http_client;
struct registry;

struct transfer {
	const struct varve_descriptor *blob; /* borrowed */
	_Atomic uint64_t done; /* bytes that are there, for progress */
	int result;
	struct varve_error error;
};

struct transfers {
	struct registry *registry;
	struct transfer *items;
	size_t count;
	const char *what; /* for progress */
	int (*run)(void *cookie, struct transfer *transfer, struct http_client *client,
		   struct varve_error *err); /* in a thread */
	void *cookie;
};

/* Returns the first failing transfer's code, in the order of items, with its text in err. */
int transfers_run(struct transfers *transfers, struct varve_error *err);

#endif
