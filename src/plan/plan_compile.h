/* SPDX-License-Identifier: Apache-2.0
 * Compiling, inside: one walk over the chosen images -> their stages -> the steps whose `if` holds
 * -> the sources that those use. Collecting is the same walk without a lock: facts of sources read
 * as PLAN_UNKNOWN_FACT, and nothing is looked up. */
#ifndef PLAN_PLAN_COMPILE_H
#define PLAN_PLAN_COMPILE_H

#include "plan/plan.h"

/* A number, so that a typed field that uses a fact still reads while collecting. */
#define PLAN_UNKNOWN_FACT "0"

enum { STAGE_UNSEEN = -1, STAGE_OPEN = -2 };

struct compiler {
	const struct recipe *recipe;
	const struct recipe_scope *scope;
	const struct lock *lock; /* NULL: collecting */
	const struct plan_options *options;
	struct plan *plan;
	int *stage_index; /* by stage of the recipe: its index in the plan, or STAGE_* */
	const struct strv *environment; /* what ${env.NAME} looks into, beside the defaults */
	struct strv facts; /* texts that lookups handed out */
	const struct recipe_place *at; /* of the text that is being expanded */
	int lookup_code; /* why a lookup failed, where it is more than an unknown name */
	struct varve_error lookup_error;
};

/* --- plan_compile.c --- */
/* Expands a value that becomes part of a key. Caller frees *ret (NULL for an absent value). */
int compile_expand(struct compiler *c, const struct recipe_value *value, char **ret,
		   struct varve_error *err);
int compile_expand_unkeyed(struct compiler *c, const struct recipe_value *value, char **ret,
			   struct varve_error *err);
/* Appends each expanded value. */
int compile_values(struct compiler *c, const struct recipe_values *values, struct strv *ret,
		   struct varve_error *err);
/* Compiles a stage with all that it needs, once. */
int compile_stage(struct compiler *c, const struct recipe_value *name, const char *text, int *ret,
		  struct varve_error *err);

/* --- plan_sources.c --- */
/* Adds the source called text, once per spec. below: the step under an install; PLAN_NONE
 * elsewhere. */
int compile_source(struct compiler *c, const struct recipe_value *at, const char *text, int below,
		   int *ret, struct varve_error *err);
/* What keys see of a source. */
json_t *plan_source_json(const struct plan_source *source);
json_t *plan_artifact_json(const struct lock_artifact *artifact);

/* --- plan_spec.c --- */
/* The resolved spec (source/source.h has its members). */
int compile_spec(struct compiler *c, const struct recipe_source *source, int below, json_t **ret,
		 struct varve_error *err);

/* --- plan_install.c --- */
/* The lists of wheels that an install step makes layers of, one list per layer; a list of none
 * where it is not split. */
struct install_parts {
	struct strv *items;
	size_t count;
};
void install_parts_release(struct install_parts *parts);
int compile_parts(struct compiler *c, const struct recipe_step *from, int below,
		  struct install_parts *ret, struct varve_error *err);
int compile_install(struct compiler *c, const struct recipe_step *from, struct plan_step *step,
		    struct varve_error *err);
/* What keys see of the wheels of a step, and of the program that installs them. */
json_t *plan_wheels_json(const struct plan *plan, const struct plan_step *step);
/* Newest date of the wheels of a step, 0: unknown. */
int64_t plan_wheels_date(const struct plan *plan, const struct plan_step *step);

/* --- plan_facts.c --- */
/* recipe_lookup: "env.NAME" and "SOURCE.FACT". */
const char *compile_lookup(void *cookie, const char *name);

/* --- plan_ownership.c --- */
int compile_ownership(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		      struct varve_error *err);

/* --- plan_step.c --- */
/* On top of the stage: one step, or several where it is split. */
int compile_step(struct compiler *c, const struct recipe_step *from, int stage,
		 struct varve_error *err);

/* --- plan_reference.c --- */
/* "source", or "stage:path" -> content, index and path of mount. below as in compile_source. */
int compile_reference(struct compiler *c, const struct recipe_value *value, int below,
		      struct plan_mount *ret, struct varve_error *err);
/* Expanded absolute path, cleaned; a trailing "/" stays where keep_slash. Caller frees. */
int compile_path(struct compiler *c, const struct recipe_value *value, bool keep_slash, char **ret,
		 struct varve_error *err);
/* The same for a pattern or a path below "/": no leading "/". Caller frees. */
int compile_pattern(struct compiler *c, const struct recipe_value *value, char **ret,
		    struct varve_error *err);
int compile_mounts(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		   struct varve_error *err);

/* --- plan_environment.c --- */
/* Sets each pair in *environment, which ${env.NAME} sees while it grows. */
int compile_environment(struct compiler *c, const struct recipe_pairs *pairs,
			struct strv *environment, struct varve_error *err);
/* Value of a variable that every process has, or NULL. */
const char *plan_environment_default(const char *name);
/* Everything that the step's process gets; needs step->epoch. */
int compile_step_environment(struct compiler *c, const struct recipe_step *from,
			     struct plan_step *step, struct varve_error *err);

/* --- plan_epoch.c --- */
/* Newest date of what the step is made from; of its chain: of that step and all below. */
int64_t plan_step_epoch(const struct compiler *c, const struct plan_step *step);
int64_t plan_chain_epoch(const struct compiler *c, int step);

/* --- plan_scrub.c --- */
/* The name of a built-in set becomes its patterns; others are kept. Sorted, each once. */
int compile_scrub(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		  struct varve_error *err);

/* --- plan_split.c --- */
int compile_split(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		  struct varve_error *err);

/* --- plan_base.c --- */
/* Checks what the lock says of an image source; other kinds pass. */
int compile_check_base(const struct plan_source *source, struct varve_error *err);
/* Adds the environment of the image below the chain that ends at top. */
void compile_base_environment(const struct plan *plan, int top, struct strv *environment);
/* The config of an image on that chain: what the image below says, then take_config's members.
 * Owned by the caller. */
json_t *compile_inherit(const struct plan *plan, int top, json_t *take_config);

/* --- plan_image.c, plan_config.c --- */
int compile_images(struct compiler *c, struct varve_error *err);
int compile_config(struct compiler *c, const struct recipe_image *from,
		   const struct strv *environment, json_t **ret, struct varve_error *err);
int compile_checks(struct compiler *c, const char *image, json_t **ret, struct varve_error *err);

/* --- plan_key.c --- */
/* One serialiser for plan --json, keys and records. known NULL: stages by name, without chains. */
int plan_step_json(const struct plan *plan, int step, const struct plan_known *known, json_t **ret,
		   int *ret_unknown);

/* --- plan.c --- */
/* "; did you mean \"x\"?" or "". Caller frees. */
char *plan_suggest(const char *word, const struct strv *names);
/* What a step does, in words: "copy build:/out to /usr". */
void plan_describe(const struct plan *plan, const struct plan_step *step, struct buf *out);

#endif
