/* SPDX-License-Identifier: Apache-2.0
 * Groups of options (cli_options.c), each ending with an unnamed one, and the commands that take
 * them (cli_commands.c), one file each: cmd_NAME.c. */
#ifndef CLI_CLI_OPTIONS_H
#define CLI_CLI_OPTIONS_H

#include "cli/cli.h"

extern const struct cli_option cli_store_options[];
extern const struct cli_option cli_recipe_options[];
extern const struct cli_option cli_location_options[];
extern const struct cli_option cli_source_options[];
extern const struct cli_option cli_progress_options[];
extern const struct cli_option cli_isolation_options[];
extern const struct cli_option cli_scratch_options[];
extern const struct cli_option cli_build_options[];
extern const struct cli_option cli_cache_options[];
extern const struct cli_option cli_executor_options[];
extern const struct cli_option cli_step_options[];
extern const struct cli_option cli_plan_options[];
extern const struct cli_option cli_lock_options[];
extern const struct cli_option cli_bundle_create_options[];
extern const struct cli_option cli_bundle_import_options[];
extern const struct cli_option cli_diff_options[];
extern const struct cli_option cli_sign_options[];
extern const struct cli_option cli_attach_options[];
extern const struct cli_option cli_verify_options[];
extern const struct cli_option cli_sbom_options[];
extern const struct cli_option cli_provenance_options[];
extern const struct cli_option cli_audit_options[];
extern const struct cli_option cli_json_options[];
extern const struct cli_option cli_run_options[];
extern const struct cli_option cli_validate_options[];
extern const struct cli_option cli_shell_options[];
extern const struct cli_option cli_gc_options[];
extern const struct cli_option cli_registry_options[];
extern const struct cli_option cli_transfer_options[];
extern const struct cli_option cli_platform_options[];
extern const struct cli_option cli_referrers_options[];
extern const struct cli_option cli_login_options[];
extern const struct cli_option cli_logout_options[];
extern const struct cli_option cli_doctor_options[];
extern const struct cli_option cli_help_options[];

int cmd_build(struct cli *cli, struct varve_error *err);
int cmd_plan(struct cli *cli, struct varve_error *err);
int cmd_step_run(struct cli *cli, struct varve_error *err);
int cmd_status(struct cli *cli, struct varve_error *err);
int cmd_cancel(struct cli *cli, struct varve_error *err);
int cmd_explain(struct cli *cli, struct varve_error *err);
int cmd_lock(struct cli *cli, struct varve_error *err);
int cmd_lock_record(struct cli *cli, struct varve_error *err);
int cmd_fetch(struct cli *cli, struct varve_error *err);
int cmd_bundle_create(struct cli *cli, struct varve_error *err);
int cmd_bundle_inspect(struct cli *cli, struct varve_error *err);
int cmd_bundle_import(struct cli *cli, struct varve_error *err);
int cmd_images(struct cli *cli, struct varve_error *err);
int cmd_inspect(struct cli *cli, struct varve_error *err);
int cmd_run(struct cli *cli, struct varve_error *err);
int cmd_shell(struct cli *cli, struct varve_error *err);
int cmd_validate(struct cli *cli, struct varve_error *err);
int cmd_gc(struct cli *cli, struct varve_error *err);
int cmd_du(struct cli *cli, struct varve_error *err);
int cmd_push(struct cli *cli, struct varve_error *err);
int cmd_pull(struct cli *cli, struct varve_error *err);
int cmd_copy(struct cli *cli, struct varve_error *err);
int cmd_diff(struct cli *cli, struct varve_error *err);
int cmd_sbom(struct cli *cli, struct varve_error *err);
int cmd_verify(struct cli *cli, struct varve_error *err);
int cmd_sign(struct cli *cli, struct varve_error *err);
int cmd_attach(struct cli *cli, struct varve_error *err);
int cmd_discover(struct cli *cli, struct varve_error *err);
int cmd_audit(struct cli *cli, struct varve_error *err);
int cmd_provenance(struct cli *cli, struct varve_error *err);
int cmd_index(struct cli *cli, struct varve_error *err);
int cmd_login(struct cli *cli, struct varve_error *err);
int cmd_logout(struct cli *cli, struct varve_error *err);
int cmd_doctor(struct cli *cli, struct varve_error *err);

#endif
