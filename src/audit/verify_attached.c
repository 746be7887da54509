/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify_attached.h"

#include <stdlib.h>
#include "audit/attestation.h"
#include "audit/signature.h"
#include "audit/sigstore_bundle.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/reference.h"

enum { ATTACHED = 1000 }; /* that are looked at */

/* --- keys and facts ------------------------------------------------------------------------------
 */

int verify_keys_add(struct verify_keys *keys, const char *path, struct varve_error *err)
{
	struct signature_key *key = NULL;
	int r = signature_key_read(path, false, &key, err);

	if (r < 0)
		return r;
	keys->items = array_grow(keys->items, keys->count, &keys->alloc, sizeof(*keys->items));
	keys->items[keys->count++] = (struct verify_key){.name = xstrdup(path), .key = key};
	return 0;
}

void verify_keys_release(struct verify_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->items[i].name);
		signature_key_free(keys->items[i].key);
	}
	free(keys->items);
	*keys = (struct verify_keys){0};
}

void verify_facts_copy(const struct verify_facts *facts, struct verify_facts *ret)
{
	strv_extend(&ret->signed_by, &facts->signed_by);
	strv_extend(&ret->attested, &facts->attested);
	ret->provenance = json_incref(facts->provenance);
}

void verify_facts_release(struct verify_facts *facts)
{
	strv_release(&facts->signed_by);
	strv_release(&facts->attested);
	json_decrefp(&facts->provenance);
}

void verify_signed(const struct verify_keys *keys, const struct verify_facts *facts,
		   struct verify_rows *rows)
{
	for (size_t i = 0; i < keys->count; i++) {
		CLEANUP(free_ptr) char *what = xasprintf("signed by %s", keys->items[i].name);

		verify_rows_add(rows, what,
				strv_contains(&facts->signed_by, keys->items[i].name)
					? NULL
					: "there is no signature by this key");
	}
}

/* --- one of them ---------------------------------------------------------------------------------
 */

/* One look at what refers to a subject. */
struct look {
	const struct referrers_end *end;
	const struct varve_digest *subject;
	const struct verify_keys *keys;
	struct verify_facts *facts;
};

/* What is known of one: for its row. */
struct found {
	struct buf detail; /* behind its name; owned */
	const struct verify_key *by; /* NULL: signed by none of ours */
};

static void found_release(struct found *found)
{
	buf_release(&found->detail);
}

static void note_signed(const struct look *look, const struct verify_key *key)
{
	if (!strv_contains(&look->facts->signed_by, key->name))
		strv_add(&look->facts->signed_by, key->name);
}

static void note_attested(const struct look *look, const struct found *found, const char *type,
			  json_t *predicate)
{
	if (look->keys->count > 0 && !found->by)
		return;
	if (!strv_contains(&look->facts->attested, type))
		strv_add(&look->facts->attested, type);
	if (str_equal(type, PREDICATE_PROVENANCE) && !look->facts->provenance && predicate)
		look->facts->provenance = json_incref(predicate);
}

static int check_statement(const struct look *look, const struct buf *payload, struct found *found,
			   struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *statement = NULL;
	const char *type;
	int r = json_parse(buf_text(payload), payload->len, "statement", &statement, err);

	if (r == 0)
		r = attestation_check_statement(statement, look->subject, err);
	if (r < 0)
		return r;
	type = json_optional_string(statement, "predicateType", "");
	buf_addf(&found->detail, " %s", type);
	note_attested(look, found, type, json_object_get(statement, "predicate"));
	if (str_equal(type, PREDICATE_SIGNATURE) && found->by)
		note_signed(look, found->by);
	return 0;
}

/* A bundle that names one of our keys has to be by it; those of other keys say nothing to us. */
static int find_signer(const struct look *look, const struct sigstore_bundle *bundle,
		       struct found *found, struct varve_error *err)
{
	for (size_t i = 0; i < look->keys->count; i++) {
		const struct verify_key *key = &look->keys->items[i];

		if (sigstore_bundle_is_by(bundle, key->key)) {
			found->by = key;
			buf_addf(&found->detail, " by %s", key->name);
			return 0;
		}
		if (sigstore_bundle_claims(bundle, key->key))
			return varve_error_set(err, -VARVE_E_FORMAT,
					       "the signature is not that of %s over this text",
					       key->name);
	}
	return 0;
}

static int check_bundle(const struct look *look, const struct buf *bytes, struct found *found,
			struct varve_error *err)
{
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	int r = sigstore_bundle_parse(buf_text(bytes), bytes->len, &bundle, err);

	if (r == 0 && !str_equal(bundle.payload_type, ATTESTATION_STATEMENT))
		r = varve_error_set(err, -VARVE_E_FORMAT, "the envelope holds \"%.100s\"",
				    bundle.payload_type);
	if (r == 0)
		r = find_signer(look, &bundle, found, err);
	return r < 0 ? r : check_statement(look, &bundle.payload, found, err);
}

/* SPDX 2.x, clause 6.1; CycloneDX, bomFormat. */
static int check_sbom(const struct look *look, const struct buf *bytes, const char *type,
		      struct found *found, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	bool spdx = str_equal(type, ATTESTATION_SPDX);
	const char *mark;
	int r = json_parse(buf_text(bytes), bytes->len, "SBOM", &document, err);

	if (r < 0)
		return r;
	mark = json_optional_string(document, spdx ? "spdxVersion" : "bomFormat", "");
	if (spdx ? !str_starts(mark, "SPDX-") : !str_equal(mark, "CycloneDX"))
		return varve_error_set(err, -VARVE_E_FORMAT, "is no %s document",
				       spdx ? "SPDX" : "CycloneDX");
	note_attested(look, found, spdx ? PREDICATE_SPDX : PREDICATE_CYCLONEDX, NULL);
	return 0;
}

static int check_one(const struct look *look, const struct attestation_entry *entry,
		     struct found *found, struct varve_error *err)
{
	bool bundle = str_equal(entry->type, ATTESTATION_BUNDLE);
	bool statement = str_equal(entry->type, ATTESTATION_STATEMENT);
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	char type[VARVE_MEDIA_TYPE];
	int r;

	if (!bundle && !statement && !str_equal(entry->type, ATTESTATION_SPDX) &&
	    !str_equal(entry->type, ATTESTATION_CYCLONEDX))
		return attestation_verify(look->end, look->subject, &entry->manifest, err);
	r = attestation_read(look->end, look->subject, &entry->manifest, &bytes, type, err);
	if (r == 0 && !str_equal(type, entry->type))
		r = varve_error_set(err, -VARVE_E_FORMAT, "its blob is of another type: \"%s\"",
				    type);
	if (r < 0)
		return r;
	if (bundle)
		return check_bundle(look, &bytes, found, err);
	if (statement)
		return check_statement(look, &bytes, found, err);
	return check_sbom(look, &bytes, type, found, err);
}

static void add_row(struct verify_rows *rows, const struct attestation_entry *entry,
		    const struct found *found, const char *why)
{
	char digest[VARVE_DIGEST_TEXT];
	CLEANUP(free_ptr)
	char *what = xasprintf("attached %.19s %.100s%.300s",
			       varve_digest_text(&entry->manifest.digest, digest), entry->type,
			       buf_text(&found->detail));

	verify_rows_add(rows, what, why);
}

/* --- simple signatures ---------------------------------------------------------------------------
 */

static int check_simple(const struct look *look, const json_t *layer, struct found *found,
			struct varve_error *err)
{
	CLEANUP(simple_signature_release)
	struct simple_signature one = {BUF_INIT, BUF_INIT};
	int r = simple_read(look->end, layer, &one, err);

	if (r == 0)
		r = simple_check_payload(&one.payload, look->subject, err);
	for (size_t i = 0; i < look->keys->count && r == 0; i++) {
		const struct verify_key *key = &look->keys->items[i];

		if (!signature_key_verify(key->key, one.payload.data, one.payload.len,
					  one.signature.data, one.signature.len))
			continue;
		note_signed(look, key);
		buf_addf(&found->detail, " by %s", key->name);
	}
	return r;
}

/* The manifest has no subject: its name says what it is about, and each text that is signed. */
static int look_at_simple(const struct look *look, struct verify_rows *rows,
			  struct varve_error *err)
{
	CLEANUP(referrers_named_release) struct referrers_named named = {.version = NULL};
	char name[REFERENCE_SIGNATURES_TAG];
	const json_t *layer;
	size_t i;
	int r = referrers_end_find(look->end, reference_signatures_tag(look->subject, name), &named,
				   err);

	if (r == 1)
		r = referrers_end_fetch(look->end, &named.manifest.self, err);
	if (r < 0) {
		verify_rows_add(rows, "simple signatures", err->text);
		return 0;
	}
	json_array_foreach(json_object_get(named.manifest.document, "layers"), i, layer)
	{
		CLEANUP(found_release) struct found found = {.detail = BUF_INIT};
		CLEANUP(free_ptr) char *what = NULL;
		struct varve_error why = {0};
		int checked = check_simple(look, layer, &found, &why);

		what = xasprintf("simple signature %zu%s", i + 1, buf_text(&found.detail));
		verify_rows_add(rows, what, checked < 0 ? why.text : NULL);
	}
	return 0;
}

/* --- all -----------------------------------------------------------------------------------------
 */

int verify_attached(const struct referrers_end *end, const struct varve_digest *subject,
		    const struct verify_keys *keys, struct verify_facts *facts,
		    struct verify_rows *rows, struct varve_error *err)
{
	CLEANUP(attestation_list_release) struct attestation_list list = {0};
	const struct look look = {end, subject, keys, facts};
	int r = attestation_list(end, subject, NULL, &list, err);

	if (r == -VARVE_E_FORMAT || r == -VARVE_E_DIGEST || r == -VARVE_E_NOT_FOUND) {
		verify_rows_add(rows, "list of what is attached", err->text);
		r = 0;
	}
	if (r == 0 && list.count > ATTACHED)
		r = varve_error_set(err, -VARVE_E_LIMIT, "more than %d referrers", (int)ATTACHED);
	for (size_t i = 0; i < list.count && r == 0; i++) {
		CLEANUP(found_release) struct found found = {.detail = BUF_INIT};
		struct varve_error why = {0};
		int checked = check_one(&look, &list.items[i], &found, &why);

		add_row(rows, &list.items[i], &found, checked < 0 ? why.text : NULL);
	}
	return r < 0 ? r : look_at_simple(&look, rows, err);
}
