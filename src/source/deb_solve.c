/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_solve.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <solv/pool.h>
#include <solv/queue.h>
#include <solv/repo.h>
#include <solv/solvable.h>
#include <solv/solver.h>
#include <solv/transaction.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/deb_alternatives.h"
#include "source/deb_essential.h"
#include "source/deb_pins.h"
#include "source/deb_pool.h"

enum { SOLVE_PROBLEMS = 4 /* told of at most */ };

struct solve {
	const struct deb_question *question;
	Pool *pool;
	Solver *solver;
	Transaction *transaction;
	Queue jobs;
	struct strv essential; /* names */
	struct strv favoured; /* names: of packages that every system is meant to have */
};

static void solve_release(struct solve *s)
{
	if (s->transaction)
		transaction_free(s->transaction);
	if (s->solver)
		solver_free(s->solver);
	queue_free(&s->jobs);
	if (s->pool) {
		deb_pins_release(s->pool);
		pool_free(s->pool);
	}
	strv_release(&s->essential);
	strv_release(&s->favoured);
}

/* --- the pool ----------------------------------------------------------------------------------
 */

static void forget_relations(Pool *pool)
{
	static const Id relations[] = {SOLVABLE_REQUIRES, SOLVABLE_CONFLICTS, SOLVABLE_OBSOLETES,
				       SOLVABLE_RECOMMENDS};
	size_t i;
	Id p;

	FOR_POOL_SOLVABLES(p)
	{
		for (i = 0; i < ARRAY_SIZE(relations); i++)
			solvable_unset(pool_id2solvable(pool, p), relations[i]);
	}
}

static int fill_pool(struct solve *s, struct varve_error *err)
{
	const struct deb_question *q = s->question;
	Repo *repo;
	size_t i;
	int r;

	r = deb_pool_new(q->architecture, &s->pool, err);
	if (r < 0)
		return r;
	for (i = 0; i < q->index_count; i++) {
		r = deb_pool_add(s->pool, q->indexes[i].text, q->indexes[i].len,
				 q->indexes[i].mirror, &repo, err);
		if (r < 0)
			return r;
		repo->appdata = (void *)(uintptr_t)&q->indexes[i];
		deb_names_with(q->indexes[i].text, "Essential: yes", &s->essential);
		deb_names_with(q->indexes[i].text, "Priority: required", &s->favoured);
		deb_names_with(q->indexes[i].text, "Priority: important", &s->favoured);
	}
	r = deb_pool_add(s->pool, q->installed, strlen(q->installed), "installed", &repo, err);
	if (r < 0)
		return r;
	pool_set_installed(s->pool, repo);
	r = deb_pins_apply(s->pool, q->pins, err);
	if (r < 0)
		return r;
	if (q->alone)
		forget_relations(s->pool);
	pool_createwhatprovides(s->pool);
	return 0;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static bool is_provided(struct solve *s, Id name)
{
	return name && pool_whatprovides(s->pool, name) > 1;
}

static int no_such_package(struct solve *s, const char *name, struct varve_error *err)
{
	CLEANUP(free_ptr)
	const char **names = xcalloc((size_t)s->pool->nsolvables + 1, sizeof(*names));
	Pool *pool = s->pool; /* FOR_POOL_SOLVABLES wants this name */
	const char *nearest;
	size_t count = 0;
	Id p;

	FOR_POOL_SOLVABLES(p)
	names[count++] = pool_id2str(s->pool, pool_id2solvable(s->pool, p)->name);
	nearest = str_nearest(name, names);
	varve_error_set(err, -VARVE_E_RESOLVE, "no package \"%s\" for %s in these suites", name,
			s->question->architecture);
	if (nearest)
		varve_error_hint(err, "did you mean \"%s\"?", nearest);
	return -VARVE_E_RESOLVE;
}

/* dpkg's word for another architecture. */
static int foreign(const struct solve *s, const char *name, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_RESOLVE,
			"package \"%s\" asks for an architecture: an image has packages of one "
			"architecture only, here %s",
			name, s->question->architecture);
	varve_error_hint(err, "write the name alone; --platform makes images for another one");
	return -VARVE_E_RESOLVE;
}

static int want(struct solve *s, const char *text, struct varve_error *err)
{
	const char *equals = strchr(text, '='), *colon = strchr(text, ':');
	CLEANUP(free_ptr)
	char *name = xstrndup(text, equals ? (size_t)(equals - text) : strlen(text));
	Id id = pool_str2id(s->pool, name, 0);

	if (colon && (!equals || colon < equals))
		return foreign(s, name, err);
	if (!is_provided(s, id))
		return no_such_package(s, name, err);
	if (equals) {
		id = pool_rel2id(s->pool, id, pool_str2id(s->pool, equals + 1, 1), REL_EQ, 1);
		if (!is_provided(s, id))
			return varve_error_set(err, -VARVE_E_RESOLVE,
					       "package \"%s\" is not there as version %s", name,
					       equals + 1);
	}
	queue_push2(&s->jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_PROVIDES, id);
	return 0;
}

static void favour(struct solve *s, Id name)
{
	queue_push2(&s->jobs, SOLVER_FAVOR | SOLVER_SOLVABLE_NAME, name);
}

/* Who needs "libsystemd0" means the package of that name, not another that provides it too; who
 * needs "awk" gets the one that Debian gives to every system. apt chooses so; libsolv has to be
 * told. */
static void favour_usual_choices(struct solve *s)
{
	Pool *pool = s->pool; /* FOR_POOL_SOLVABLES and FOR_PROVIDES want this name */
	Id p, provider, pp;
	size_t i;

	for (i = 0; i < s->favoured.count; i++)
		favour(s, pool_str2id(pool, s->favoured.items[i], 1));
	FOR_POOL_SOLVABLES(p)
	{
		Id name = pool_id2solvable(pool, p)->name;
		bool others = false;

		FOR_PROVIDES(provider, pp, name)
		others = others || pool_id2solvable(pool, provider)->name != name;
		if (others)
			favour(s, name);
	}
}

/* Of two that are favoured libsolv takes the one that was named last. job_count: how many elements
 * of jobs say what is wanted. */
static void favour_first_alternatives(struct solve *s, int job_count)
{
	Queue wanted, names;
	int i;

	queue_init(&wanted);
	queue_init(&names);
	for (i = 1; i < job_count; i += 2)
		queue_push(&wanted, s->jobs.elements[i]);
	deb_first_alternatives(s->pool, &wanted, s->question->recommends, &names);
	for (i = names.count; i-- > 0;)
		favour(s, names.elements[i]);
	queue_free(&names);
	queue_free(&wanted);
}

/* On a new system the links from /bin to /usr/bin are made by whoever makes it: the package that
 * only states the fact is wanted, not the one that converts old systems. */
static void want_usr_is_merged(struct solve *s)
{
	Id id = pool_str2id(s->pool, "usr-is-merged", 0);

	if (is_provided(s, id))
		queue_push2(&s->jobs, SOLVER_INSTALL | SOLVER_WEAK | SOLVER_SOLVABLE_NAME, id);
}

static int make_jobs(struct solve *s, struct varve_error *err)
{
	const struct deb_question *q = s->question;
	size_t i;
	int r = 0, wanted;

	for (i = 0; i < q->packages->count && r == 0; i++)
		r = want(s, q->packages->items[i], err);
	for (i = 0; q->bootstrap && i < s->essential.count && r == 0; i++)
		r = want(s, s->essential.items[i], err);
	if (r < 0)
		return r;
	wanted = s->jobs.count;
	if (q->bootstrap)
		want_usr_is_merged(s);
	favour_usual_choices(s);
	favour_first_alternatives(s, wanted);
	return 0;
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* All rules of the problem: the one that libsolv would tell of may only say that something cannot
 * be. */
static int describe_problems(struct solve *s, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv told = STRV_INIT;
	Id source, target, dependency;
	Queue rules;
	int i;

	queue_init(&rules);
	solver_findallproblemrules(s->solver, 1, &rules);
	for (i = 0; i < rules.count && told.count < SOLVE_PROBLEMS; i++) {
		SolverRuleinfo info = solver_ruleinfo(s->solver, rules.elements[i], &source,
						      &target, &dependency);
		const char *text =
			solver_problemruleinfo2str(s->solver, info, source, target, dependency);

		if (info != SOLVER_RULE_JOB && !strv_contains(&told, text))
			strv_add(&told, text);
	}
	queue_free(&rules);
	if (told.count == 0)
		strv_add(&told, solver_problem2str(s->solver, 1));
	varve_error_set(err, -VARVE_E_RESOLVE, "the packages do not fit together: %s",
			told.items[0]);
	for (i = 1; i < (int)told.count; i++)
		varve_error_hint(err, "%s", told.items[i]);
	return -VARVE_E_RESOLVE;
}

static int run_solver(struct solve *s, struct varve_error *err)
{
	s->solver = solver_create(s->pool);
	solver_set_flag(s->solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !s->question->recommends);
	solver_set_flag(s->solver, SOLVER_FLAG_SPLITPROVIDES, 0);
	if (solver_solve(s->solver, &s->jobs) != 0)
		return describe_problems(s, err);
	s->transaction = solver_create_transaction(s->solver);
	transaction_order(s->transaction, 0);
	return 0;
}

/* Locations of a flat archive start at its directory, and often with "./". */
static char *from_of(const Solvable *solvable, const char *location)
{
	const struct deb_packages *packages = solvable->repo->appdata;
	const char *suite = packages->suite ? packages->suite : "";

	location += str_starts(location, "./") ? 2 : 0;
	if (!str_ends(suite, "/") || strcmp(suite, "/") == 0 || strcmp(suite, "./") == 0)
		suite = "";
	return xasprintf("%s:%s%s", packages->mirror, suite, location);
}

static int add_artifact(struct solve *s, Solvable *solvable, bool essential,
			struct lock_source *ret, struct varve_error *err)
{
	const char *location = solvable_lookup_location(solvable, NULL);
	const char *name = pool_id2str(s->pool, solvable->name);
	struct varve_digest sha256;
	struct lock_artifact *artifact;
	const unsigned char *bytes;
	Id type = 0;

	bytes = solvable_lookup_bin_checksum(solvable, SOLVABLE_CHECKSUM, &type);
	if (!location || !bytes || type != REPOKEY_TYPE_SHA256)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "package %s: its index has no SHA256 or Filename", name);
	memcpy(sha256.bytes, bytes, sizeof(sha256.bytes));
	artifact = lock_source_add(ret);
	artifact->name = xstrdup(name);
	artifact->version = xstrdup(pool_id2str(s->pool, solvable->evr));
	artifact->architecture = xstrdup(pool_id2str(s->pool, solvable->arch));
	artifact->size = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0);
	artifact->sha256 = sha256;
	artifact->from = from_of(solvable, location);
	if (essential) {
		artifact->extra = json_object();
		json_set(artifact->extra, "essential", json_true());
	}
	return 0;
}

static bool comes_in(struct solve *s, Id p)
{
	switch (transaction_type(s->transaction, p, SOLVER_TRANSACTION_SHOW_ACTIVE)) {
	case SOLVER_TRANSACTION_INSTALL:
	case SOLVER_TRANSACTION_MULTIINSTALL:
	case SOLVER_TRANSACTION_UPGRADE:
	case SOLVER_TRANSACTION_DOWNGRADE:
	case SOLVER_TRANSACTION_CHANGE:
	case SOLVER_TRANSACTION_REINSTALL:
		return true;
	default:
		return false;
	}
}

static int collect(struct solve *s, struct lock_source *ret, struct varve_error *err)
{
	Map essential;
	int i, r = 0;

	deb_essential_closure(s->pool, &s->transaction->steps, &s->essential, &essential);
	for (i = 0; i < s->transaction->steps.count && r == 0; i++) {
		Id p = s->transaction->steps.elements[i];

		if (comes_in(s, p))
			r = add_artifact(s, pool_id2solvable(s->pool, p),
					 s->question->bootstrap && MAPTST(&essential, p), ret, err);
	}
	map_free(&essential);
	return r;
}

int deb_solve(const struct deb_question *question, struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(solve_release) struct solve s = {.question = question};
	int r;

	queue_init(&s.jobs);
	r = fill_pool(&s, err);
	if (r == 0)
		r = make_jobs(&s, err);
	if (r == 0)
		r = run_solver(&s, err);
	return r < 0 ? r : collect(&s, ret, err);
}
