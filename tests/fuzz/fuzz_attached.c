/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as what is attached to an image, and as the image's own documents: bundles, statements,
 * texts of simple signatures, manifests, configs, indexes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "audit/attestation.h"
#include "audit/image_verify.h"
#include "audit/signature.h"
#include "audit/sigstore_bundle.h"
#include "base/buf.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_bundle(const char *text, size_t len)
{
	static const struct varve_digest subject = {{1}};
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	CLEANUP(json_decrefp) json_t *statement = NULL;
	struct varve_error err;

	if (sigstore_bundle_parse(text, len, &bundle, &err) == 0 &&
	    json_parse(buf_text(&bundle.payload), bundle.payload.len, "statement", &statement,
		       &err) == 0)
		(void)attestation_check_statement(statement, &subject, &err);
}

static void try_document(const json_t *document)
{
	static const struct varve_digest subject = {{1}};
	struct varve_error err;

	free(verify_manifest(document));
	free(verify_config(document));
	free(verify_index_document(document));
	free(verify_platform(document, document));
	(void)attestation_check_statement(document, &subject, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct varve_digest subject = {{1}};
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err;

	buf_add(&text, data, size);
	try_bundle(buf_text(&text), text.len);
	(void)simple_check_payload(&text, &subject, &err);
	if (json_parse(buf_text(&text), text.len, "document", &document, &err) == 0)
		try_document(document);
	return 0;
}
