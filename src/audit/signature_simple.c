/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "audit/signature.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "registry/place_copy.h"
#include "registry/reference.h"

#define SIMPLE_KIND "cosign container image signature"

enum {
	TRIES = 10, /* of several signers at once, some repeat */
	SETTLE_MS = 300, /* between another signer's reading and its writing */
	SIGNATURES = 1000, /* of one image */
};

void simple_signature_release(struct simple_signature *signature)
{
	buf_release(&signature->payload);
	buf_release(&signature->signature);
}

/* --- the signed text -----------------------------------------------------------------------------
 */

/* Red Hat's format of "atomic container signatures", with cosign's type. */
static void make_payload(const struct varve_digest *subject, const char *reference, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	json_t *critical = json_object(), *identity = json_object(), *image = json_object();

	json_set(identity, "docker-reference", json_text(reference));
	json_set(image, "docker-manifest-digest", json_of_digest(subject));
	json_set(critical, "identity", identity);
	json_set(critical, "image", image);
	json_set(critical, "type", json_text(SIMPLE_KIND));
	json_set(document, "critical", critical);
	json_set(document, "optional", json_null());
	json_canonical(document, out);
}

static int check_document(const json_t *document, const struct varve_digest *subject,
			  struct varve_error *err)
{
	json_t *critical = NULL, *image = NULL;
	const char *type = NULL;
	struct varve_digest named;
	char digest[VARVE_DIGEST_TEXT];
	int r = json_get_object(document, "critical", &critical, err);

	if (r == 0)
		r = json_get_string(critical, "type", &type, err);
	if (r == 0)
		r = json_get_object(critical, "image", &image, err);
	if (r == 0)
		r = json_get_digest(image, "docker-manifest-digest", &named, err);
	if (r < 0)
		return r;
	/* The second is what podman writes. */
	if (!str_equal(type, SIMPLE_KIND) && !str_equal(type, "atomic container signature"))
		return varve_error_set(err, -VARVE_E_FORMAT, "is of another type: \"%.100s\"",
				       type);
	if (!varve_digest_equal(&named, subject))
		return varve_error_set(err, -VARVE_E_FORMAT, "is a signature of another image, %s",
				       varve_digest_text(&named, digest));
	return 0;
}

int simple_check_payload(const struct buf *payload, const struct varve_digest *subject,
			 struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	int r = json_parse(buf_text(payload), payload->len, "signed text", &document, err);

	return r < 0 ? r : check_document(document, subject, err);
}

/* --- reading -------------------------------------------------------------------------------------
 */

int simple_read(const struct referrers_end *end, const json_t *layer, struct simple_signature *ret,
		struct varve_error *err)
{
	const json_t *annotations = json_object_get(layer, "annotations");
	CLEANUP(buf_release) struct buf signature = BUF_INIT;
	struct varve_descriptor blob;
	const char *text = NULL;
	int r = descriptor_from_json(layer, &blob, err);

	if (r == 0)
		r = json_get_string(annotations, SIMPLE_SIGNATURE, &text, err);
	if (r == 0 && base64_decode(text, &signature) < 0)
		r = varve_error_set(err, -VARVE_E_FORMAT, "the signature is no base64");
	if (r == 0)
		r = place_read(end->place, &blob, SIMPLE_PAYLOAD_LIMIT, &ret->payload, err);
	if (r < 0)
		return r;
	ret->signature = signature;
	signature = (struct buf)BUF_INIT;
	return 0;
}

/* --- adding --------------------------------------------------------------------------------------
 */

static json_t *new_layer(const struct varve_descriptor *blob, const struct buf *signature)
{
	json_t *layer = descriptor_to_json(blob), *annotations = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	base64_encode(signature->data, signature->len, &text);
	json_set(annotations, SIMPLE_SIGNATURE, json_text(buf_text(&text)));
	json_set(layer, "annotations", annotations);
	return layer;
}

/* Signs the text and puts it into the place; the layer that says so. */
static int make_layer(struct place *place, const struct signature_key *key,
		      const struct buf *payload, json_t **ret, struct varve_error *err)
{
	struct varve_descriptor blob = {.media_type = SIMPLE_LAYER, .size = payload->len};
	CLEANUP(buf_release) struct buf signature = BUF_INIT;
	int r = signature_key_sign(key, payload->data, payload->len, &signature, err);

	if (r < 0)
		return r;
	digest_bytes(payload->data, payload->len, &blob.digest);
	r = place_put(place, payload, &blob.digest, err);
	if (r == 0)
		*ret = new_layer(&blob, &signature);
	return r;
}

/* What readers of images want to see: a diff id for each layer. */
static int put_config(struct place *place, const json_t *layers, struct varve_descriptor *ret,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *config = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *rootfs = json_object(), *ids = json_array();
	const json_t *layer;
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		json_append(ids, json_incref(json_object_get(layer, "digest")));
	}
	json_set(rootfs, "type", json_text("layers"));
	json_set(rootfs, "diff_ids", ids);
	json_set(config, "architecture", json_text(""));
	json_set(config, "os", json_text(""));
	json_set(config, "config", json_object());
	json_set(config, "rootfs", rootfs);
	json_canonical(config, &text);
	*ret = (struct varve_descriptor){.media_type = VARVE_MEDIA_CONFIG, .size = text.len};
	digest_bytes(text.data, text.len, &ret->digest);
	return place_put(place, &text, &ret->digest, err);
}

/* The old manifest's layers with one more. */
static int renew(const struct referrers_end *end, const struct manifest *old, json_t *layer,
		 struct manifest *ret, struct varve_error *err)
{
	json_t *before = json_object_get(old->document, "layers");
	CLEANUP(json_decrefp) json_t *layers = before ? json_deep_copy(before) : json_array();
	CLEANUP(json_decrefp) json_t *document = json_object();
	struct varve_descriptor config;
	struct buf bytes = BUF_INIT;
	int r;

	json_append(layers, json_incref(layer));
	if (json_array_size(layers) > SIGNATURES || json_has_real(layers))
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "the signatures that are there cannot be added to");
	r = put_config(end->place, layers, &config, err);
	if (r < 0)
		return r;
	json_set(document, "schemaVersion", json_integer(2));
	json_set(document, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(document, "config", descriptor_to_json(&config));
	json_set(document, "layers", json_incref(layers));
	json_canonical(document, &bytes);
	return manifest_parse(&bytes, VARVE_MEDIA_MANIFEST, ret, err);
}

static bool has_layer(const struct manifest *manifest, const json_t *layer)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(manifest->document, "layers"), i, one)
	{
		if (json_equal(one, layer))
			return true;
	}
	return false;
}

/* 1: written, to be looked at again; 0: it is there. */
static int add_once(const struct referrers_end *end, const char *name, json_t *layer,
		    struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(referrers_named_release) struct referrers_named old = {.version = NULL};
	CLEANUP(manifest_release) struct manifest m = {0};
	CLEANUP(fd_close) int lock = -1;
	int r = referrers_end_lock(end, &lock, err);

	if (r == 0)
		r = referrers_end_find(end, name, &old, err);
	if (r < 0)
		return r;
	if (r == 1 && has_layer(&old.manifest, layer)) {
		*ret = old.manifest.self;
		return 0;
	}
	if (r == 1 && end->registry)
		r = referrers_end_fetch(end, &old.manifest.self, err);
	if (r >= 0)
		r = renew(end, &old.manifest, layer, &m, err);
	if (r == 0)
		r = referrers_end_name(end, name, old.version, &m, err);
	return r < 0 ? r : 1;
}

static void settle(const struct referrers_end *end)
{
	if (end->registry)
		registry_wait(end->registry, SETTLE_MS);
}

int signature_put_simple(const struct referrers_end *end, const struct varve_descriptor *subject,
			 const struct signature_key *key, const char *reference,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *layer = NULL;
	CLEANUP(buf_release) struct buf payload = BUF_INIT;
	char name[REFERENCE_SIGNATURES_TAG];
	int r;

	reference_signatures_tag(&subject->digest, name);
	make_payload(&subject->digest, reference, &payload);
	r = make_layer(end->place, key, &payload, &layer, err);
	for (unsigned tries = 0; r == 0 && tries < TRIES; tries++) {
		int added = add_once(end, name, layer, ret, err);

		if (added == 0 || (added < 0 && added != -ESTALE))
			return added;
		settle(end);
	}
	return r < 0 ? r
		     : varve_error_set(err, -VARVE_E_NETWORK,
				       "%s is changed by others all the time", name);
}
