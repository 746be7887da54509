/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opened_image.h"

#include "base/cleanup.h"

void opened_image_release(struct opened_image *o)
{
	image_side_release(&o->side);
	copy_source_release(&o->source);
	endpoint_release(&o->endpoint);
}

/* A name without a transport is one of the store, as for varve inspect. */
static int parse(const char *text, struct endpoint *ret, struct varve_error *err)
{
	static const char *const transports[] = {
		"docker://", "oci:", "oci-archive:", "dir:", "docker-archive:", "store:"};
	CLEANUP(free_ptr) char *name = xasprintf("store:%s", text);

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(text, transports[i]))
			return endpoint_parse(text, ret, err);
	return endpoint_parse(name, ret, err);
}

int opened_image_locate(struct remote *remote, const char *text, struct opened_image *o,
			struct varve_error *err)
{
	struct place landing;
	int r = parse(text, &o->endpoint, err);

	if (r < 0)
		return r;
	place_of_store(&landing, remote->session.store, remote->uploads);
	r = copy_source_open(&remote->copy, &o->endpoint, &landing, false, &o->source, err);
	place_release(&landing);
	return r;
}

int opened_image_open(struct remote *remote, const char *text, struct opened_image *o,
		      struct varve_error *err)
{
	int r = opened_image_locate(remote, text, o, err);

	return r < 0 ? r : image_side_open(&o->source.place, text, &o->source.root, &o->side, err);
}
