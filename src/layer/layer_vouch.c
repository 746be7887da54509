/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_vouch.h"

#include <stdlib.h>
#include "base/buf.h"

void layer_vouched_init(struct layer_vouched *v)
{
	*v = (struct layer_vouched){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

void layer_vouched_release(struct layer_vouched *v)
{
	free(v->items);
	v->items = NULL;
}

void layer_vouched_tell(struct layer_vouched *v, uint64_t entry, const struct varve_digest *digest)
{
	(void)pthread_mutex_lock(&v->mutex);
	v->items = array_grow(v->items, v->count, &v->alloc, sizeof(*v->items));
	v->items[v->count++] = (struct layer_known){entry, *digest};
	(void)pthread_mutex_unlock(&v->mutex);
}

bool layer_vouched_ask(struct layer_vouched *v, uint64_t entry, struct varve_digest *ret)
{
	bool known;

	(void)pthread_mutex_lock(&v->mutex);
	while (v->first < v->count && v->items[v->first].entry < entry)
		v->first++;
	known = v->first < v->count && v->items[v->first].entry == entry;
	if (known)
		*ret = v->items[v->first++].digest;
	if (v->first == v->count)
		v->first = v->count = 0;
	(void)pthread_mutex_unlock(&v->mutex);
	return known;
}
