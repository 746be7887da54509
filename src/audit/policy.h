/* SPDX-License-Identifier: Apache-2.0
 * What an image has to be, as a file says (YAML or JSON):
 *
 *	require:
 *	  hermetic: true		# its provenance says that no step had a network
 *	  signed-by: [KEYFILE...]	# by each of them; paths from the policy's directory
 *	  attested: [spdx, cyclonedx, provenance]	# or a type of predicate, a URL
 *	  base-digest: [DIGEST..., scratch]	# what it stands on is one of these
 *	  no-setuid-except: [PATH...]
 *	  no-secrets-except: [PATH...]
 *	  labels: {NAME: VALUE}		# "*": any value
 *	  max-layers: N
 *
 *	text -> policy_parse -> struct policy -> policy_check -> rows */
#ifndef AUDIT_POLICY_H
#define AUDIT_POLICY_H

#include "audit/verify_attached.h"
#include "recipe/recipe.h"

struct layer_files;

struct policy {
	char *path; /* of its file; owned, as all below */
	bool hermetic;
	struct recipe_values signed_by, attested, base_digest, setuid, secrets;
	struct recipe_pairs labels;
	bool no_setuid, no_secrets; /* given, perhaps with an empty list */
	int64_t max_layers; /* 0: any number */
};

/* -VARVE_E_RECIPE with PATH:LINE:COLUMN. path: for messages, and where keys are looked for. */
int policy_parse(const char *text, size_t len, const char *path, struct policy *ret,
		 struct varve_error *err);
int policy_read(const char *path, struct policy *ret, struct varve_error *err);
void policy_release(struct policy *policy); /* usable with CLEANUP */

/* Reads the keys of signed-by and adds them. */
int policy_add_keys(const struct policy *policy, struct verify_keys *keys, struct varve_error *err);
/* A row for all but signed-by (verify_signed). layers: of all the image's layers in order; NULL
 * where one could not be read: then what asks for files fails. Pure. */
void policy_check(const struct policy *policy, const struct image_side *side,
		  const struct layer_files *layers, const struct verify_facts *facts,
		  struct verify_rows *rows);

#endif
