/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/verify.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "registry/copy_source.h"

static void print(const struct cli *cli, const struct verify_rows *rows)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (cli->values.json)
		verify_rows_print_json(rows, &text);
	else
		verify_rows_print(rows, &text);
	fputs(buf_text(&text), stdout);
}

static int read_wanted(const struct cli *cli, struct verify_keys *keys, struct policy *policy,
		       struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < cli->values.keys.count && r == 0; i++)
		r = verify_keys_add(keys, cli->values.keys.items[i], err);
	if (r == 0 && cli->values.policy)
		r = policy_read(cli->values.policy, policy, err);
	return r < 0 ? r : policy_add_keys(policy, keys, err);
}

static int open_source(struct remote *remote, const char *text, struct endpoint *endpoint,
		       struct copy_source *source, struct varve_error *err)
{
	struct place landing;
	int r = endpoint_parse_image(text, endpoint, err);

	if (r < 0)
		return r;
	place_of_store(&landing, remote->session.store, remote->uploads);
	r = copy_source_open(&remote->copy, endpoint, &landing, false, source, err);
	place_release(&landing);
	return r;
}

/* Documents that are not what they should be are a finding, not a failure of the command. */
static bool is_finding(int r, const struct copy_source *source)
{
	return r == -VARVE_E_DIGEST || r == -VARVE_E_FORMAT ||
	       (r == -VARVE_E_NOT_FOUND && !varve_digest_is_none(&source->named.digest));
}

static int verify(struct remote *remote, const struct cli *cli, const struct verify *wanted,
		  struct varve_error *err)
{
	struct verify verify = *wanted;
	CLEANUP(copy_source_release) struct copy_source source = {.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(endpoint_release) struct endpoint endpoint = {0};
	struct referrers_end end;
	int r = open_source(remote, cli->arguments.items[0], &endpoint, &source, err);

	if (is_finding(r, &source)) {
		verify_rows_add(verify.rows, "documents", err->text);
		return 0;
	}
	if (r < 0)
		return r;
	end = copy_source_end(&source);
	verify.place = &source.place;
	verify.name = cli->arguments.items[0];
	verify.end = endpoint_has_referrers(&endpoint) ? &end : NULL;
	return verify_run(&verify, &source.named, &source.root, err);
}

int cmd_verify(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(verify_rows_release) struct verify_rows rows = {0};
	CLEANUP(verify_keys_release) struct verify_keys keys = {0};
	CLEANUP(policy_release) struct policy policy = {0};
	struct verify wanted = {
		.keys = &keys, .policy = cli->values.policy ? &policy : NULL, .rows = &rows};
	int r = read_wanted(cli, &keys, &policy, err);

	verify_rows_init(&rows);
	if (r == 0)
		r = remote_open(&remote, cli, false, err);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (r == 0)
		r = verify(&remote, cli, &wanted, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	print(cli, &rows);
	cli->status = rows.failed ? cli_exit_code(-VARVE_E_COMPARE) : 0;
	return 0;
}
