/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/attestation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "registry/place_copy.h"
#include "registry/referrers.h"

/* image-spec 1.1, manifest.md, "Guidance for an Empty Descriptor". */
#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define TITLE "org.opencontainers.image.title"

/* --- attaching -----------------------------------------------------------------------------------
 */

static int check_type(const char *type, struct varve_error *err)
{
	const char *slash = strchr(type, '/');

	/* RFC 6838, 4.2: two names of letters, digits and a few signs. */
	if (slash && slash != type && slash[1] && strlen(type) < VARVE_MEDIA_TYPE &&
	    strspn(type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "!#$&-^_.+/") == strlen(type) &&
	    !strchr(slash + 1, '/'))
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\" is no media type, as text/plain is",
			       type);
}

static int put_config(struct place *place, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_digest digest;

	buf_addstr(&text, ATTESTATION_CONFIG);
	digest_bytes(text.data, text.len, &digest);
	return place_put(place, &text, &digest, err);
}

static json_t *config_json(void)
{
	struct varve_descriptor config = {.media_type = EMPTY_TYPE,
					  .size = strlen(ATTESTATION_CONFIG)};

	digest_bytes(ATTESTATION_CONFIG, config.size, &config.digest);
	return descriptor_to_json(&config);
}

static json_t *layer_of(const struct attestation *attestation, const struct varve_descriptor *blob)
{
	json_t *layer = descriptor_to_json(blob), *annotations;

	if (attestation->title) {
		annotations = json_object();
		json_set(annotations, TITLE, json_text(attestation->title));
		json_set(layer, "annotations", annotations);
	}
	return layer;
}

int attestation_make(const struct varve_descriptor *subject, const struct attestation *attestation,
		     const struct varve_descriptor *blob, struct manifest *ret,
		     struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	struct buf bytes = BUF_INIT;
	json_t *layers = json_array();

	json_append(layers, layer_of(attestation, blob));
	json_set(document, "schemaVersion", json_integer(2));
	json_set(document, "mediaType", json_text(VARVE_MEDIA_MANIFEST));
	json_set(document, "artifactType", json_text(attestation->type));
	json_set(document, "config", config_json());
	json_set(document, "layers", layers);
	json_set(document, "subject", descriptor_to_json(subject));
	if (attestation->annotations && json_object_size(attestation->annotations) > 0)
		json_set(document, "annotations", json_deep_copy(attestation->annotations));
	json_canonical(document, &bytes);
	return manifest_parse(&bytes, VARVE_MEDIA_MANIFEST, ret, err);
}

static int put_manifest(const struct referrers_end *end, const struct varve_descriptor *subject,
			const struct attestation *attestation, const struct varve_descriptor *blob,
			struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest artifact = {0};
	int r = put_config(end->place, err);

	if (r == 0)
		r = attestation_make(subject, attestation, blob, &artifact, err);
	if (r == 0)
		r = place_put(end->place, &artifact.bytes, &artifact.self.digest, err);
	if (r == 0)
		r = referrers_end_attach(end, end->place, &subject->digest, &artifact, err);
	if (r == 0 && ret)
		*ret = artifact.self;
	return r;
}

int attestation_put(const struct referrers_end *end, const struct varve_descriptor *subject,
		    const struct attestation *attestation, const struct buf *bytes,
		    struct varve_descriptor *ret, struct varve_error *err)
{
	struct varve_descriptor blob = {.size = bytes->len};
	int r = check_type(attestation->type, err);

	if (r < 0)
		return r;
	if (bytes->len > ATTESTATION_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "a document of %zu bytes is too large to attach",
				       bytes->len);
	(void)snprintf(blob.media_type, sizeof(blob.media_type), "%s", attestation->type);
	digest_bytes(bytes->data, bytes->len, &blob.digest);
	r = place_put(end->place, bytes, &blob.digest, err);
	return r < 0 ? r : put_manifest(end, subject, attestation, &blob, ret, err);
}

int attestation_put_file(const struct referrers_end *end, const struct varve_descriptor *subject,
			 const struct attestation *attestation, int fd,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	struct varve_descriptor blob = {.size = 0};
	int r = check_type(attestation->type, err);

	if (r < 0)
		return r;
	(void)snprintf(blob.media_type, sizeof(blob.media_type), "%s", attestation->type);
	r = place_copy_file(fd, end->place, &blob, err);
	return r < 0 ? r : put_manifest(end, subject, attestation, &blob, ret, err);
}

/* --- listing -------------------------------------------------------------------------------------
 */

void attestation_list_release(struct attestation_list *list)
{
	free(list->items);
	json_decref(list->index);
	*list = (struct attestation_list){0};
}

static int read_entry(const json_t *object, struct attestation_entry *ret, struct varve_error *err)
{
	ret->type = json_optional_string(object, "artifactType", "");
	ret->annotations = json_object_get(object, "annotations");
	return descriptor_from_json(object, &ret->manifest, err);
}

static int read_entries(struct attestation_list *list, struct varve_error *err)
{
	const json_t *entry, *entries = json_object_get(list->index, "manifests");
	size_t i;

	list->items = xcalloc(json_array_size(entries) + 1, sizeof(*list->items));
	json_array_foreach(entries, i, entry)
	{
		int r = read_entry(entry, &list->items[list->count++], err);

		if (r < 0) {
			varve_error_prefix(err, "list of referrers");
			return r;
		}
	}
	return 0;
}

int attestation_list(const struct referrers_end *end, const struct varve_digest *subject,
		     const char *type, struct attestation_list *ret, struct varve_error *err)
{
	struct attestation_list list = {0};
	int r = referrers_end_list(end, subject, type, &list.index, err);

	if (r == 0)
		r = read_entries(&list, err);
	if (r < 0)
		attestation_list_release(&list);
	else
		*ret = list;
	return r;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int check_subject(const struct manifest *artifact, const struct varve_digest *subject,
			 struct varve_error *err)
{
	struct varve_descriptor named;
	char digest[VARVE_DIGEST_TEXT];
	int r = referrers_subject(artifact, &named, err);

	if (r < 0)
		return r;
	if (r == 0 || !varve_digest_equal(&named.digest, subject))
		return varve_error_set(
			err, -VARVE_E_FORMAT, "is listed as a referrer, but refers to %s",
			r == 0 ? "nothing" : varve_digest_text(&named.digest, digest));
	return 0;
}

static int get_manifest(const struct referrers_end *end, const struct varve_digest *subject,
			const struct varve_descriptor *manifest, struct manifest *ret,
			struct varve_error *err)
{
	int r = referrers_end_fetch(end, manifest, err);

	if (r == 0)
		r = place_get_manifest(end->place, manifest, ret, err);
	return r < 0 ? r : check_subject(ret, subject, err);
}

int attestation_read(const struct referrers_end *end, const struct varve_digest *subject,
		     const struct varve_descriptor *manifest, struct buf *ret_bytes,
		     char ret_type[VARVE_MEDIA_TYPE], struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest artifact = {0};
	const struct varve_descriptor *blob;
	int r = get_manifest(end, subject, manifest, &artifact, err);

	if (r < 0)
		return r;
	if (artifact.is_index || artifact.child_count != 2)
		return varve_error_set(err, -VARVE_E_FORMAT, "has %zu blobs, not one",
				       artifact.is_index ? 0 : artifact.child_count - 1);
	blob = &artifact.children[1];
	if (ret_type)
		memcpy(ret_type, blob->media_type, VARVE_MEDIA_TYPE);
	return place_read(end->place, blob, ATTESTATION_LIMIT, ret_bytes, err);
}

int attestation_verify(const struct referrers_end *end, const struct varve_digest *subject,
		       const struct varve_descriptor *manifest, struct varve_error *err)
{
	CLEANUP(manifest_release) struct manifest artifact = {0};
	int r = get_manifest(end, subject, manifest, &artifact, err);

	for (size_t i = 0; i < artifact.child_count && r == 0; i++)
		r = place_verify(end->place, &artifact.children[i], err);
	return r;
}
