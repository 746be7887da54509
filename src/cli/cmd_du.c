/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/session.h"
#include "base/size_text.h"

int cmd_du(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct store_usage usage = {0};
	uint64_t total = 0;
	char size[16];
	size_t i;
	int r;

	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = store_du(session.store, &usage, err);
	if (r < 0)
		return r;
	const struct {
		const char *name, *what;
		uint64_t bytes;
	} rows[] = {
		{"blobs", "layers, images and artifacts", usage.blobs},
		{"trees", "unpacked layers", usage.trees},
		{"records", "what is known of steps", usage.records},
		{"facts", "caches of the program", usage.facts},
		{"caches", "cache directories of steps", usage.caches},
		{"logs", "output of steps", usage.logs},
		{"temporary", "work in progress, or left by killed builds", usage.temporary},
	};
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		total += rows[i].bytes;
		json_set(document, rows[i].name, json_integer((json_int_t)rows[i].bytes));
		if (!cli->values.json)
			printf("%10s  %-10s %s\n", size_text(rows[i].bytes, size), rows[i].name,
			       rows[i].what);
	}
	json_set(document, "total", json_integer((json_int_t)total));
	if (!cli->values.json) {
		printf("%10s  total in %s\n", size_text(total, size), store_path(session.store));
		return 0;
	}
	json_canonical(document, &text);
	puts(buf_text(&text));
	return 0;
}
