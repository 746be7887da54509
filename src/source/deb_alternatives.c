/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_alternatives.h"

#include <solv/bitmap.h>
#include <solv/knownid.h>
#include <solv/solvable.h>

struct walk {
	Pool *pool;
	Queue reached; /* solvables, in the order in which they were met */
	Map met;
	Queue *names;
};

/* The name in "NAME (>= 1)" and "NAME:any". */
static Id name_of(const Pool *pool, Id dependency)
{
	while (ISRELDEP(dependency))
		dependency = GETRELDEP(pool, dependency)->name;
	return dependency;
}

static bool is_alternative(const Pool *pool, Id dependency)
{
	return ISRELDEP(dependency) && GETRELDEP(pool, dependency)->flags == REL_OR;
}

/* The package of that name; where there is none, all that provide it. */
static void reach(struct walk *w, Id dependency)
{
	Pool *pool = w->pool; /* FOR_PROVIDES wants this name */
	Id name = name_of(pool, dependency), p, pp;
	bool named = false;

	FOR_PROVIDES(p, pp, dependency)
	named = named || pool_id2solvable(pool, p)->name == name;
	FOR_PROVIDES(p, pp, dependency)
	{
		if (MAPTST(&w->met, p) || (named && pool_id2solvable(pool, p)->name != name))
			continue;
		MAPSET(&w->met, p);
		queue_push(&w->reached, p);
	}
}

/* The alternatives are a list: each relation holds one and the rest, or the rest and one. */
static Id first_of(Pool *pool, Id dependency)
{
	Reldep *relation;
	Id first;

	if (!is_alternative(pool, dependency))
		return pool_whatprovides(pool, dependency) > 1 ? dependency : 0;
	relation = GETRELDEP(pool, dependency);
	first = first_of(pool, relation->name);
	return first ? first : first_of(pool, relation->evr);
}

static void meet(struct walk *w, Id dependency)
{
	Id first = first_of(w->pool, dependency);

	if (first == 0)
		return;
	if (is_alternative(w->pool, dependency))
		queue_pushunique(w->names, name_of(w->pool, first));
	reach(w, first);
}

static void meet_all(struct walk *w, Id p, Id keyname)
{
	Queue needs;
	int i;

	queue_init(&needs);
	solvable_lookup_deparray(pool_id2solvable(w->pool, p), keyname, &needs, 0);
	for (i = 0; i < needs.count; i++)
		if (needs.elements[i] != SOLVABLE_PREREQMARKER)
			meet(w, needs.elements[i]);
	queue_free(&needs);
}

void deb_first_alternatives(Pool *pool, const Queue *wanted, bool recommends, Queue *ret)
{
	struct walk w = {.pool = pool, .names = ret};
	int i;

	queue_init(&w.reached);
	map_init(&w.met, pool->nsolvables);
	for (i = 0; i < wanted->count; i++)
		meet(&w, wanted->elements[i]);
	for (i = 0; i < w.reached.count; i++) {
		meet_all(&w, w.reached.elements[i], SOLVABLE_REQUIRES);
		if (recommends)
			meet_all(&w, w.reached.elements[i], SOLVABLE_RECOMMENDS);
	}
	map_free(&w.met);
	queue_free(&w.reached);
}
