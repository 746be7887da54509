/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_space.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size_text.h"
#include "store/store.h"

/* What is unpacked and packed again, as a multiple of what was fetched: 2.6 for torch's wheels, 5.8
 * for Debian packages. */
enum { SPACE_FACTOR = 3 };

struct space {
	uint64_t fetched; /* bytes that are missing */
	uint64_t made; /* bytes of all artifacts of the steps that are to run */
	uint64_t left;
};

static void mark(const struct plan_step *step, bool *needed)
{
	size_t i;

	if (step->action != ACTION_RUN && step->from.content == PLAN_FROM_SOURCE)
		needed[step->from.index] = true;
	for (i = 0; i < step->mount_count; i++)
		if (step->mounts[i].content == PLAN_FROM_SOURCE)
			needed[step->mounts[i].index] = true;
}

static void add_source(const struct session *session, const struct lock_source *source,
		       struct space *ret)
{
	size_t i;

	for (i = 0; i < source->count; i++) {
		const struct lock_artifact *artifact = &source->artifacts[i];

		if (__builtin_add_overflow(ret->made, artifact->size, &ret->made))
			ret->made = UINT64_MAX;
		if (!varve_store_has_blob(session->store, &artifact->sha256, NULL) &&
		    __builtin_add_overflow(ret->fetched, artifact->size, &ret->fetched))
			ret->fetched = UINT64_MAX;
	}
}

static void measure(const struct session *session, struct space *ret)
{
	const struct plan *plan = session->plan;
	CLEANUP(free_ptr) bool *needed = xcalloc(plan->sources.count + 1, sizeof(*needed));
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		if (!session->build.known[i].known)
			mark(&plan->steps[i], needed);
	for (i = 0; i < plan->sources.count; i++)
		if (needed[i] && plan->sources.items[i].locked)
			add_source(session, plan->sources.items[i].locked, ret);
}

int session_check_space(struct session *session, struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	char wanted[16], left[16];
	struct space space = {0};
	struct statvfs fs;

	if (fstatvfs(store_dirfd(session->store), &fs) < 0)
		return 0;
	measure(session, &space);
	space.left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (space.fetched > space.left) {
		varve_error_set(
			err, -VARVE_E_HOST,
			"%s are still to be fetched, and the disk of the store (%s) has %s left",
			size_text(space.fetched, wanted), store_path(session->store),
			size_text(space.left, left));
		varve_error_hint(err, "name another place with --store, or make room: varve gc");
		return -VARVE_E_HOST;
	}
	if (space.fetched == 0 || space.made < space.left / SPACE_FACTOR)
		return 0;
	text = xasprintf(
		"the steps to run take in %s of packages and may need %d times that on disk: "
		"%s left",
		size_text(space.made, wanted), SPACE_FACTOR, size_text(space.left, left));
	build_tell(&session->build, VARVE_EVENT_NOTICE, NULL, text);
	return 0;
}
