/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_pins.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <solv/bitmap.h>
#include <solv/repo.h>
#include <solv/solvable.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/deb_solve.h"

/* A pin, cut in two. */
struct pin {
	char *name, *value;
	bool is_suite; /* value is a suite or mirror, not a version */
	bool used; /* some package has the name, and what the pin asks for */
};
struct pins {
	struct pin *items;
	size_t count;
};

static void pins_release(struct pins *pins)
{
	size_t i;

	for (i = 0; i < pins->count; i++) {
		free(pins->items[i].name);
		free(pins->items[i].value);
	}
	free(pins->items);
}

static void pins_read(const struct strv *texts, struct pins *ret)
{
	size_t i;

	ret->items = xcalloc(texts->count + 1, sizeof(*ret->items));
	for (i = 0; i < texts->count; i++) {
		size_t len = strcspn(texts->items[i], "=/");

		ret->items[ret->count++] = (struct pin){.name = xstrndup(texts->items[i], len),
							.value = xstrdup(texts->items[i] + len + 1),
							.is_suite = texts->items[i][len] == '/'};
	}
}

static bool matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, 0) == 0;
}

static bool pin_allows(const struct pin *pin, Pool *pool, const Solvable *s)
{
	const struct deb_packages *from = s->repo->appdata;

	if (!pin->is_suite)
		return matches(pin->value, pool_id2str(pool, s->evr));
	return matches(pin->value, from->suite ? from->suite : "") ||
	       matches(pin->value, from->mirror);
}

enum verdict { NOT_PINNED, REFUSED, ALLOWED };

/* Each pin of the name has to agree. */
static enum verdict judge(struct pins *pins, Pool *pool, const Solvable *s)
{
	enum verdict verdict = NOT_PINNED;
	size_t i;

	for (i = 0; i < pins->count; i++) {
		struct pin *pin = &pins->items[i];

		if (!matches(pin->name, pool_id2str(pool, s->name)))
			continue;
		if (!pin_allows(pin, pool, s))
			return REFUSED;
		pin->used = true;
		verdict = ALLOWED;
	}
	return verdict;
}

/* Names that a suite has which needs not be asked for: they are marked. */
static void mark_automatic(Pool *pool, Map *names)
{
	Id p;

	map_init(names, pool->ss.nstrings);
	FOR_POOL_SOLVABLES(p)
	{
		const Solvable *s = pool_id2solvable(pool, p);
		const struct deb_packages *from = s->repo->appdata;

		if (from && !from->optional)
			MAPSET(names, s->name);
	}
}

static bool is_allowed(struct pins *pins, Pool *pool, const Map *automatic, const Solvable *s)
{
	const struct deb_packages *from = s->repo->appdata;
	enum verdict verdict;

	if (!from) /* is installed */
		return true;
	verdict = judge(pins, pool, s);
	if (verdict != NOT_PINNED)
		return verdict == ALLOWED;
	return !from->optional || !MAPTST(automatic, s->name);
}

static int check_used(const struct pins *pins, const struct strv *texts, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < pins->count; i++)
		if (!pins->items[i].used)
			return varve_error_set(err, -VARVE_E_RESOLVE,
					       "no package of these suites is what the pin \"%s\" "
					       "asks for",
					       texts->items[i]);
	return 0;
}

void deb_pins_release(Pool *pool)
{
	if (pool->considered)
		map_free(pool->considered);
	free(pool->considered);
	pool->considered = NULL;
}

int deb_pins_apply(Pool *pool, const struct strv *texts, struct varve_error *err)
{
	static const struct strv none = STRV_INIT;
	CLEANUP(pins_release) struct pins pins = {0};
	Map automatic;
	Id p;

	pins_read(texts ? texts : &none, &pins);
	mark_automatic(pool, &automatic);
	pool->considered = xcalloc(1, sizeof(*pool->considered));
	map_init(pool->considered, pool->nsolvables);
	map_setall(pool->considered);
	FOR_POOL_SOLVABLES(p)
	{
		if (!is_allowed(&pins, pool, &automatic, pool_id2solvable(pool, p)))
			MAPCLR(pool->considered, p);
	}
	map_free(&automatic);
	return check_used(&pins, texts ? texts : &none, err);
}
