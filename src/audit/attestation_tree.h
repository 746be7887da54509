/* SPDX-License-Identifier: Apache-2.0
 * All that refers to an image, and what refers to that in its turn. */
#ifndef AUDIT_ATTESTATION_TREE_H
#define AUDIT_ATTESTATION_TREE_H

#include "audit/attestation.h"

/* tree = descriptor and "referrers": a list of trees, each also with "artifactType" and (where it
 * has some) "annotations". Simple signatures (signature.h) come last, with their "name" and the
 * number of "signatures". As the lists say: no manifest is read. */
int attestation_tree(const struct referrers_end *end, const struct varve_descriptor *subject,
		     json_t **ret, struct varve_error *err);
/* A line each, what refers to something two spaces further in; pure. name: of the image. */
void attestation_tree_print(const json_t *tree, const char *name, struct buf *out);

#endif
