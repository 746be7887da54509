/* SPDX-License-Identifier: Apache-2.0
 * Signatures and attestations of an image: are they whole, about this image, and by whom.
 *
 *	end + subject + keys -> verify_attached -> rows, struct verify_facts -> verify_signed,
 *policy */
#ifndef AUDIT_VERIFY_ATTACHED_H
#define AUDIT_VERIFY_ATTACHED_H

#include "audit/image_verify.h"
#include "audit/signature_key.h"
#include "registry/referrers_end.h"

/* Whose signatures count. */
struct verify_key {
	char *name; /* of its file; owned */
	struct signature_key *key; /* owned */
};
struct verify_keys {
	struct verify_key *items;
	size_t count, alloc;
};
int verify_keys_add(struct verify_keys *keys, const char *path, struct varve_error *err);
void verify_keys_release(struct verify_keys *keys); /* usable with CLEANUP */

/* What is known of an image by what is attached to it, or to the index that it is in. Where there
 * are keys, only attestations that one of them has signed count. */
struct verify_facts {
	struct strv signed_by; /* names of keys */
	struct strv attested; /* types of predicates */
	json_t *provenance; /* predicate of the first SLSA statement; NULL: none; owned */
};
void verify_facts_copy(const struct verify_facts *facts, struct verify_facts *ret); /* to empty */
void verify_facts_release(struct verify_facts *facts); /* usable with CLEANUP */

/* Adds a row for all that refers to the subject, and to the facts. Negative where what refers to
 * it cannot be asked for. */
int verify_attached(const struct referrers_end *end, const struct varve_digest *subject,
		    const struct verify_keys *keys, struct verify_facts *facts,
		    struct verify_rows *rows, struct varve_error *err);
/* A row for each key: has it signed. */
void verify_signed(const struct verify_keys *keys, const struct verify_facts *facts,
		   struct verify_rows *rows);

#endif
