/* SPDX-License-Identifier: Apache-2.0
 * Values of steps. */
#include "recipe/recipe_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "recipe/recipe_grammar.h"
#include "recipe/recipe_template.h"

#define ID_MAXIMUM INT64_C(4294967294) /* (uid_t)-1 means "leave alone" to the kernel */

static bool is_literal(const struct recipe_value *value)
{
	return value->text && !template_is(value->text);
}

static int check_targets(const struct recipe_pairs *pairs, const char *what,
			 struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pairs->count; i++) {
		const struct recipe_value *target = &pairs->items[i].name;

		r = grammar_check_literal(GRAMMAR_ABSOLUTE, target, what, err);
		if (r == 0 && is_literal(target) &&
		    target->text[strspn(target->text, "/.")] == '\0')
			r = recipe_error(&target->at, err, "\"%s\" cannot be %s: it is the root",
					 target->text, what);
	}
	return r;
}

/* "/src" and "/src/" are the same directory. */
static int check_distinct(const struct recipe_pairs *left, const struct recipe_pairs *right,
			  struct varve_error *err)
{
	for (size_t i = 0; i < left->count; i++) {
		CLEANUP(free_ptr) char *one = path_clean(left->items[i].name.text);

		for (size_t k = left == right ? i + 1 : 0; k < right->count; k++) {
			CLEANUP(free_ptr) char *two = path_clean(right->items[k].name.text);

			if (one && str_equal(one, two))
				return recipe_error(&right->items[k].name.at, err,
						    "\"%s\" is mounted on twice",
						    right->items[k].name.text);
		}
	}
	return 0;
}

static int check_mounts(const struct recipe_step *step, struct varve_error *err)
{
	int r = check_targets(&step->mounts, "the target of a mount", err);

	if (r == 0)
		r = check_targets(&step->caches, "the target of a cache", err);
	if (r == 0)
		r = check_distinct(&step->mounts, &step->mounts, err);
	if (r == 0)
		r = check_distinct(&step->caches, &step->caches, err);
	if (r == 0)
		r = check_distinct(&step->mounts, &step->caches, err);
	for (size_t i = 0; r == 0 && i < step->caches.count; i++)
		r = grammar_check_literal(GRAMMAR_NAME, &step->caches.items[i].value,
					  "the name of a cache", err);
	return r;
}

static int check_command(const struct recipe_step *step, struct varve_error *err)
{
	if (step->command.count > 0 && step->shell.count > 0)
		return recipe_error(
			&step->shell.items[0].at, err,
			"step \"%s\" runs a list of words, which no shell reads; remove "
			"\"shell\" or give \"run\" as one text",
			step->name.text);
	if (step->argument.text ? step->argument.text[strspn(step->argument.text, " \t\n")] == '\0'
				: step->command.count == 0)
		return recipe_error(&step->at, err, "step \"%s\" runs nothing", step->name.text);
	return 0;
}

static int check_network(const struct recipe_value *network, struct varve_error *err)
{
	if (!is_literal(network) || str_equal(network->text, "none") ||
	    str_equal(network->text, "host"))
		return 0;
	return recipe_error(&network->at, err, "\"network\" is \"none\" or \"host\", not \"%s\"",
			    network->text);
}

static int check_secrets(const struct recipe_values *secrets, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < secrets->count; i++) {
		r = grammar_check(GRAMMAR_SECRET, &secrets->items[i], "the name of a secret", err);
		for (size_t k = 0; r == 0 && k < i; k++)
			if (str_equal(secrets->items[k].text, secrets->items[i].text))
				r = recipe_error(&secrets->items[i].at, err,
						 "the secret \"%s\" is given twice",
						 secrets->items[i].text);
	}
	return r;
}

static int check_run(const struct recipe_step *step, struct varve_error *err)
{
	int64_t ignored;
	uint64_t size;
	int r = check_command(step, err);

	if (r == 0)
		r = check_mounts(step, err);
	if (r == 0)
		r = check_environment(&step->unkeyed_environment, &step->environment, err);
	if (r == 0)
		r = check_secrets(&step->secrets, err);
	if (r == 0)
		r = check_network(&step->network, err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_ABSOLUTE, &step->workdir, "a working directory",
					  err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_WORD, &step->user, "a user", err);
	if (r == 0 && is_literal(&step->jobs))
		r = recipe_jobs(&step->jobs, step->jobs.text, &ignored, err);
	if (r == 0 && is_literal(&step->jobs_memory))
		r = recipe_size(&step->jobs_memory, step->jobs_memory.text, &size, err);
	if (r == 0 && step->jobs_memory.text && !step->jobs.text)
		r = recipe_error(&step->jobs_memory.at, err,
				 "step \"%s\" says what a job takes, but not how many it runs: it "
				 "lacks \"jobs\"",
				 step->name.text);
	return r;
}

static int check_id(const struct recipe_value *id, struct varve_error *err)
{
	int64_t ignored;

	return is_literal(id) ? recipe_integer(id, id->text, 0, ID_MAXIMUM, &ignored, err) : 0;
}

static int check_owner(const struct recipe_ownership *owner, struct varve_error *err)
{
	int r = grammar_check_literal(GRAMMAR_PATTERN, &owner->path,
				      "the path of an ownership entry", err);

	if (r == 0 && !owner->uid.text && !owner->gid.text && !owner->mode.text)
		r = recipe_error(&owner->path.at, err,
				 "the ownership of \"%s\" says nothing; give it uid, gid or mode",
				 owner->path.text);
	if (r == 0)
		r = check_id(&owner->uid, err);
	if (r == 0)
		r = check_id(&owner->gid, err);
	return r < 0 ? r : grammar_check_literal(GRAMMAR_MODE, &owner->mode, "a mode", err);
}

const char *const recipe_slurm_names[] = {"partition", "account", "qos",  "constraint",  "cores",
					  "memory",    "gpus",    "time", "reservation", NULL};

static int check_slurm(const struct recipe_pairs *slurm, struct varve_error *err)
{
	for (size_t i = 0; i < slurm->count; i++) {
		const struct recipe_value *name = &slurm->items[i].name;
		const char *nearest = str_nearest(name->text, recipe_slurm_names);
		int r;

		if (nearest && str_equal(nearest, name->text))
			continue;
		r = recipe_error(&name->at, err, "\"slurm\" knows no \"%s\"", name->text);
		if (nearest)
			varve_error_hint(err, "did you mean \"%s\"?", nearest);
		return r;
	}
	return 0;
}

int check_no_wheels(const struct recipe_split *split, struct varve_error *err)
{
	const struct recipe_value *asked = &split->wheels;

	if (str_equal(split->word.text, "wheels"))
		asked = &split->word;
	if (!asked->text)
		return 0;
	return recipe_error(&asked->at, err,
			    "a step that installs no wheels is split by directories or a maximum");
}

static int check_split(const struct recipe_split *split, struct varve_error *err)
{
	uint64_t ignored;
	bool unused;
	int r = 0;

	if (is_literal(&split->word) && !str_equal(split->word.text, "none") &&
	    !str_equal(split->word.text, "wheels"))
		r = recipe_error(&split->word.at, err,
				 "\"split\" cannot be \"%s\"; it takes wheels, none or a map of "
				 "directories, maximum and wheels",
				 split->word.text);
	for (size_t i = 0; r == 0 && i < split->directories.count; i++)
		r = grammar_check_literal(GRAMMAR_PATTERN, &split->directories.items[i],
					  "a directory to split off", err);
	if (r == 0 && is_literal(&split->wheels))
		r = recipe_boolean(&split->wheels, split->wheels.text, &unused, err);
	if (r == 0 && is_literal(&split->maximum))
		r = recipe_size(&split->maximum, split->maximum.text, &ignored, err);
	return r;
}

int check_step(const struct recipe_step *step, struct varve_error *err)
{
	int r = grammar_check(GRAMMAR_NAME, &step->name, "the name of a step", err);

	if (r == 0)
		r = check_environment(&step->environment, NULL, err);
	if (r == 0)
		r = check_slurm(&step->slurm, err);
	if (r == 0 && step->action == ACTION_RUN)
		r = check_run(step, err);
	if (r == 0)
		r = grammar_check_literal(GRAMMAR_ABSOLUTE, &step->to, "a destination", err);
	if (r == 0 && step->ownership_strict && step->ownership_fast)
		r = recipe_error(&step->at, err,
				 "step \"%s\": ownership cannot be both \"strict\" and \"fast\"",
				 step->name.text);
	if (r == 0 && step->ownership_fast && step->action == ACTION_COPY)
		r = recipe_error(
			&step->at, err,
			"step \"%s\": \"ownership: fast\" is about commands, and a copy runs none",
			step->name.text);
	if (r == 0)
		r = check_split(&step->split, err);
	if (r == 0 && step->action != ACTION_INSTALL)
		r = check_no_wheels(&step->split, err);
	for (size_t i = 0; r == 0 && i < step->ownership_count; i++)
		r = check_owner(&step->ownership[i], err);
	for (size_t i = 0; r == 0 && i < step->scrub.count; i++)
		r = grammar_check_literal(GRAMMAR_PATTERN, &step->scrub.items[i], "a pattern", err);
	return r;
}
