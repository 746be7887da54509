/* SPDX-License-Identifier: Apache-2.0
 * A recipe as data. parse (text -> struct, positions, shape) -> check (meaning) -> expand (with
 * option values). Pure: includes come through a callback. Immutable once checked. Grammar:
 * varve-recipe(5). */
#ifndef RECIPE_RECIPE_H
#define RECIPE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/error.h>
#include "base/strv.h"

struct buf;

/* A place in one of the recipe's files, counted from 1; line 0: nowhere. */
struct recipe_place {
	const char *file; /* borrowed from the recipe */
	unsigned line, column;
};

/* A scalar as it was written; text may hold ${...}. text NULL: absent. */
struct recipe_value {
	char *text;
	struct recipe_place at;
};

/* NAME: VALUE, in the order written. */
struct recipe_pair {
	struct recipe_value name, value;
};
struct recipe_pairs {
	struct recipe_pair *items;
	size_t count, alloc;
};
struct recipe_values {
	struct recipe_value *items;
	size_t count, alloc;
};

enum recipe_option_type {
	OPTION_STRING,
	OPTION_INTEGER,
	OPTION_BOOLEAN,
	OPTION_CHOICE,
	OPTION_JOBS, /* a number of parallel jobs, or RECIPE_JOBS_AUTO */
};

/* What a step, or the settings of a machine, may ask of Slurm. Ends with NULL. */
extern const char *const recipe_slurm_names[];

/* A number of jobs that is for the host to say. */
#define RECIPE_JOBS_AUTO "auto"
enum { RECIPE_JOBS_MAXIMUM = 4096 };

struct recipe_option {
	struct recipe_value name; /* [a-z][a-z0-9-]* */
	enum recipe_option_type type; /* choices given: OPTION_CHOICE */
	struct recipe_values choices;
	struct recipe_value value; /* default; text NULL: none */
	bool required;
	bool has_minimum, has_maximum;
	int64_t minimum, maximum; /* OPTION_INTEGER */
	bool keyed; /* false: may reach a step only through jobs, unkeyed-environment */
	struct recipe_value help;
};

/* variables: a plain name -> value, or a table of rows chosen by an option's value. */
struct recipe_row {
	struct recipe_value choice; /* the option's value that picks the row */
	struct recipe_pairs columns;
};
struct recipe_table {
	struct recipe_value option; /* option name; text NULL: a plain variable in `plain` */
	struct recipe_row *rows;
	size_t count, alloc;
};

enum recipe_source_kind {
	SOURCE_DEBIAN,
	SOURCE_LOCAL,
	SOURCE_URL,
	SOURCE_PYTHON,
	SOURCE_GIT,
	SOURCE_IMAGE,
};

/* A further archive of a debian source. */
struct recipe_repository {
	struct recipe_value mirror, suite, keyring;
	struct recipe_values components; /* default: main; none where suite ends with "/" */
};

struct recipe_source {
	struct recipe_value name;
	enum recipe_source_kind kind;
	struct recipe_place at;
	struct recipe_value condition; /* if */
	/* debian */
	struct recipe_value suite;
	struct recipe_value snapshot; /* YYYYMMDDTHHMMSSZ */
	struct recipe_values suites; /* further suites of the same source: bookworm-security, ... */
	struct recipe_values components; /* default: main */
	struct recipe_values packages;
	struct recipe_value architecture; /* default: the platform's */
	struct recipe_value
		keyring; /* path beside the recipe; default: the host's Debian keyring */
	struct recipe_value recommends; /* boolean, default false */
	struct recipe_value dependencies; /* boolean, default true; of python sources too */
	struct recipe_value mirror; /* mirror name, default: debian */
	struct recipe_repository *repositories;
	size_t repository_count, repository_alloc;
	struct recipe_values pins; /* NAME=VERSION, NAME/SUITE, with * and ? */
	/* python */
	struct recipe_value python; /* version: "3.11" */
	struct recipe_values requirements; /* as pip knows them, without URLs */
	struct recipe_value lock; /* pylock.toml or requirements.txt, beside the recipe */
	struct recipe_values constraints; /* on packages that others bring */
	struct recipe_values beside; /* python sources that are installed in the same place */
	struct recipe_value before; /* date: nothing published later */
	struct recipe_value sdist; /* boolean: source distributions of what is named, no wheels */
	struct recipe_value prereleases; /* boolean */
	struct recipe_values index; /* names of indexes looked at before the main one */
	struct recipe_value glibc; /* version that wheels may need, default 2.28 */
	/* url */
	struct recipe_value href, sha256;
	struct recipe_value unpack; /* boolean */
	struct recipe_value strip; /* leading components to drop when unpacking, default 0 */
	struct recipe_value filename; /* name of the file; default: last component of href */
	/* local */
	struct recipe_value path; /* directory or file, relative to the recipe */
	struct recipe_value ignore; /* ignore file (gitignore syntax), relative to path; default
				       .varveignore where it exists */
	/* git */
	struct recipe_value url; /* GRAMMAR_GIT_URL */
	struct recipe_value ref; /* branch, tag or commit; default: the server's HEAD */
	struct recipe_value track; /* boolean: resolved again at each build */
	struct recipe_value submodules; /* boolean */
	struct recipe_value subdirectory; /* of the repository: only what is in it */
	struct recipe_values exclude; /* patterns of paths that are left out */
	/* image */
	struct recipe_value reference; /* GRAMMAR_IMAGE */
	struct recipe_value platform; /* OS/ARCH[/VARIANT]; default: the build's */
};

enum recipe_action { ACTION_INSTALL, ACTION_COPY, ACTION_RUN };

struct recipe_ownership { /* path with uid, gid, mode: all but path may be absent */
	struct recipe_value path, uid, gid, mode;
};

/* How a step becomes several layers. */
struct recipe_split {
	struct recipe_value word; /* written alone: wheels or none */
	struct recipe_value wheels; /* boolean, install of wheels: a layer of each large one */
	struct recipe_values directories; /* each with what is in it: a layer of its own */
	struct recipe_value maximum; /* size: larger layers are divided further */
};

struct recipe_step {
	struct recipe_value name;
	struct recipe_place at;
	enum recipe_action action;
	struct recipe_value argument; /* install: source; copy: source or stage:path; run: script */
	struct recipe_values command; /* run given as a list: argv; then argument.text is NULL */
	struct recipe_value condition; /* if */
	struct recipe_value to; /* copy: destination */
	struct recipe_value link; /* copy: boolean, take the destination as it is written */
	struct recipe_value into; /* install of wheels: directory, /opt/venv by default */
	struct recipe_value layout; /* install of wheels: venv (default), prefix or directory */
	struct recipe_value bytecode; /* install of wheels: boolean, compile modules */
	struct recipe_values exclude; /* copy: patterns left out */
	struct recipe_pairs environment, unkeyed_environment;
	struct recipe_value workdir, user;
	struct recipe_values shell; /* default: /bin/sh -eu -c */
	struct recipe_pairs mounts; /* target -> source or stage:path */
	struct recipe_pairs caches; /* target -> cache name */
	struct recipe_value resume; /* directory kept until the step is done */
	struct recipe_values secrets; /* names */
	struct recipe_value network; /* none (default) or host */
	struct recipe_value
		jobs; /* value for ${jobs}... and the environment variables MAKEFLAGS etc. */
	struct recipe_value jobs_memory; /* what one job takes at most: a number of bytes, as 7G */
	struct recipe_pairs slurm; /* what its job asks of a cluster (recipe_slurm_names) */
	struct recipe_ownership *ownership;
	size_t ownership_count, ownership_alloc;
	bool ownership_strict; /* ownership: strict, or an entry of the list */
	bool ownership_fast; /* likewise */
	struct recipe_values scrub; /* patterns, or names of built-in sets */
	struct recipe_split split;
};

struct recipe_stage {
	struct recipe_value name;
	struct recipe_value from; /* stage, image source or GRAMMAR_IMAGE; absent: nothing below */
	struct recipe_pairs environment; /* for its steps, stages on top of it and images */
	struct recipe_step *steps;
	size_t count, alloc;
};

struct recipe_image {
	struct recipe_value name_in_recipe; /* key under images: */
	struct recipe_value stage;
	struct recipe_value name; /* template: repository:tag */
	struct recipe_value condition;
	/* config */
	struct recipe_pairs environment, labels;
	struct recipe_value workdir, user, stop_signal;
	struct recipe_values command, entrypoint, ports, volumes;
};

struct recipe_check {
	struct recipe_value name, run, image, user, condition; /* image absent: every image */
	struct recipe_value gpu; /* boolean: makes sense only where there is a GPU */
};

/* What must hold of the options together. */
struct recipe_requirement {
	struct recipe_value condition; /* if: absent: always */
	struct recipe_value that; /* as an if */
	struct recipe_value message; /* what is said where it does not hold */
};

struct recipe {
	char **files; /* names of the recipe and its includes; count entries */
	size_t file_count, file_alloc;
	struct recipe_value name;
	struct recipe_value registry; /* HOST[/PREFIX] for names without a host */
	struct recipe_option *options;
	size_t option_count, option_alloc;
	struct recipe_pairs plain; /* plain variables */
	struct recipe_table *tables;
	size_t table_count, table_alloc;
	struct recipe_source *sources;
	size_t source_count, source_alloc;
	struct recipe_stage *stages;
	size_t stage_count, stage_alloc;
	struct recipe_image *images;
	size_t image_count, image_alloc;
	struct recipe_check *checks;
	size_t check_count, check_alloc;
	struct recipe_requirement *requirements;
	size_t requirement_count, requirement_alloc;
	char digest[65]; /* sha256 (hex) of the canonical form of the merged document */
};

void recipe_free(struct recipe *recipe);
void recipe_freep(struct recipe **recipe);

/* Loads the text of `include: [FILE]`, named relative to the including file; the recipe makes the
 * name (dir of the includer + "/" + FILE). Appends to out. */
typedef int (*recipe_load)(void *cookie, const char *name, struct buf *out,
			   struct varve_error *err);

/* Text -> recipe: YAML, anchors, merge keys, includes (depth 8, 64 files, 1 MiB each), types,
 * unknown and duplicate keys, "did you mean". -VARVE_E_RECIPE with file:line:column. load NULL:
 * includes refused. */
int recipe_parse(const char *text, size_t len, const char *file, recipe_load load, void *cookie,
		 struct recipe **ret, struct varve_error *err);

/* Meaning, independent of option values: dangling and unused names (sources, stages, options,
 * caches of variables), cycles of stages, name grammars, rows that miss a choice, unkeyed options
 * where they must not reach, duplicate destinations, reserved fields, options that collide with
 * reserved (ends NULL). */
int recipe_check(const struct recipe *recipe, const char *const *reserved_options,
		 struct varve_error *err);

/* --- expansion ---------------------------------------------------------------------------------
 */
/* Option values and variables, ready for ${...}. */
struct recipe_scope;
/* settings: "NAME=VALUE" in the order given (later wins). Unknown names, values out of range or
 * choice, missing required options: -VARVE_E_USAGE with the list of what is allowed. */
int recipe_scope_new(const struct recipe *recipe, const struct strv *settings,
		     struct recipe_scope **ret, struct varve_error *err);
void recipe_scope_free(struct recipe_scope *scope);
void recipe_scope_freep(struct recipe_scope **scope);
const char *recipe_scope_get(const struct recipe_scope *scope,
			     const char *name); /* NULL: no such */

/* Looks up what is neither option nor variable: "app.commit", "env.PATH". Returns NULL for unknown.
 */
typedef const char *(*recipe_lookup)(void *cookie, const char *name);

/* Expands ${name}, ${name:.N} (first N bytes), $${ (a literal ${). unknown name: error at its place
 * with the nearest known one. allow_unkeyed=false: an option with keyed: false is an error. lookup
 * may be NULL. A NULL value.text expands to NULL. Caller frees *ret. */
int recipe_expand(const struct recipe_scope *scope, const struct recipe_value *value,
		  bool allow_unkeyed, recipe_lookup lookup, void *cookie, char **ret,
		  struct varve_error *err);
/* if: absent -> true; else the expanded text is false when "", "false", "no" or "0"; also
 * "A == B" and "A != B" after expansion. */
int recipe_condition(const struct recipe_scope *scope, const struct recipe_value *condition,
		     bool *ret, struct varve_error *err);
/* requires: the first one that does not hold is -VARVE_E_USAGE with its message. */
int recipe_require(const struct recipe *recipe, const struct recipe_scope *scope,
		   struct varve_error *err);
/* A number of jobs: 1 to RECIPE_JOBS_MAXIMUM, or RECIPE_JOBS_AUTO, which is 0. */
int recipe_jobs(const struct recipe_value *at, const char *text, int64_t *ret,
		struct varve_error *err);
/* A number of bytes, with K, M, G or T for powers of 1024. */
int recipe_size(const struct recipe_value *at, const char *text, uint64_t *ret,
		struct varve_error *err);
/* Typed readings of expanded text; the error carries the place. */
int recipe_boolean(const struct recipe_value *at, const char *text, bool *ret,
		   struct varve_error *err);
int recipe_integer(const struct recipe_value *at, const char *text, int64_t minimum,
		   int64_t maximum, int64_t *ret, struct varve_error *err);

/* The options as text for --help: one "--name METAVAR\thelp (default ...)" per line. */
void recipe_options_help(const struct recipe *recipe, struct buf *out);

/* True for a "from" that is an image itself, not the name of one: it stands in sources, too, under
 * that text. */
bool recipe_is_image(const char *text);
const struct recipe_source *recipe_find_source(const struct recipe *recipe, const char *name);
const struct recipe_stage *recipe_find_stage(const struct recipe *recipe, const char *name);
const struct recipe_option *recipe_find_option(const struct recipe *recipe, const char *name);
int recipe_error(const struct recipe_place *at, struct varve_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4))); /* returns -VARVE_E_RECIPE */

#endif
