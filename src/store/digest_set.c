/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest_set.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

/* The slot of the digest, or the free one where it would go. */
static struct varve_digest *find_slot(const struct digest_set *set,
				      const struct varve_digest *digest)
{
	size_t i;

	memcpy(&i, digest->bytes, sizeof(i));
	for (i &= set->alloc - 1;; i = (i + 1) & (set->alloc - 1))
		if (varve_digest_is_none(&set->slots[i]) ||
		    varve_digest_equal(&set->slots[i], digest))
			return &set->slots[i];
}

static void grow(struct digest_set *set)
{
	struct digest_set larger = {NULL, set->count, set->alloc ? set->alloc * 2 : 64};

	larger.slots = xcalloc(larger.alloc, sizeof(*larger.slots));
	for (size_t i = 0; i < set->alloc; i++)
		if (!varve_digest_is_none(&set->slots[i]))
			*find_slot(&larger, &set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = larger;
}

void digest_set_release(struct digest_set *set)
{
	free(set->slots);
	*set = (struct digest_set)DIGEST_SET_INIT;
}

bool digest_set_add(struct digest_set *set, const struct varve_digest *digest)
{
	struct varve_digest *slot;

	if (varve_digest_is_none(digest))
		return false;
	if (set->count * 2 >= set->alloc)
		grow(set);
	slot = find_slot(set, digest);
	if (!varve_digest_is_none(slot))
		return false;
	*slot = *digest;
	set->count++;
	return true;
}

bool digest_set_has(const struct digest_set *set, const struct varve_digest *digest)
{
	if (set->alloc == 0 || varve_digest_is_none(digest))
		return false;
	return !varve_digest_is_none(find_slot(set, digest));
}
