/* SPDX-License-Identifier: Apache-2.0
 * A set of digests: open addressing on their first bytes, which are random already. */
#ifndef STORE_DIGEST_SET_H
#define STORE_DIGEST_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/digest.h>

struct digest_set {
	struct varve_digest *slots; /* alloc of them; all zero: free */
	size_t count, alloc; /* alloc is 0 or a power of 2, at least 2 * count */
};

#define DIGEST_SET_INIT                                                                            \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void digest_set_release(struct digest_set *set);
/* True when it is new. The digest that is all zero cannot be a member: false. */
bool digest_set_add(struct digest_set *set, const struct varve_digest *digest);
bool digest_set_has(const struct digest_set *set, const struct varve_digest *digest);

#endif
