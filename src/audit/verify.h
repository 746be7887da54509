/* SPDX-License-Identifier: Apache-2.0
 * The whole of varve verify: an image, or an index with all that it names.
 *
 *	place + descriptor + keys + policy -> verify_run -> rows */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "audit/policy.h"

struct verify {
	struct place *place; /* where the blobs are; borrowed, as all below */
	const char *name; /* as the user wrote it */
	const struct referrers_end *end; /* where what refers to it is; NULL: nowhere */
	const struct verify_keys *keys;
	const struct policy *policy; /* NULL: none */
	struct verify_rows *rows;
};

/* named: what the name stands for. root: the same, or the image that was chosen from it: signatures
 * of either count. Documents that are not what they should be are rows; negative: what could not be
 * asked for. */
int verify_run(const struct verify *verify, const struct varve_descriptor *named,
	       const struct varve_descriptor *root, struct varve_error *err);

#endif
