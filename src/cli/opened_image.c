/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opened_image.h"

void opened_image_release(struct opened_image *o)
{
	image_side_release(&o->side);
	copy_source_release(&o->source);
	endpoint_release(&o->endpoint);
}

int opened_image_locate(struct remote *remote, const char *text, struct opened_image *o,
			struct varve_error *err)
{
	struct place landing;
	int r = endpoint_parse_image(text, &o->endpoint, err);

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
