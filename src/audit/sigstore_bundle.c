/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/sigstore_bundle.h"

#include <stdlib.h>
#include <string.h>
#include "audit/attestation.h"
#include "audit/signature_key.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"

#define BUNDLE_PREFIX "application/vnd.dev.sigstore.bundle"

void sigstore_bundle_release(struct sigstore_bundle *bundle)
{
	buf_release(&bundle->payload);
	buf_release(&bundle->signature);
	free(bundle->payload_type);
	free(bundle->hint);
	*bundle = (struct sigstore_bundle){.hint = NULL};
}

/* DSSE v1.0, "Signature Definition". */
static void add_signed(const char *type, const struct buf *payload, struct buf *out)
{
	buf_addf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, payload->len);
	buf_add(out, payload->data, payload->len);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int get_base64(const json_t *object, const char *key, struct buf *ret,
		      struct varve_error *err)
{
	const char *text = NULL;
	int r = json_get_string(object, key, &text, err);

	if (r == 0 && (base64_decode(text, ret) < 0 || ret->len == 0))
		r = varve_error_set(err, -VARVE_E_FORMAT, "member \"%s\" is no base64", key);
	return r;
}

/* The bundle's specification allows one signature: a second one could be anybody's. */
static int read_signature(const json_t *envelope, struct buf *ret, struct varve_error *err)
{
	json_t *list = NULL;
	int r = json_get_array(envelope, "signatures", &list, err);

	if (r == 0 && json_array_size(list) != 1)
		r = varve_error_set(err, -VARVE_E_FORMAT, "has %zu signatures, not one",
				    json_array_size(list));
	if (r == 0)
		r = get_base64(json_array_get(list, 0), "sig", ret, err);
	if (r == 0 && ret->len > SIGNATURE_LIMIT)
		r = varve_error_set(err, -VARVE_E_LIMIT, "a signature of %zu bytes", ret->len);
	return r;
}

static int read_envelope(const json_t *document, struct sigstore_bundle *bundle,
			 struct varve_error *err)
{
	json_t *envelope = NULL;
	const char *type = NULL;
	int r = json_get_object(document, "dsseEnvelope", &envelope, err);

	if (r == 0)
		r = json_get_string(envelope, "payloadType", &type, err);
	if (r == 0)
		r = get_base64(envelope, "payload", &bundle->payload, err);
	if (r == 0)
		r = read_signature(envelope, &bundle->signature, err);
	if (r == 0)
		bundle->payload_type = xstrdup(type);
	return r;
}

static int read_bundle(const json_t *document, struct sigstore_bundle *bundle,
		       struct varve_error *err)
{
	const json_t *material = json_object_get(document, "verificationMaterial");
	const char *type = NULL, *hint;
	int r = json_get_string(document, "mediaType", &type, err);

	if (r < 0)
		return r;
	if (!str_starts(type, BUNDLE_PREFIX))
		return varve_error_set(err, -VARVE_E_FORMAT, "is no sigstore bundle but \"%.100s\"",
				       type);
	hint = json_optional_string(json_object_get(material, "publicKey"), "hint", NULL);
	bundle->hint = hint ? xstrdup(hint) : NULL;
	return read_envelope(document, bundle, err);
}

int sigstore_bundle_parse(const char *text, size_t len, struct sigstore_bundle *ret,
			  struct varve_error *err)
{
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	CLEANUP(json_decrefp) json_t *document = NULL;
	int r = json_parse(text, len, "bundle", &document, err);

	if (r < 0)
		return r;
	r = read_bundle(document, &bundle, err);
	if (r < 0) {
		varve_error_prefix(err, "bundle");
		return r;
	}
	*ret = bundle;
	bundle = (struct sigstore_bundle){.hint = NULL};
	return 0;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static json_t *base64_text(const void *data, size_t len)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	base64_encode(data, len, &text);
	return json_text(buf_text(&text));
}

static json_t *hint_of(const struct signature_key *key)
{
	struct varve_digest id;

	signature_key_id(key, &id);
	return base64_text(id.bytes, sizeof(id.bytes));
}

/* Without "keyid": verifiers compare it with names of their own making. The hint names the key. */
static json_t *new_envelope(const char *payload_type, const struct buf *payload,
			    const struct buf *signature)
{
	json_t *envelope = json_object(), *signatures = json_array(), *one = json_object();

	json_set(one, "sig", base64_text(signature->data, signature->len));
	json_append(signatures, one);
	json_set(envelope, "payload", base64_text(payload->data, payload->len));
	json_set(envelope, "payloadType", json_text(payload_type));
	json_set(envelope, "signatures", signatures);
	return envelope;
}

int sigstore_bundle_sign(const struct signature_key *key, const char *payload_type,
			 const struct buf *payload, struct buf *out, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf signature = BUF_INIT;
	json_t *material = json_object(), *public_key = json_object();
	int r;

	json_set(document, "verificationMaterial", material);
	json_set(material, "publicKey", public_key);
	json_set(public_key, "hint", hint_of(key));
	json_set(material, "tlogEntries", json_array());
	add_signed(payload_type, payload, &text);
	r = signature_key_sign(key, text.data, text.len, &signature, err);
	if (r < 0)
		return r;
	json_set(document, "mediaType", json_text(ATTESTATION_BUNDLE));
	json_set(document, "dsseEnvelope", new_envelope(payload_type, payload, &signature));
	json_canonical(document, out);
	return 0;
}

/* --- by whom -------------------------------------------------------------------------------------
 */

bool sigstore_bundle_claims(const struct sigstore_bundle *bundle, const struct signature_key *key)
{
	CLEANUP(json_decrefp) json_t *own = hint_of(key);

	return str_equal(bundle->hint, json_string_value(own));
}

bool sigstore_bundle_is_by(const struct sigstore_bundle *bundle, const struct signature_key *key)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	add_signed(bundle->payload_type, &bundle->payload, &text);
	return signature_key_verify(key, text.data, text.len, bundle->signature.data,
				    bundle->signature.len);
}
