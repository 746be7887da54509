/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/signature.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/opened_subject.h"

static int read_format(const struct cli *cli, bool *ret_simple, struct varve_error *err)
{
	const char *format = cli->values.format;

	*ret_simple = str_equal(format, "simple");
	if (!format || *ret_simple || str_equal(format, "bundle"))
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "--format %s: bundle or simple", format);
}

static int read_key(const struct cli *cli, struct signature_key **ret, struct varve_error *err)
{
	if (cli->values.keys.count == 1)
		return signature_key_read(cli->values.keys.items[0], true, ret, err);
	varve_error_set(err, -VARVE_E_USAGE, "one --key is needed: a file with the private key");
	varve_error_hint(err, "make one with: openssl genpkey -algorithm EC -pkeyopt "
			      "ec_paramgen_curve:P-256 -out KEY");
	return -VARVE_E_USAGE;
}

/* What a simple signature says it is a signature of. Caller frees. */
static char *name_of(const struct endpoint *endpoint)
{
	if (endpoint->kind == ENDPOINT_REGISTRY)
		return xasprintf("%s/%s", endpoint->reference.host, endpoint->reference.repository);
	if (endpoint->kind == ENDPOINT_STORE)
		return xstrdup(endpoint->name);
	return xstrdup(endpoint->target.name ? endpoint->target.name : "");
}

static int sign(const struct opened_subject *subject, const struct signature_key *key, bool simple,
		struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = name_of(&subject->endpoint);

	if (simple)
		return signature_put_simple(&subject->end, &subject->self, key, name, ret, err);
	return signature_put_statement(
		&subject->end, &subject->self, key,
		attestation_statement(&subject->self.digest, PREDICATE_SIGNATURE, json_object()),
		ret, err);
}

int cmd_sign(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_subject_release) struct opened_subject subject = OPENED_SUBJECT_INIT;
	CLEANUP(signature_key_freep) struct signature_key *key = NULL;
	struct varve_descriptor attached;
	bool simple = false;
	int r = read_format(cli, &simple, err);

	if (r == 0)
		r = read_key(cli, &key, err);
	if (r == 0)
		r = remote_open(&remote, cli, true, err);
	if (r == 0)
		r = opened_subject_open(&remote, cli, true, &subject, err);
	if (r == 0)
		r = sign(&subject, key, simple, &attached, err);
	if (r < 0)
		return r;
	opened_subject_print(&subject, &remote, cli, &attached);
	return 0;
}
