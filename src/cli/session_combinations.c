/* SPDX-License-Identifier: Apache-2.0
 * --all: what a recipe needs under any values of its options. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/session_lock.h"

enum { COMBINATIONS = 1024 };

/* One option that is gone through. */
struct dial {
	const struct recipe_option *option;
	size_t count, at;
};
struct dials {
	struct dial *items;
	size_t count;
};

static void dials_release(struct dials *dials)
{
	free(dials->items);
}

static bool is_given(const struct session *session, const struct recipe_option *option)
{
	const struct strv *set = &session->cli->values.set;
	size_t len = strlen(option->name.text), i;

	for (i = 0; i < set->count; i++)
		if (strncmp(set->items[i], option->name.text, len) == 0 &&
		    set->items[i][len] == '=')
			return true;
	return false;
}

static size_t value_count(const struct recipe_option *option)
{
	switch (option->type) {
	case OPTION_CHOICE:
		return option->choices.count;
	case OPTION_BOOLEAN:
		return 2;
	case OPTION_STRING:
	case OPTION_INTEGER:
	case OPTION_JOBS:
		break;
	}
	return 0;
}

static const char *value_at(const struct dial *dial)
{
	if (dial->option->type == OPTION_BOOLEAN)
		return dial->at == 0 ? "false" : "true";
	return dial->option->choices.items[dial->at].text;
}

/* An option without a key cannot change what is locked. */
static int find_dials(const struct session *session, struct dials *ret, bool *ret_complete,
		      struct varve_error *err)
{
	const struct recipe *recipe = session->cli->recipe;
	size_t i, product = 1;

	*ret_complete = true;
	ret->items = xcalloc(recipe->option_count + 1, sizeof(*ret->items));
	for (i = 0; i < recipe->option_count; i++) {
		const struct recipe_option *option = &recipe->options[i];
		size_t count = value_count(option);

		if (!option->keyed)
			continue;
		if (count == 0 || is_given(session, option)) {
			*ret_complete = false;
			continue;
		}
		ret->items[ret->count++] = (struct dial){option, count, 0};
		product *= count;
		if (product > COMBINATIONS) {
			varve_error_set(err, -VARVE_E_USAGE,
					"--all: more than %d combinations of options",
					COMBINATIONS);
			varve_error_hint(err, "give some of them a value: --%s VALUE",
					 option->name.text);
			return -VARVE_E_USAGE;
		}
	}
	return 0;
}

/* The next combination; false after the last one. */
static bool turn(struct dials *dials)
{
	size_t i;

	for (i = dials->count; i-- > 0;) {
		if (++dials->items[i].at < dials->items[i].count)
			return true;
		dials->items[i].at = 0;
	}
	return false;
}

static bool has_source(const struct plan_sources *sources, const struct plan_source *source)
{
	size_t i;

	for (i = 0; i < sources->count; i++)
		if (strcmp(sources->items[i].name, source->name) == 0 &&
		    varve_digest_equal(&sources->items[i].digest, &source->digest))
			return true;
	return false;
}

/* Moves those that are new. */
static void merge(struct plan_sources *into, struct plan_sources *from)
{
	size_t i, kept = 0;

	for (i = 0; i < from->count; i++) {
		if (has_source(into, &from->items[i])) {
			from->items[kept++] = from->items[i];
			continue;
		}
		into->items =
			array_grow(into->items, into->count, &into->alloc, sizeof(*into->items));
		into->items[into->count++] = from->items[i];
	}
	from->count = kept;
}

/* What the recipe itself refuses is no combination to build; said, since it may be that an
 * option is missing. */
static void tell_refused(const struct session *session, const struct strv *chosen,
			 const struct varve_error *why)
{
	const struct varve_report *report = progress_report(session->progress);
	CLEANUP(free_ptr) char *words = strv_join(chosen, " ");
	CLEANUP(free_ptr) char *text = xasprintf("left out: %s: %s", words ? words : "", why->text);

	report->event(report->cookie,
		      &(struct varve_event){.kind = VARVE_EVENT_NOTICE, .text = text});
}

static int scope_of(const struct session *session, const struct strv *combination,
		    struct recipe_scope **ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv settings = STRV_INIT;

	session_settings(session, &settings);
	for (size_t i = 0; i < combination->count; i++)
		strv_add(&settings, combination->items[i]);
	return recipe_scope_new(session->cli->recipe, &settings, ret, err);
}

static int collect_one(struct session *session, const struct strv *combination,
		       struct plan_sources *ret, struct varve_error *err)
{
	CLEANUP(plan_sources_release) struct plan_sources sources = {0};
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	CLEANUP(free_ptr) char *words = NULL;
	int r = scope_of(session, combination, &scope, err);

	if (r == 0)
		r = plan_collect_sources(session->cli->recipe, scope, &session->plan_options,
					 &sources, err);
	if (r < 0 && combination->count > 0) {
		words = strv_join(combination, " ");
		varve_error_hint(err, "with %s", words);
	}
	if (r == 0)
		merge(ret, &sources);
	return r;
}

/* Leaves out what the recipe itself refuses. */
static int add_combination(const struct session *session, const struct dials *dials,
			   struct combinations *ret, struct varve_error *err)
{
	CLEANUP(recipe_scope_freep) struct recipe_scope *scope = NULL;
	CLEANUP(strv_release) struct strv combination = STRV_INIT;
	struct varve_error why = {0};
	size_t i;
	int r;

	for (i = 0; i < dials->count; i++)
		strv_addf(&combination, "%s=%s", dials->items[i].option->name.text,
			  value_at(&dials->items[i]));
	r = scope_of(session, &combination, &scope, err);
	if (r < 0)
		return r;
	if (recipe_require(session->cli->recipe, scope, &why) == -VARVE_E_USAGE) {
		tell_refused(session, &combination, &why);
		return 0;
	}
	ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
	ret->items[ret->count++] = combination;
	combination = (struct strv)STRV_INIT;
	return 0;
}

void combinations_release(struct combinations *combinations)
{
	size_t i;

	for (i = 0; i < combinations->count; i++)
		strv_release(&combinations->items[i]);
	free(combinations->items);
}

int session_combinations(const struct session *session, struct combinations *ret,
			 struct varve_error *err)
{
	CLEANUP(dials_release) struct dials dials = {0};
	int r = find_dials(session, &dials, &ret->complete, err);

	if (r < 0)
		return r;
	do
		r = add_combination(session, &dials, ret, err);
	while (r == 0 && turn(&dials));
	return r;
}

int session_all_sources(struct session *session, struct plan_sources *ret, bool *ret_complete,
			struct varve_error *err)
{
	CLEANUP(combinations_release) struct combinations all = {0};
	int r = session_combinations(session, &all, err);
	size_t i;

	for (i = 0; i < all.count && r == 0; i++)
		r = collect_one(session, &all.items[i], ret, err);
	*ret_complete = all.complete;
	return r;
}
