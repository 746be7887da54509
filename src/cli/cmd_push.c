/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/remote.h"

static void endpoints_free(struct endpoint *endpoints, size_t count)
{
	for (size_t i = 0; i < count; i++)
		endpoint_release(&endpoints[i]);
	free(endpoints);
}

/* A target may leave out docker://: push goes to registries only. */
static int parse_target(const char *text, struct endpoint *ret, struct varve_error *err)
{
	ret->kind = ENDPOINT_REGISTRY;
	return reference_parse(text, &ret->reference, err);
}

/* Without a target the image goes where its name says. */
static int parse_targets(const struct strv *arguments, struct endpoint *ret, size_t *ret_count,
			 struct varve_error *err)
{
	int r = 0;

	for (size_t i = 1; i < arguments->count && r == 0; i++) {
		r = parse_target(arguments->items[i], &ret[*ret_count], err);
		*ret_count += r == 0;
	}
	if (arguments->count > 1)
		return r;
	r = parse_target(arguments->items[0], &ret[0], err);
	if (r < 0) {
		varve_error_hint(err, "or say where to: varve push %.200s docker://HOST/NAME:TAG",
				 arguments->items[0]);
		return r;
	}
	*ret_count = 1;
	return 0;
}

int cmd_push(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	struct endpoint *to = xcalloc(cli->arguments.count + 1, sizeof(*to));
	struct endpoint from = {.kind = ENDPOINT_STORE};
	size_t count = 0;
	int r;

	from.name = cli->arguments.items[0];
	r = parse_targets(&cli->arguments, to, &count, err);
	if (r == 0)
		r = remote_open(&remote, cli, true, err);
	if (r == 0)
		r = remote_copy(&remote, &from, to, count, err);
	endpoints_free(to, count);
	return r;
}
