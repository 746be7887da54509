/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/signature.h"

#include "audit/sigstore_bundle.h"
#include "base/cleanup.h"

/* What cosign writes and looks for (its bundle specification). */
#define BUNDLE_CONTENT "dev.sigstore.bundle.content"
#define BUNDLE_PREDICATE "dev.sigstore.bundle.predicateType"

static int sign_statement(const struct signature_key *key, const json_t *statement, struct buf *ret,
			  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf payload = BUF_INIT;

	if (json_has_real(statement))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "the document to be signed has a number that is no integer");
	json_canonical(statement, &payload);
	return sigstore_bundle_sign(key, ATTESTATION_STATEMENT, &payload, ret, err);
}

int signature_put_statement(const struct referrers_end *end, const struct varve_descriptor *subject,
			    const struct signature_key *key, json_t *take_statement,
			    struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *statement = take_statement;
	CLEANUP(json_decrefp) json_t *annotations = json_object();
	CLEANUP(buf_release) struct buf bundle = BUF_INIT;
	const struct attestation attestation = {.type = ATTESTATION_BUNDLE,
						.annotations = annotations};
	int r = attestation_check_statement(statement, &subject->digest, err);

	if (r == 0)
		r = sign_statement(key, statement, &bundle, err);
	if (r < 0)
		return r;
	json_set(annotations, BUNDLE_CONTENT, json_text("dsse-envelope"));
	json_set(annotations, BUNDLE_PREDICATE,
		 json_text(json_optional_string(statement, "predicateType", "")));
	return attestation_put(end, subject, &attestation, &bundle, ret, err);
}

/* --- documents -----------------------------------------------------------------------------------
 */

static const char *predicate_of(const char *type)
{
	if (str_equal(type, ATTESTATION_SPDX))
		return PREDICATE_SPDX;
	return str_equal(type, ATTESTATION_CYCLONEDX) ? PREDICATE_CYCLONEDX : NULL;
}

static int put_statement(const struct referrers_end *end, const struct varve_descriptor *subject,
			 const struct attestation *attestation, const struct buf *bytes,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	const json_t *given = attestation->annotations;
	CLEANUP(json_decrefp) json_t *annotations = given ? json_deep_copy(given) : json_object();
	CLEANUP(json_decrefp) json_t *statement = NULL;
	struct attestation noted = *attestation;
	int r = json_parse(buf_text(bytes), bytes->len, "document", &statement, err);

	if (r == 0)
		r = attestation_check_statement(statement, &subject->digest, err);
	if (r < 0)
		return r;
	if (attestation->key)
		return signature_put_statement(end, subject, attestation->key,
					       steal_ptr(&statement), ret, err);
	json_set(annotations, "in-toto.io/predicate-type",
		 json_text(json_optional_string(statement, "predicateType", "")));
	noted.annotations = annotations;
	return attestation_put(end, subject, &noted, bytes, ret, err);
}

int signature_put_document(const struct referrers_end *end, const struct varve_descriptor *subject,
			   const struct attestation *attestation, const struct buf *bytes,
			   struct varve_descriptor *ret, struct varve_error *err)
{
	const char *predicate = predicate_of(attestation->type);
	CLEANUP(json_decrefp) json_t *document = NULL;
	int r;

	if (str_equal(attestation->type, ATTESTATION_STATEMENT))
		return put_statement(end, subject, attestation, bytes, ret, err);
	if (attestation->key && !predicate)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "only SPDX and CycloneDX documents and in-toto statements "
				       "can be signed, no %s",
				       attestation->type);
	r = json_parse(buf_text(bytes), bytes->len, "document", &document, err);
	if (r < 0)
		return r;
	if (!attestation->key)
		return attestation_put(end, subject, attestation, bytes, ret, err);
	return signature_put_statement(
		end, subject, attestation->key,
		attestation_statement(&subject->digest, predicate, steal_ptr(&document)), ret, err);
}
