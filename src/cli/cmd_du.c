/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/as_owner.h"
#include "cli/cli_options.h"
#include "cli/session.h"
#include "base/size_text.h"

/* What the measuring process found out. */
struct measured {
	int code;
	struct store_usage usage;
	struct varve_error err;
};

static void measure(void *cookie, void *result)
{
	struct measured *ret = result;

	ret->code = store_du(cookie, &ret->usage, &ret->err);
}

int cmd_du(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct measured measured = {0};
	const struct store_usage *usage = &measured.usage;
	uint64_t total = 0;
	char size[16];
	size_t i;
	int r;

	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = as_owner(
			&session,
			&(struct owner_work){measure, session.store, &measured, sizeof(measured)},
			err);
	if (r == 0)
		r = measured.code;
	if (r < 0 && measured.code < 0)
		*err = measured.err;
	if (r < 0)
		return r;
	const struct {
		const char *name, *what;
		uint64_t bytes;
	} rows[] = {
		{"blobs", "layers, images and artifacts", usage->blobs},
		{"trees", "unpacked layers", usage->trees},
		{"records", "what is known of steps", usage->records},
		{"facts", "caches of the program", usage->facts},
		{"caches", "cache directories of steps", usage->caches},
		{"logs", "output of steps", usage->logs},
		{"temporary", "work in progress, or left by killed builds", usage->temporary},
		{"other", "index, locks, and what is not varve's", usage->other},
	};
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		total += rows[i].bytes;
		json_set(document, rows[i].name, json_integer((json_int_t)rows[i].bytes));
		if (!cli->values.json)
			printf("%10s  %-10s %s\n", size_text(rows[i].bytes, size), rows[i].name,
			       rows[i].what);
	}
	json_set(document, "total", json_integer((json_int_t)total));
	if (store_work(session.store) != session.store)
		json_set(document, "scratch", json_integer((json_int_t)usage->scratch));
	if (!cli->values.json) {
		printf("%10s  total in %s\n", size_text(total, size), store_path(session.store));
		if (store_work(session.store) != session.store)
			printf("%10s  besides in %s\n", size_text(usage->scratch, size),
			       store_path(store_work(session.store)));
		return 0;
	}
	json_canonical(document, &text);
	puts(buf_text(&text));
	return 0;
}
