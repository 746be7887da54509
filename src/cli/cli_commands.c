/* SPDX-License-Identifier: Apache-2.0
 * The table of commands, each with the groups of options that it takes. */
#include "cli/cli_options.h"

#include <stddef.h>

#define GROUPS(...)                                                                                \
	(const struct cli_option *const[])                                                         \
	{                                                                                          \
		__VA_ARGS__, cli_help_options, NULL                                                \
	}

static const struct cli_command build_command = {
	.name = "build",
	.arguments = "RECIPE",
	.has_recipe = true,
	.run = cmd_build,
	.summary = "build a recipe's images",
	.detail = "Prints the digest and the name of each image. The images lie in the store;\n"
		  "-o writes them out as well.",
	.options = GROUPS(cli_build_options, cli_executor_options, cli_cache_options,
			  cli_isolation_options, cli_recipe_options, cli_location_options,
			  cli_source_options, cli_transfer_options, cli_registry_options,
			  cli_progress_options, cli_scratch_options, cli_store_options)};
static const struct cli_command step_run_command = {
	.name = "step run",
	.arguments = "PLAN STAGE/STEP",
	.minimum = 2,
	.maximum = 2,
	.run = cmd_step_run,
	.summary = "make one step of a shipped plan (plan --ship) here",
	.detail = "What a cluster's job or a job of a CI pipeline runs. The steps that it needs\n"
		  "have to be in the store or in a cache. Does nothing where the step is there.",
	.options = GROUPS(cli_step_options, cli_cache_options, cli_isolation_options,
			  cli_location_options, cli_registry_options, cli_transfer_options,
			  cli_progress_options, cli_scratch_options, cli_store_options)};
static const struct cli_command status_command = {
	.name = "status",
	.arguments = "",
	.run = cmd_status,
	.summary = "show the cluster's jobs that make steps for this store",
	.options = GROUPS(cli_json_options, cli_store_options)};
static const struct cli_command cancel_command = {
	.name = "cancel",
	.arguments = "[STAGE/STEP]...",
	.maximum = -1,
	.run = cmd_cancel,
	.summary = "end the cluster's jobs that make steps for this store",
	.detail = "Without an argument all of them. Steps that need an ended one end, too.",
	.options = GROUPS(cli_store_options)};
static const struct cli_command plan_command = {
	.name = "plan",
	.arguments = "RECIPE",
	.has_recipe = true,
	.run = cmd_plan,
	.summary = "show what a build would do, and run nothing",
	.detail = "hit: in the store. miss: would run, and why.\n"
		  "?: depends on a step that would run.",
	.options = GROUPS(cli_plan_options, cli_recipe_options, cli_location_options,
			  cli_source_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command explain_command = {
	.name = "explain",
	.arguments = "RECIPE [STAGE/]STEP",
	.has_recipe = true,
	.minimum = 1,
	.maximum = 1,
	.run = cmd_explain,
	.summary = "say why a step would run again, down to the changed file",
	.options = GROUPS(cli_json_options, cli_recipe_options, cli_location_options,
			  cli_source_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command lock_command = {
	.name = "lock",
	.arguments = "RECIPE",
	.has_recipe = true,
	.run = cmd_lock,
	.summary = "fix the recipe's sources to bytes, in RECIPE.lock.json",
	.detail = "Without an option only what is not locked yet is resolved.",
	.options = GROUPS(cli_lock_options, cli_recipe_options, cli_location_options,
			  cli_source_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command fetch_command = {
	.name = "fetch",
	.arguments = "RECIPE",
	.has_recipe = true,
	.run = cmd_fetch,
	.summary = "bring every artifact of the recipe into the store",
	.options = GROUPS(cli_recipe_options, cli_location_options, cli_source_options,
			  cli_registry_options, cli_progress_options, cli_store_options)};
static const struct cli_command bundle_create_command = {
	.name = "bundle create",
	.arguments = "RECIPE",
	.has_recipe = true,
	.run = cmd_bundle_create,
	.summary = "write everything that a recipe needs to one file",
	.detail = "Recipe, includes, lock, local files and all artifacts for the given options,\n"
		  "as an OCI artifact. Prints its digest.",
	.options = GROUPS(cli_bundle_create_options, cli_isolation_options, cli_recipe_options,
			  cli_location_options, cli_source_options, cli_registry_options,
			  cli_progress_options, cli_store_options)};
static const struct cli_command bundle_inspect_command = {.name = "bundle inspect",
							  .arguments = "BUNDLE",
							  .minimum = 1,
							  .maximum = 1,
							  .run = cmd_bundle_inspect,
							  .summary = "show what a bundle holds",
							  .options = GROUPS(cli_json_options)};
static const struct cli_command bundle_import_command = {
	.name = "bundle import",
	.arguments = "BUNDLE DIRECTORY",
	.minimum = 2,
	.maximum = 2,
	.run = cmd_bundle_import,
	.summary = "verify a bundle, add it to the store, unpack its recipe",
	.detail = "Prints the command that builds it without network.",
	.options = GROUPS(cli_bundle_import_options, cli_store_options)};
static const struct cli_command images_command = {
	.name = "images",
	.arguments = "",
	.run = cmd_images,
	.summary = "list the images in the store",
	.options = GROUPS(cli_json_options, cli_store_options)};
static const struct cli_command inspect_command = {
	.name = "inspect",
	.arguments = "IMAGE|docker://HOST/NAME[:TAG]",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_inspect,
	.summary = "show an image's config, history and layers",
	.detail = "Of an image in a registry only manifest and config are fetched. --referrers\n"
		  "lists what refers to it instead, also of oci:DIR[:NAME].",
	.options = GROUPS(cli_json_options, cli_platform_options, cli_referrers_options,
			  cli_registry_options, cli_store_options)};
static const struct cli_command run_command = {
	.name = "run",
	.arguments = "IMAGE [COMMAND...]",
	.minimum = 1,
	.maximum = -1,
	.rest_is_command = true,
	.run = cmd_run,
	.summary = "run a command in an image; its changes are thrown away",
	.options = GROUPS(cli_run_options, cli_isolation_options, cli_registry_options,
			  cli_scratch_options, cli_store_options)};
static const struct cli_command shell_command = {
	.name = "shell",
	.arguments = "RECIPE [STAGE/]STEP [COMMAND...]",
	.has_recipe = true,
	.minimum = 1,
	.maximum = -1,
	.rest_is_command = true,
	.run = cmd_shell,
	.summary = "a shell in the file system below a step, or after a failed one",
	.options = GROUPS(cli_shell_options, cli_isolation_options, cli_recipe_options,
			  cli_location_options, cli_source_options, cli_registry_options,
			  cli_progress_options, cli_scratch_options, cli_store_options)};
static const struct cli_command validate_command = {
	.name = "validate",
	.arguments = "IMAGE|docker://HOST/NAME:TAG|RECIPE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_validate,
	.summary = "run the recipe's checks inside an image; exit 1 when one fails",
	.detail = "An image carries its checks. One of a registry is pulled first. With a recipe\n"
		  "all its images in the store are checked.",
	.options = GROUPS(cli_json_options, cli_validate_options, cli_isolation_options,
			  cli_recipe_options, cli_registry_options, cli_scratch_options,
			  cli_store_options)};
static const struct cli_command gc_command = {
	.name = "gc",
	.arguments = "",
	.run = cmd_gc,
	.summary = "remove what nothing needs any more",
	.options = GROUPS(cli_gc_options, cli_json_options, cli_registry_options,
			  cli_scratch_options, cli_store_options)};
static const struct cli_command du_command = {
	.name = "du",
	.arguments = "",
	.run = cmd_du,
	.summary = "say where the space went",
	.options = GROUPS(cli_json_options, cli_scratch_options, cli_store_options)};
static const struct cli_command push_command = {
	.name = "push",
	.arguments = "IMAGE [[docker://]HOST/NAME[:TAG]...]",
	.minimum = 1,
	.maximum = -1,
	.run = cmd_push,
	.summary = "send an image of the store to a registry",
	.detail = "Without a target it goes where its name says. An upload that broke off, or was\n"
		  "killed, goes on where it stopped when the same command runs again.",
	.options = GROUPS(cli_json_options, cli_transfer_options, cli_registry_options,
			  cli_progress_options, cli_store_options)};
static const struct cli_command pull_command = {
	.name = "pull",
	.arguments = "[docker://]HOST/NAME[:TAG][@DIGEST]",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_pull,
	.summary = "bring an image from a registry into the store",
	.options = GROUPS(cli_json_options, cli_platform_options, cli_transfer_options,
			  cli_registry_options, cli_progress_options, cli_store_options)};
static const struct cli_command copy_command = {
	.name = "copy",
	.arguments = "SOURCE TARGET",
	.minimum = 2,
	.maximum = 2,
	.run = cmd_copy,
	.summary = "copy an image between registries, files and the store",
	.detail = "SOURCE, TARGET: docker://HOST/NAME[:TAG], store:NAME, oci:DIR[:NAME],\n"
		  "oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] or dir:DIR. With\n"
		  "--referrers also what refers to the image, between docker:// and oci:.",
	.options = GROUPS(cli_json_options, cli_platform_options, cli_referrers_options,
			  cli_transfer_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command diff_command = {
	.name = "diff",
	.arguments = "A B",
	.minimum = 2,
	.maximum = 2,
	.run = cmd_diff,
	.summary = "say in what two images differ, down to each field of each file",
	.detail = "A, B: a name of the store, docker://HOST/NAME[:TAG], oci:DIR[:NAME],\n"
		  "oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] or dir:DIR.\n"
		  "Exits 0 when they are equal, 5 when they differ.",
	.options = GROUPS(cli_diff_options, cli_json_options, cli_platform_options,
			  cli_transfer_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command verify_command = {
	.name = "verify",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_verify,
	.summary = "prove that an image is whole, and what it has to be",
	.detail = "IMAGE: as for varve diff. A line for each check, with the reason of each that\n"
		  "failed. Exits 0 when all is in order, 5 when not.",
	.options = GROUPS(cli_verify_options, cli_json_options, cli_platform_options,
			  cli_transfer_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command sign_command = {
	.name = "sign",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_sign,
	.summary = "sign an image, where it lies",
	.detail = "IMAGE: a name of the store, docker://HOST/NAME[:TAG] or oci:DIR[:NAME]; of an\n"
		  "index the index itself, unless --platform chooses. Prints the digest of the\n"
		  "signature's manifest. varve verify --key checks it.",
	.options = GROUPS(cli_sign_options, cli_json_options, cli_platform_options,
			  cli_transfer_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command attach_command = {
	.name = "attach",
	.arguments = "IMAGE FILE",
	.minimum = 2,
	.maximum = 2,
	.run = cmd_attach,
	.summary = "attach a file to an image: an SBOM, provenance, anything",
	.detail = "IMAGE: as for varve sign. FILE: - is standard input. Prints the digest of the\n"
		  "manifest that refers to the image.",
	.options = GROUPS(cli_attach_options, cli_json_options, cli_platform_options,
			  cli_transfer_options, cli_registry_options, cli_progress_options,
			  cli_store_options)};
static const struct cli_command discover_command = {
	.name = "discover",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_discover,
	.summary = "list what is attached to an image, and to that in its turn",
	.detail = "IMAGE: as for varve sign.",
	.options = GROUPS(cli_json_options, cli_platform_options, cli_registry_options,
			  cli_progress_options, cli_store_options)};
static const struct cli_command sbom_command = {
	.name = "sbom",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_sbom,
	.summary = "say what is in an image: packages, licences, layers, files",
	.detail = "IMAGE: as for varve diff. Read are the databases of dpkg, apk and Python, and\n"
		  "the store's records of the image's steps.",
	.options = GROUPS(cli_sbom_options, cli_platform_options, cli_transfer_options,
			  cli_registry_options, cli_progress_options, cli_store_options)};
static const struct cli_command audit_command = {
	.name = "audit",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_audit,
	.summary = "build an image again from its own provenance, and compare",
	.detail = "IMAGE: a name of the store, oci:DIR[:NAME] or docker://HOST/NAME[:TAG]. The\n"
		  "rebuild has a store of its own. Exits 0 when it is equal, 5 when it differs,\n"
		  "after naming step, file, cause and cure.",
	.options = GROUPS(cli_audit_options, cli_json_options, cli_isolation_options,
			  cli_platform_options, cli_transfer_options, cli_registry_options,
			  cli_progress_options, cli_store_options)};
static const struct cli_command provenance_command = {
	.name = "provenance",
	.arguments = "IMAGE",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_provenance,
	.summary = "print what an image was made from, and how (SLSA, in-toto)",
	.detail = "IMAGE: a name of the store, oci:DIR[:NAME] or docker://HOST/NAME[:TAG]. The\n"
		  "statement was made when the image was built.",
	.options = GROUPS(cli_provenance_options, cli_platform_options, cli_registry_options,
			  cli_progress_options, cli_store_options)};
static const struct cli_command index_command = {
	.name = "index",
	.arguments = "NAME IMAGE...",
	.minimum = 2,
	.maximum = -1,
	.run = cmd_index,
	.summary = "put images of several platforms under one name",
	.detail = "The images are in the store; varve push NAME sends the index with all of them.",
	.options = GROUPS(cli_json_options, cli_store_options)};
static const struct cli_command login_command = {
	.name = "login",
	.arguments = "HOST[:PORT]",
	.minimum = 1,
	.maximum = 1,
	.run = cmd_login,
	.summary = "try credentials at a registry, and keep them",
	.options = GROUPS(cli_login_options, cli_registry_options, cli_store_options)};
static const struct cli_command logout_command = {.name = "logout",
						  .arguments = "HOST[:PORT]",
						  .minimum = 1,
						  .maximum = 1,
						  .run = cmd_logout,
						  .summary =
							  "forget the credentials for a registry",
						  .options = GROUPS(cli_logout_options)};
static const struct cli_command doctor_command = {
	.name = "doctor",
	.arguments = "",
	.run = cmd_doctor,
	.summary = "say what this host can do, and how to cure what it cannot",
	.detail = "Exits 3 when commands cannot run here at all.",
	.options = GROUPS(cli_doctor_options, cli_json_options, cli_scratch_options,
			  cli_store_options)};

const struct cli_command *const cli_commands[] = {&build_command,
						  &plan_command,
						  &explain_command,
						  &step_run_command,
						  &status_command,
						  &cancel_command,
						  &lock_command,
						  &fetch_command,
						  &bundle_create_command,
						  &bundle_inspect_command,
						  &bundle_import_command,
						  &push_command,
						  &pull_command,
						  &copy_command,
						  &diff_command,
						  &verify_command,
						  &sign_command,
						  &attach_command,
						  &discover_command,
						  &sbom_command,
						  &audit_command,
						  &provenance_command,
						  &index_command,
						  &login_command,
						  &logout_command,
						  &images_command,
						  &inspect_command,
						  &run_command,
						  &shell_command,
						  &validate_command,
						  &gc_command,
						  &du_command,
						  &doctor_command,
						  NULL};

/* Names of all tables above, for recipes: an option of a recipe must not hide one of varve. A test
 * compares this list with the tables. */
const char *const cli_reserved_options[] = {"all",
					    "all-platforms",
					    "annotation",
					    "apparmor-profile",
					    "artifact-type",
					    "attest",
					    "authfile",
					    "bundle",
					    "cache-from",
					    "cache-to",
					    "caches",
					    "cdi",
					    "cert-dir",
					    "check",
					    "chunk-size",
					    "compression",
					    "detach",
					    "dot",
					    "dry-run",
					    "entrypoint",
					    "env",
					    "executor",
					    "expect-cached",
					    "failed",
					    "files",
					    "format",
					    "gpu",
					    "help",
					    "image",
					    "invocation",
					    "isolation",
					    "jobs",
					    "json",
					    "keep",
					    "key",
					    "layers",
					    "locked",
					    "logs",
					    "mirror",
					    "network",
					    "node-store",
					    "offline",
					    "output",
					    "parallel",
					    "password-stdin",
					    "plain-http",
					    "platform",
					    "policy",
					    "progress",
					    "push",
					    "recipe",
					    "record",
					    "referrers",
					    "registry",
					    "remote",
					    "report",
					    "result",
					    "scratch",
					    "secret",
					    "semantic",
					    "set",
					    "ship",
					    "stall-timeout",
					    "step",
					    "store",
					    "tls-verify",
					    "twice",
					    "trees",
					    "trust-realm",
					    "type",
					    "upgrade",
					    "user",
					    "version",
					    "volume",
					    "workdir",
					    NULL};
