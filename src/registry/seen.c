/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/seen.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { SEEN_LINES = 8, SEEN_CANDIDATES = 3, SEEN_NAME = 80 };

static const char *fact_name(const struct varve_digest *digest, char name[SEEN_NAME])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(name, SEEN_NAME, "seen/%s.at", varve_digest_hex(digest, hex));
	return name;
}

static void read_lines(struct varve_store *store, const struct varve_digest *digest,
		       struct strv *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char name[SEEN_NAME];
	char *rest, *line;

	if (store_fact_read(store, fact_name(digest, name), &text) < 0 || text.len == 0)
		return;
	rest = text.data;
	while ((line = strsep(&rest, "\n")) && ret->count < SEEN_LINES) {
		if (*line)
			strv_add(ret, line);
	}
}

static char *line_of(const struct registry *registry)
{
	return xasprintf("%s/%s", registry_host(registry), registry_repository(registry));
}

void seen_note(struct varve_store *store, const struct varve_digest *digest,
	       const struct registry *registry)
{
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(free_ptr) char *own = line_of(registry);
	char name[SEEN_NAME];

	read_lines(store, digest, &lines);
	if (strv_contains(&lines, own))
		return;
	buf_addf(&text, "%s\n", own);
	for (size_t i = 0; i < lines.count && i + 1 < SEEN_LINES; i++)
		buf_addf(&text, "%s\n", lines.items[i]);
	(void)store_fact_write(store, fact_name(digest, name), text.data, text.len);
}

void seen_elsewhere(struct varve_store *store, const struct varve_digest *digest,
		    const struct registry *registry, struct strv *ret)
{
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(free_ptr) char *prefix = xasprintf("%s/", registry_host(registry));

	read_lines(store, digest, &lines);
	for (size_t i = 0; i < lines.count && ret->count < SEEN_CANDIDATES; i++) {
		const char *repository = lines.items[i] + strlen(prefix);

		if (str_starts(lines.items[i], prefix) &&
		    !str_equal(repository, registry_repository(registry)) &&
		    !strv_contains(ret, repository))
			strv_add(ret, repository);
	}
}
