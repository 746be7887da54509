/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_essential.h"

#include <stdbool.h>
#include <string.h>

#include <solv/knownid.h>
#include <solv/solvable.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/deb_archive.h"

void deb_names_with(const char *text, const char *line, struct strv *ret)
{
	CLEANUP(free_ptr) char *mark = xasprintf("\n%s\n", line);
	const char *at = text, *start;

	while ((at = strstr(at, mark))) {
		CLEANUP(buf_release) struct buf name = BUF_INIT;

		/* Back to the empty line before the stanza. */
		for (start = at; start > text && !(start[0] == '\n' && start[-1] == '\n'); start--)
			;
		start += *start == '\n';
		if (deb_stanza_field(start, "Package", &name) &&
		    !strv_contains(ret, buf_text(&name)))
			strv_add(ret, buf_text(&name));
		at += strlen(mark) - 1;
	}
}

/* Marks what solvable p needs among those that come in; returns true when something new was marked.
 */
static bool mark_needs(Pool *pool, Id p, const Map *coming, Map *marked)
{
	bool grown = false;
	Queue needs;
	int i;

	queue_init(&needs);
	solvable_lookup_deparray(pool_id2solvable(pool, p), SOLVABLE_REQUIRES, &needs, 0);
	for (i = 0; i < needs.count; i++) {
		Id provider, pp;

		FOR_PROVIDES(provider, pp, needs.elements[i])
		{
			if (!MAPTST(coming, provider) || MAPTST(marked, provider))
				continue;
			MAPSET(marked, provider);
			grown = true;
		}
	}
	queue_free(&needs);
	return grown;
}

void deb_essential_closure(Pool *pool, const Queue *steps, const struct strv *names, Map *ret)
{
	bool grown = true;
	Map coming;
	int i;

	map_init(ret, pool->nsolvables);
	map_init(&coming, pool->nsolvables);
	for (i = 0; i < steps->count; i++) {
		Id p = steps->elements[i];

		MAPSET(&coming, p);
		if (strv_contains(names, pool_id2str(pool, pool_id2solvable(pool, p)->name)))
			MAPSET(ret, p);
	}
	while (grown) {
		grown = false;
		for (i = 0; i < steps->count; i++)
			if (MAPTST(ret, steps->elements[i]))
				grown = mark_needs(pool, steps->elements[i], &coming, ret) || grown;
	}
	map_free(&coming);
}
