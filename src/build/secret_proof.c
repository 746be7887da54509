/* SPDX-License-Identifier: Apache-2.0 */
#include "build/secret_proof.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/fd.h"

enum { SECRET_FILE_MAXIMUM = 16 << 20 };

void secret_proof_release(struct secret_proof *proof)
{
	secret_set_release(&proof->set);
	strv_release(&proof->names);
	strv_release(&proof->places);
	*proof = (struct secret_proof){0};
}

/* An editor ends the last line, and whoever uses the secret takes that away. */
static size_t trimmed(const struct buf *text)
{
	size_t len = text->len;

	while (len > 0 && (text->data[len - 1] == '\n' || text->data[len - 1] == '\r'))
		len--;
	return len;
}

static int add(struct secret_proof *proof, const struct build_secret *secret, struct strv *notices,
	       struct varve_error *err)
{
	CLEANUP(secret_wipe) struct buf text = BUF_INIT;
	int r = fd_read_file(AT_FDCWD, secret->path, SECRET_FILE_MAXIMUM, &text, err);

	if (r < 0) {
		varve_error_prefix(err, "secret \"%s\"", secret->name);
		return r;
	}
	strv_add(&proof->names, secret->name);
	if (!secret_set_add(&proof->set, buf_text(&text), trimmed(&text)) && notices)
		strv_addf(notices,
			  "the secret \"%s\" has less than %d bytes: layer and output are not "
			  "searched for it",
			  secret->name, SECRET_MINIMUM);
	return 0;
}

int secret_proof_begin(const struct build_options *options, const struct strv *names,
		       struct strv *notices, struct secret_proof *ret, struct varve_error *err)
{
	CLEANUP(secret_proof_release) struct secret_proof proof = {0};
	int r = 0;

	for (size_t i = 0; i < options->secret_count && r == 0; i++)
		if (!names || strv_contains(names, options->secrets[i].name))
			r = add(&proof, &options->secrets[i], notices, err);
	if (r < 0)
		return r;
	if (proof.set.count > 0)
		secret_set_ready(&proof.set);
	*ret = proof;
	proof = (struct secret_proof){0};
	return 0;
}

bool secret_proof_is_needed(const struct secret_proof *proof)
{
	return proof->set.count > 0;
}

void secret_proof_note(struct secret_proof *proof, const char *place, const struct secret_hit *hit)
{
	CLEANUP(free_ptr)
	char *what = xasprintf("%s: \"%s\" ", place, proof->names.items[hit->pattern->secret]);

	/* The second view sees again what the first one saw. */
	for (size_t i = 0; i < proof->places.count; i++)
		if (str_starts(proof->places.items[i], what))
			return;
	if (proof->places.count == SECRET_PLACES)
		proof->more++;
	else
		strv_addf(&proof->places, "%s%s", what, secret_form_text(hit->form));
}

int secret_proof_verdict(const struct secret_proof *proof, struct varve_error *err)
{
	CLEANUP(free_ptr) char *places = NULL;

	if (proof->places.count == 0)
		return 0;
	places = strv_join(&proof->places, "; ");
	if (proof->more)
		varve_error_set(err, -VARVE_E_SECRET, "a secret is in %.700s; and %zu more", places,
				proof->more);
	else
		varve_error_set(err, -VARVE_E_SECRET, "a secret is in %.700s", places);
	varve_error_hint(err, "nothing of it was kept: what is in /run/secrets must go into "
			      "no layer, output or config");
	return -VARVE_E_SECRET;
}

/* --- documents -----------------------------------------------------------------------------------
 */

struct document_search {
	struct secret_proof *proof;
	struct secret_scan scan;
	const struct buf *place;
};

static void note_text(void *cookie, const struct secret_hit *hit)
{
	struct document_search *search = cookie;

	secret_proof_note(search->proof, buf_text(search->place), hit);
}

static void look_at_text(struct document_search *search, const struct buf *place, const char *text)
{
	search->place = place;
	secret_scan_begin(&search->scan);
	secret_scan_feed(&search->scan, text, strlen(text));
	secret_scan_end(&search->scan);
}

/* A member's own name may be a secret: then the place is that of the object. */
/* NOLINTNEXTLINE(misc-no-recursion): documents are varve's own, a few levels deep */
static void look_at(struct document_search *search, struct buf *place, const json_t *value)
{
	size_t len = place->len, found = search->proof->places.count + search->proof->more, i;
	const json_t *item;
	const char *key;

	if (json_is_string(value))
		look_at_text(search, place, json_string_value(value));
	for (i = 0; i < json_array_size(value); i++)
		look_at(search, place, json_array_get(value, i));
	if (!json_is_object(value))
		return;
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
	{
		look_at_text(search, place, key);
		if (search->proof->places.count + search->proof->more == found)
			buf_addf(place, ".%s", key);
		look_at(search, place, item);
		place->len = len;
		place->data[len] = '\0';
		found = search->proof->places.count + search->proof->more;
	}
}

void secret_proof_document(struct secret_proof *proof, const char *what, const json_t *document)
{
	CLEANUP(buf_release) struct buf place = BUF_INIT;
	struct document_search search = {.proof = proof,
					 .scan = {.set = &proof->set, .hit = note_text}};

	if (!secret_proof_is_needed(proof))
		return;
	search.scan.cookie = &search;
	buf_addstr(&place, what);
	look_at(&search, &place, document);
	secret_scan_release(&search.scan);
}
