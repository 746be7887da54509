/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "audit/attestation.h"
#include "audit/sigstore_bundle.h"
#include "base/cleanup.h"

enum { SUBJECTS = 1000 }; /* that a statement names */

json_t *attestation_statement(const struct varve_digest *subject, const char *predicate_type,
			      json_t *take_predicate)
{
	json_t *statement = json_object(), *subjects = json_array(), *one = json_object();
	json_t *digest = json_object();
	char hex[VARVE_DIGEST_HEX];

	json_set(digest, "sha256", json_text(varve_digest_hex(subject, hex)));
	json_set(one, "digest", digest);
	json_append(subjects, one);
	json_set(statement, "_type", json_text(STATEMENT_TYPE));
	json_set(statement, "subject", subjects);
	json_set(statement, "predicateType", json_text(predicate_type));
	json_set(statement, "predicate", take_predicate);
	return statement;
}

static bool is_about(const json_t *subjects, const struct varve_digest *subject)
{
	char hex[VARVE_DIGEST_HEX];
	const json_t *one;
	size_t i;

	varve_digest_hex(subject, hex);
	json_array_foreach(subjects, i, one)
	{
		const json_t *digest = json_object_get(one, "digest");

		if (str_equal(json_optional_string(digest, "sha256", ""), hex))
			return true;
	}
	return false;
}

int attestation_check_statement(const json_t *statement, const struct varve_digest *subject,
				struct varve_error *err)
{
	const char *type = NULL, *predicate = NULL;
	char digest[VARVE_DIGEST_TEXT];
	json_t *subjects = NULL;
	int r = json_get_string(statement, "_type", &type, err);

	if (r == 0)
		r = json_get_string(statement, "predicateType", &predicate, err);
	if (r == 0)
		r = json_get_array(statement, "subject", &subjects, err);
	if (r < 0)
		return r;
	if (!str_equal(type, STATEMENT_TYPE) &&
	    !str_equal(type, "https://in-toto.io/Statement/v0.1"))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "is no in-toto statement: _type is "
				       "\"%.100s\"",
				       type);
	if (json_array_size(subjects) > SUBJECTS)
		return varve_error_set(err, -VARVE_E_LIMIT, "names more than %d subjects",
				       (int)SUBJECTS);
	if (!is_about(subjects, subject))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "the statement is about something else than %s",
				       varve_digest_text(subject, digest));
	return 0;
}

/* --- finding -------------------------------------------------------------------------------------
 */

static int parse_bare(const struct buf *bytes, json_t **ret, struct varve_error *err)
{
	return json_parse(buf_text(bytes), bytes->len, "statement", ret, err);
}

static int parse_bundle(const struct buf *bytes, json_t **ret, struct varve_error *err)
{
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	int r = sigstore_bundle_parse(buf_text(bytes), bytes->len, &bundle, err);

	return r < 0 ? r : parse_bare(&bundle.payload, ret, err);
}

/* 1: it is one with this predicate. */
static int read_statement(const struct referrers_end *end, const struct varve_digest *subject,
			  const struct attestation_entry *entry, const char *predicate_type,
			  json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *statement = NULL;
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	int r = attestation_read(end, subject, &entry->manifest, &bytes, NULL, err);

	if (r < 0)
		return r;
	r = str_equal(entry->type, ATTESTATION_BUNDLE) ? parse_bundle(&bytes, &statement, err)
						       : parse_bare(&bytes, &statement, err);
	if (r == 0)
		r = attestation_check_statement(statement, subject, err);
	if (r < 0)
		return r;
	if (!str_equal(json_optional_string(statement, "predicateType", ""), predicate_type))
		return 0;
	*ret = steal_ptr(&statement);
	return 1;
}

int attestation_find_statement(const struct referrers_end *end, const struct varve_digest *subject,
			       const char *predicate_type, json_t **ret, struct varve_error *err)
{
	CLEANUP(attestation_list_release) struct attestation_list list = {0};
	char digest[VARVE_DIGEST_TEXT];
	int r = attestation_list(end, subject, NULL, &list, err);

	for (size_t i = 0; i < list.count && r == 0; i++) {
		const struct attestation_entry *entry = &list.items[i];

		if (str_equal(entry->type, ATTESTATION_STATEMENT) ||
		    str_equal(entry->type, ATTESTATION_BUNDLE))
			r = read_statement(end, subject, entry, predicate_type, ret, err);
	}
	if (r != 0)
		return r < 0 ? r : 0;
	return varve_error_set(err, -VARVE_E_NOT_FOUND, "%s has no attestation of type %s",
			       varve_digest_text(subject, digest), predicate_type);
}
