/* SPDX-License-Identifier: Apache-2.0
 * The command line: one table of options per command feeds parsing, --help, and the man page test.
 *
 *	argv -> cli_parse -> struct cli -> command->run -> exit code */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <varve/error.h>
#include "base/strv.h"

struct recipe;
struct buf;

/* Every value that any option sets. */
struct cli_values {
	struct strv set; /* --set and the recipe's own options: NAME=VALUE */
	struct strv outputs, images, mirrors, secrets, upgrade, environment, mounts;
	struct strv trust_realms, cache_from, cache_to, all_of;
	struct strv keys, annotations; /* of sign, attach, verify */
	char *bundle, *recipe, *step, *invocation; /* of audits and attestations */
	char *type, *format, *policy;
	char *remote, *authfile, *cert_dir, *tls_verify, *stall_timeout, *chunk_size, *parallel,
		*artifact_type;
	char *store, *compression, *progress, *platform, *registry, *user, *workdir, *keep, *jobs,
		*isolation, *cdi, *entrypoint, *record, *executor, *result, *ship, *node_store,
		*scratch, *report;
	bool json, dot, locked, offline, expect_cached, help, failed, dry_run, trees, caches, logs,
		network, all, apparmor_profile, plain_http, referrers, password_stdin,
		all_platforms, push, check, layers, gpu, semantic, detach, files, attest, twice;
};

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_LIST };

struct cli_option {
	const char *name; /* long name without "--" */
	char letter; /* short name, 0: none */
	enum cli_kind kind; /* what offset points to: bool, char *, struct strv */
	size_t offset; /* in struct cli_values */
	const char *metavar; /* of the value, NULL for flags */
	const char *help;
};

struct cli;

struct cli_command {
	const char *name;
	const char *arguments; /* for the usage line: "RECIPE [STEP]" */
	const char *summary; /* one line */
	const char *detail; /* further lines of --help, may be NULL */
	const struct cli_option *const
		*options; /* tables, each ending with an unnamed option; ends NULL */
	bool has_recipe; /* the first argument is a recipe, whose options are options here */
	bool rest_is_command; /* options end at the first argument after IMAGE (varve run) */
	int minimum, maximum; /* arguments beside the recipe; maximum -1: any number */
	int (*run)(struct cli *cli, struct varve_error *err);
};

struct cli {
	const struct cli_command *command;
	struct cli_values values;
	char *recipe_path; /* where has_recipe; owned */
	struct recipe *recipe; /* parsed and checked; owned */
	struct strv arguments; /* the others */
	struct strv words; /* all of the command line after the command, as given */
	int status; /* exit code where it is not an error's: the status of a command that ran */
};

extern const struct cli_command *const cli_commands[]; /* ends with NULL */
extern const char *const cli_reserved_options[]; /* names that no recipe option may have; NULL */

/* Parses the arguments after the command's name. -VARVE_E_USAGE with the nearest name. With --help
 * the recipe may be absent or wrong; then cli->recipe is NULL. */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *ret,
	      struct varve_error *err);
void cli_release(struct cli *cli);
const struct cli_command *cli_find_command(const char *name);

void cli_print_help(const struct cli_command *command, const struct recipe *recipe,
		    struct buf *out);
void cli_print_overview(struct buf *out);

/* Exit codes (DESIGN section 10). */
int cli_exit_code(int error_code);

#endif
