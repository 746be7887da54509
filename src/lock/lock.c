/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

void lock_artifact_release(struct lock_artifact *artifact)
{
	free(artifact->name);
	free(artifact->version);
	free(artifact->architecture);
	free(artifact->from);
	json_decrefp(&artifact->extra);
	*artifact = (struct lock_artifact){0};
}

void lock_source_release(struct lock_source *source)
{
	for (size_t i = 0; i < source->count; i++)
		lock_artifact_release(&source->artifacts[i]);
	free(source->artifacts);
	free(source->name);
	json_decrefp(&source->spec);
	json_decrefp(&source->facts);
	*source = (struct lock_source){0};
}

void lock_release(struct lock *lock)
{
	for (size_t i = 0; i < lock->count; i++)
		lock_source_release(&lock->sources[i]);
	free(lock->sources);
	*lock = (struct lock)LOCK_INIT;
}

/* The order of sources. */
static int compare(const struct lock_source *source, const char *name,
		   const struct varve_digest *spec_digest)
{
	int r = strcmp(source->name, name);

	return r ? r : varve_digest_compare(&source->digest, spec_digest);
}

/* The place of the first source that is not before this one. */
static size_t lower_bound(const struct lock *lock, const char *name,
			  const struct varve_digest *spec_digest)
{
	size_t low = 0, high = lock->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&lock->sources[middle], name, spec_digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct lock_source *lock_find(const struct lock *lock, const char *name,
				    const struct varve_digest *spec_digest)
{
	size_t at = lower_bound(lock, name, spec_digest);

	if (at < lock->count && compare(&lock->sources[at], name, spec_digest) == 0)
		return &lock->sources[at];
	return NULL;
}

struct lock_artifact *lock_source_add(struct lock_source *source)
{
	source->artifacts = array_grow(source->artifacts, source->count, &source->alloc,
				       sizeof(*source->artifacts));
	source->artifacts[source->count] = (struct lock_artifact){0};
	return &source->artifacts[source->count++];
}

void lock_put(struct lock *lock, struct lock_source *take_source)
{
	size_t at = lower_bound(lock, take_source->name, &take_source->digest);

	if (at < lock->count &&
	    compare(&lock->sources[at], take_source->name, &take_source->digest) == 0) {
		lock_source_release(&lock->sources[at]);
	} else {
		lock->sources = array_grow(lock->sources, lock->count, &lock->alloc,
					   sizeof(*lock->sources));
		memmove(&lock->sources[at + 1], &lock->sources[at],
			(lock->count - at) * sizeof(*lock->sources));
		lock->count++;
	}
	lock->sources[at] = *take_source;
	*take_source = (struct lock_source){0};
}

bool lock_artifact_is_tool(const struct lock_artifact *artifact)
{
	return json_is_string(json_object_get(artifact->extra, "tool"));
}

bool lock_artifact_is_content(const struct lock_artifact *artifact)
{
	return strcmp(json_optional_string(artifact->extra, "tool", ""), "only") != 0;
}
