/* SPDX-License-Identifier: Apache-2.0
 * What refers to the images of a build, in the store: all of it written at once. */
#include "cli/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/index.h"
#include "registry/reference.h"
#include "registry/referrers.h"
#include "store/store_batch.h"

enum { FACT_NAME = 80 };

/* True for what an earlier build attached, unless it is one of those that are to stay. */
static bool is_older(const json_t *entry, const struct varve_descriptor *stay, size_t count)
{
	const json_t *annotations = json_object_get(entry, "annotations");
	struct varve_digest digest;

	if (!str_equal(json_optional_string(annotations, ATTEST_MADE_BY, NULL), ATTEST_BUILD) ||
	    json_get_digest(entry, "digest", &digest, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (varve_digest_equal(&stay[i].digest, &digest))
			return false;
	return true;
}

static void drop_older(json_t *list, const struct varve_descriptor *stay, size_t count)
{
	json_t *entries = json_object_get(list, "manifests");

	for (size_t i = 0; i < json_array_size(entries);)
		if (is_older(json_array_get(entries, i), stay, count))
			(void)json_array_remove(entries, i);
		else
			i++;
}

/* What is attached by now, as a fact: the next build of the same need not look. */
struct attested {
	char name[FACT_NAME]; /* of the fact */
	char text[2 * VARVE_DIGEST_TEXT + 1]; /* statement, inputs */
	char tag[VARVE_DIGEST_TEXT]; /* the list that they are in */
};

static void name_attested(const struct attest *attest, size_t image,
			  const struct varve_descriptor *manifest, struct attested *ret)
{
	const struct buf *statement = &attest->statements[image];
	char hex[VARVE_DIGEST_HEX], one[VARVE_DIGEST_TEXT], other[VARVE_DIGEST_TEXT];
	struct varve_digest digest;

	digest_bytes(statement->data, statement->len, &digest);
	(void)snprintf(ret->name, sizeof(ret->name), "attested/%s",
		       varve_digest_hex(&manifest->digest, hex));
	(void)snprintf(ret->text, sizeof(ret->text), "%s %s", varve_digest_text(&digest, one),
		       varve_digest_text(&attest->inputs.blob.digest, other));
	(void)reference_referrers_tag(&manifest->digest, ret->tag);
}

static bool is_listed(const json_t *index, const char *tag)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(index, "manifests"), i,
			   entry) if (str_equal(index_entry_name(entry), tag)) return true;
	return false;
}

/* index: of the store, read before. */
static bool is_attested(struct varve_store *store, const json_t *index, const struct attested *want)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	return store_fact_read(store, want->name, &text) == 0 &&
	       str_equal(buf_text(&text), want->text) && is_listed(index, want->tag);
}

static void add_copy(struct store_batch *batch, const void *data, size_t len,
		     struct varve_descriptor *ret)
{
	struct buf bytes = BUF_INIT;

	buf_add(&bytes, data, len);
	store_batch_add(batch, &bytes, ret);
}

/* An image that is being attested. */
struct subject {
	const struct varve_descriptor *manifest;
	json_t *list; /* of what refers to it; NULL: nothing */
	struct store_batch *batch;
};

static void subject_release(struct subject *subject)
{
	json_decref(subject->list);
}

static int add_one(struct subject *subject, enum attest_kind kind,
		   const struct varve_descriptor *blob, struct varve_descriptor *ret,
		   struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *annotations = NULL;
	CLEANUP(manifest_release) struct manifest artifact = {0};
	const struct attestation attestation = attest_describe(kind, &annotations);
	struct varve_descriptor typed = *blob, unused = {.size = 0};
	json_t *longer;
	int r;

	(void)snprintf(typed.media_type, sizeof(typed.media_type), "%s", attestation.type);
	r = attestation_make(subject->manifest, &attestation, &typed, &artifact, err);
	if (r < 0)
		return r;
	*ret = artifact.self;
	add_copy(subject->batch, artifact.bytes.data, artifact.bytes.len, &unused);
	longer = referrers_enter(subject->list, &artifact);
	if (longer) {
		json_decref(subject->list);
		subject->list = longer;
	}
	return 0;
}

/* What refers to it in the store; NULL: nothing. */
static int old_list(struct varve_store *store, const struct varve_descriptor *manifest,
		    json_t **ret, struct varve_error *err)
{
	struct place place;
	const struct referrers_end end = {.place = &place, .sessions = -1};
	int r;

	place_of_store(&place, store, -1);
	r = referrers_end_list(&end, &manifest->digest, NULL, ret, err);
	place_release(&place);
	return r;
}

static int attach(struct subject *subject, const struct attest *attest, const struct buf *statement,
		  const char *tag, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	struct varve_descriptor blob = {.size = 0}, made[ATTEST_KINDS];
	struct varve_descriptor listed = {.media_type = VARVE_MEDIA_INDEX};
	int r = add_one(subject, ATTEST_INPUTS, &attest->inputs.blob, &made[ATTEST_INPUTS], err);

	add_copy(subject->batch, statement->data, statement->len, &blob);
	if (r == 0)
		r = add_one(subject, ATTEST_STATEMENT, &blob, &made[ATTEST_STATEMENT], err);
	if (r < 0)
		return r;
	drop_older(subject->list, made, ATTEST_KINDS);
	json_canonical(subject->list, &bytes);
	store_batch_add(subject->batch, &bytes, &listed);
	store_batch_name(subject->batch, tag, &listed);
	return 0;
}

/* Images that need it; the facts of them in ret_facts, which has room for all. */
static int attach_all(const struct attest *attest, const struct varve_descriptor *manifests,
		      struct store_batch *batch, struct attested *ret_facts, size_t *ret_count,
		      struct varve_error *err)
{
	struct varve_store *store = attest->session->store;
	CLEANUP(json_decrefp) json_t *index = NULL;
	struct varve_descriptor config = {.size = 0};
	int r = store_index_read(store, &index, err);

	*ret_count = 0;
	for (size_t i = 0; i < attest->count && r == 0; i++) {
		CLEANUP(subject_release)
		struct subject subject = {.manifest = &manifests[i], .batch = batch};
		struct attested *one = &ret_facts[*ret_count];

		name_attested(attest, i, &manifests[i], one);
		if (is_attested(store, index, one))
			continue;
		if (is_listed(index, one->tag))
			r = old_list(store, &manifests[i], &subject.list, err);
		if (r == 0)
			r = attach(&subject, attest, &attest->statements[i], one->tag, err);
		if (r == 0 && batch->size > STORE_BATCH_LARGE)
			r = store_batch_flush(batch, store, err);
		++*ret_count;
	}
	if (*ret_count > 0)
		add_copy(batch, ATTESTATION_CONFIG, strlen(ATTESTATION_CONFIG), &config);
	return r;
}

/* Without a lock: what the last build attached stays. */
static int all_are_attested(const struct attest *attest, const struct varve_descriptor *manifests,
			    struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	int r = store_index_read(attest->session->store, &index, err);
	bool all = true;

	for (size_t i = 0; i < attest->count && r == 0 && all; i++) {
		struct attested one;

		name_attested(attest, i, &manifests[i], &one);
		all = is_attested(attest->session->store, index, &one);
	}
	return r < 0 ? r : all;
}

int attest_keep(const struct attest *attest, const struct varve_descriptor *manifests,
		struct varve_error *err)
{
	CLEANUP(free_ptr) struct attested *facts = xcalloc(attest->count + 1, sizeof(*facts));
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	struct varve_store *store = attest->session->store;
	CLEANUP(fd_close) int lock = -1;
	size_t count = 0;
	int r = all_are_attested(attest, manifests, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = store_lock(store, "referrers", true, true, &lock, err);
	if (r == 0)
		r = attach_all(attest, manifests, &batch, facts, &count, err);
	if (r == 0)
		r = store_batch_write(&batch, store, err);
	for (size_t i = 0; i < count && r == 0; i++)
		(void)store_fact_write(store, facts[i].name, facts[i].text, strlen(facts[i].text));
	if (r < 0)
		varve_error_prefix(err, "keep provenance in the store");
	return r;
}
