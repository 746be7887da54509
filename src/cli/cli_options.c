/* SPDX-License-Identifier: Apache-2.0
 * The tables of options, in groups that commands share. */
#include "cli/cli_options.h"

#include <stddef.h>

#define AT(member) offsetof(struct cli_values, member)

const struct cli_option cli_store_options[] = {
	{"store", 0, CLI_TEXT, AT(store), "DIR",
	 "the store (default: VARVE_STORE, else the user's data directory)"},
	{0},
};

const struct cli_option cli_recipe_options[] = {
	{"set", 0, CLI_LIST, AT(set), "NAME=VALUE", "set an option of the recipe"},
	{"image", 'i', CLI_LIST, AT(images), "NAME", "only this image of the recipe (repeatable)"},
	{"platform", 0, CLI_TEXT, AT(platform), "OS/ARCH",
	 "platform to build for (default: this host's)"},
	{"registry", 0, CLI_TEXT, AT(registry), "HOST[/PREFIX]", "for image names without a host"},
	{0},
};

const struct cli_option cli_location_options[] = {
	{"mirror", 0, CLI_LIST, AT(mirrors), "NAME=URL",
	 "where a mirror lies on this machine (repeatable)"},
	{0},
};

const struct cli_option cli_source_options[] = {
	{"locked", 0, CLI_FLAG, AT(locked), NULL, "refuse any change of the lock"},
	{"offline", 0, CLI_FLAG, AT(offline), NULL,
	 "refuse any change of the lock and any connection"},
	{0},
};

const struct cli_option cli_progress_options[] = {
	{"progress", 0, CLI_TEXT, AT(progress), "MODE", "auto, tty, plain, json or quiet"},
	{0},
};

const struct cli_option cli_isolation_options[] = {
	{"isolation", 0, CLI_TEXT, AT(isolation), "KIND",
	 "what surrounds commands: bwrap (default) or chroot, for root in a container"},
	{0},
};

const struct cli_option cli_scratch_options[] = {
	{"scratch", 0, CLI_TEXT, AT(scratch), "DIR",
	 "a local directory for steps to work in and layers to be unpacked in (default: VARVE_SCRATCH, else the store where that can be)"},
	{0},
};

const struct cli_option cli_build_options[] = {
	{"output", 'o', CLI_LIST, AT(outputs), "TARGET",
	 "also write the images to oci:DIR[:NAME], oci-archive:FILE, docker-archive:FILE or dir:DIR"},
	{"compression", 0, CLI_TEXT, AT(compression), "KIND[:LEVEL]",
	 "zstd (default), zstd:chunked, gzip or none"},
	{"jobs", 'j', CLI_TEXT, AT(jobs), "N", "steps at once (default: one per core)"},
	{"expect-cached", 0, CLI_FLAG, AT(expect_cached), NULL,
	 "exit 5 if a step would have to run"},
	{"secret", 0, CLI_LIST, AT(secrets), "NAME=FILE",
	 "a file that steps may read (repeatable)"},
	{"push", 0, CLI_FLAG, AT(push), NULL,
	 "also send the images to the registries of their names"},
	{"report", 0, CLI_TEXT, AT(report), "FILE.html",
	 "write a page: time line with reasons, layers by size, packages, sources"},
	{"attest", 0, CLI_FLAG, AT(attest), NULL,
	 "attach provenance and the recipe's files to the images in oci:DIR and registries"},
	{"invocation", 0, CLI_TEXT, AT(invocation), "ID",
	 "say in the provenance which run it was, and when (default: neither)"},
	{"json", 0, CLI_FLAG, AT(json), NULL, "print the result as JSON"},
	{0},
};

const struct cli_option cli_cache_options[] = {
	{"cache-from", 0, CLI_LIST, AT(cache_from), "HOST/NAME",
	 "take records of steps from this repository (repeatable)"},
	{"cache-to", 0, CLI_LIST, AT(cache_to), "HOST/NAME",
	 "send the records of all steps there (repeatable)"},
	{0},
};

const struct cli_option cli_executor_options[] = {
	{"all", 0, CLI_LIST, AT(all_of), "NAME",
	 "build for every value of this option of the recipe (repeatable)"},
	{"executor", 0, CLI_TEXT, AT(executor), "KIND",
	 "who makes the steps: local (default) or slurm"},
	{"detach", 0, CLI_FLAG, AT(detach), NULL,
	 "with slurm: submit, print the jobs and leave; build again joins them"},
	{"node-store", 0, CLI_TEXT, AT(node_store), "DIR",
	 "with slurm: a store of each node's own; all is handed over through the cache"},
	{0},
};

const struct cli_option cli_step_options[] = {
	{"result", 0, CLI_TEXT, AT(result), "FILE", "write to it how the step ended, as JSON"},
	{0},
};

const struct cli_option cli_plan_options[] = {
	{"format", 0, CLI_TEXT, AT(format), "KIND",
	 "text (default), json, dot, or gitlab: a child pipeline with a job per step"},
	{"ship", 0, CLI_TEXT, AT(ship), "FILE", "also write the plan for varve step run"},
	{"json", 0, CLI_FLAG, AT(json), NULL, "print the plan as JSON"},
	{"dot", 0, CLI_FLAG, AT(dot), NULL, "print the plan as a graph for dot(1)"},
	{0},
};

const struct cli_option cli_lock_options[] = {
	{"upgrade", 0, CLI_LIST, AT(upgrade), "SOURCE", "resolve this source anew (repeatable)"},
	{"all", 0, CLI_FLAG, AT(all), NULL,
	 "resolve every source anew, for every combination of options"},
	{"dry-run", 0, CLI_FLAG, AT(dry_run), NULL, "say what would change, write nothing"},
	{"record", 0, CLI_TEXT, AT(record), "STEP",
	 "run this step with network through a proxy, and propose sources for what it fetches"},
	{"secret", 0, CLI_LIST, AT(secrets), "NAME=FILE",
	 "with --record: a file that the step may read (repeatable)"},
	{"json", 0, CLI_FLAG, AT(json), NULL, "with --record: print the proposal as JSON"},
	{0},
};

const struct cli_option cli_bundle_create_options[] = {
	{"output", 'o', CLI_LIST, AT(outputs), "TARGET",
	 "where to write it: oci-archive:FILE or oci:DIR (required)"},
	{"all", 0, CLI_FLAG, AT(all), NULL, "for every combination of options"},
	{"layers", 0, CLI_FLAG, AT(layers), NULL, "also the layers of steps that are in the store"},
	{"check", 0, CLI_FLAG, AT(check), NULL,
	 "rebuild from the bundle alone, without network, and compare"},
	{"secret", 0, CLI_LIST, AT(secrets), "NAME=FILE",
	 "a file that steps may read in the check (repeatable)"},
	{0},
};

const struct cli_option cli_bundle_import_options[] = {
	{"layers", 0, CLI_FLAG, AT(layers), NULL,
	 "also take over the layers of steps, which are trusted then"},
	{0},
};

const struct cli_option cli_diff_options[] = {
	{"semantic", 0, CLI_FLAG, AT(semantic), NULL,
	 "leave out what has no effect on what runs: dates, history, compression, stamps in files"},
	{0},
};

const struct cli_option cli_sign_options[] = {
	{"key", 0, CLI_LIST, AT(keys), "FILE", "the private key (PEM, ECDSA with P-256)"},
	{"format", 0, CLI_TEXT, AT(format), "FORMAT",
	 "bundle (default; cosign 3's) or simple (older: the tag sha256-HEX.sig)"},
	{0},
};

const struct cli_option cli_attach_options[] = {
	{"type", 0, CLI_TEXT, AT(type), "TYPE",
	 "spdx, cyclonedx, statement (in-toto), or a media type"},
	{"annotation", 0, CLI_LIST, AT(annotations), "NAME=VALUE",
	 "of the manifest that refers to the image (repeatable)"},
	{"key", 0, CLI_LIST, AT(keys), "FILE", "sign it with this private key"},
	{0},
};

const struct cli_option cli_provenance_options[] = {
	{"output", 'o', CLI_LIST, AT(outputs), "FILE", "write it to this file"},
	{0},
};

const struct cli_option cli_audit_options[] = {
	{"bundle", 0, CLI_TEXT, AT(bundle), "FILE", "rebuild from this bundle, without network"},
	{"recipe", 0, CLI_TEXT, AT(recipe), "RECIPE",
	 "rebuild this recipe, with the options that the image was built with"},
	{"step", 0, CLI_TEXT, AT(step), "STAGE/STEP",
	 "run this step only, on the layers that are in the store, and compare its layer"},
	{"twice", 0, CLI_FLAG, AT(twice), NULL,
	 "rebuild once more as another user, elsewhere, under other conditions"},
	{"network", 0, CLI_FLAG, AT(network), NULL,
	 "let steps of a recipe that came with the image have the network"},
	{"set", 0, CLI_LIST, AT(set), "NAME=VALUE", "set an option of the recipe"},
	{"secret", 0, CLI_LIST, AT(secrets), "NAME=FILE",
	 "a file that steps may read (repeatable)"},
	{"mirror", 0, CLI_LIST, AT(mirrors), "NAME=URL",
	 "where a mirror lies on this machine (repeatable)"},
	{"offline", 0, CLI_FLAG, AT(offline), NULL, "refuse any connection"},
	{"report", 0, CLI_TEXT, AT(report), "FILE.html",
	 "write a page: differences with their cures, layers by size, packages"},
	{0},
};

const struct cli_option cli_verify_options[] = {
	{"key", 0, CLI_LIST, AT(keys), "FILE",
	 "it must be signed by this key (PEM, public or private; repeatable)"},
	{"policy", 0, CLI_TEXT, AT(policy), "FILE", "it must be what this file requires"},
	{0},
};

const struct cli_option cli_sbom_options[] = {
	{"format", 0, CLI_TEXT, AT(format), "FORMAT", "spdx (2.3, the default) or cyclonedx (1.6)"},
	{"files", 0, CLI_FLAG, AT(files), NULL, "also list each file, with its sums"},
	{"output", 'o', CLI_LIST, AT(outputs), "FILE", "write it there (default: stdout)"},
	{0},
};

const struct cli_option cli_json_options[] = {
	{"json", 0, CLI_FLAG, AT(json), NULL, "print JSON"},
	{0},
};

const struct cli_option cli_run_options[] = {
	{"env", 'e', CLI_LIST, AT(environment), "NAME=VALUE", "set a variable (repeatable)"},
	{"entrypoint", 0, CLI_TEXT, AT(entrypoint), "COMMAND",
	 "run this in place of the image's entry point; words after IMAGE are its arguments"},
	{"user", 'u', CLI_TEXT, AT(user), "USER[:GROUP]",
	 "user of the command (default: the image's)"},
	{"workdir", 'w', CLI_TEXT, AT(workdir), "DIR", "working directory (default: the image's)"},
	{"volume", 'v', CLI_LIST, AT(mounts), "HOST:DIR[:ro]",
	 "a directory of the host inside (repeatable)"},
	{"network", 0, CLI_FLAG, AT(network), NULL, "give the command the host's network"},
	{0},
};

const struct cli_option cli_validate_options[] = {
	{"gpu", 0, CLI_FLAG, AT(gpu), NULL,
	 "also run the checks that need a GPU, with this host's; exit 3 without one"},
	{"cdi", 0, CLI_TEXT, AT(cdi), "FILE",
	 "the GPU is what this CDI file describes (default: the one of /etc/cdi, else what is found)"},
	{0},
};

const struct cli_option cli_shell_options[] = {
	{"failed", 0, CLI_FLAG, AT(failed), NULL,
	 "as the failed step left it (default: below the step)"},
	{"network", 0, CLI_FLAG, AT(network), NULL, "give the command the host's network"},
	{"secret", 0, CLI_LIST, AT(secrets), "NAME=FILE",
	 "a file that the step may read (repeatable)"},
	{0},
};

const struct cli_option cli_gc_options[] = {
	{"keep", 0, CLI_TEXT, AT(keep), "DAYS",
	 "keep what was used in that many days (default: 14)"},
	{"trees", 0, CLI_FLAG, AT(trees), NULL, "remove all unpacked layers"},
	{"caches", 0, CLI_FLAG, AT(caches), NULL, "remove all cache directories of steps"},
	{"logs", 0, CLI_FLAG, AT(logs), NULL, "remove all logs"},
	{"dry-run", 'n', CLI_FLAG, AT(dry_run), NULL, "say what would be removed, remove nothing"},
	{"remote", 0, CLI_TEXT, AT(remote), "HOST/NAME",
	 "prune this shared cache instead of the store: records that no build has sent in --keep days"},
	{0},
};

const struct cli_option cli_registry_options[] = {
	{"authfile", 0, CLI_TEXT, AT(authfile), "FILE",
	 "the file with credentials (default: as the container tools)"},
	{"cert-dir", 0, CLI_TEXT, AT(cert_dir), "DIR",
	 "*.crt: authorities, *.cert and *.key: own certificate"},
	{"tls-verify", 0, CLI_TEXT, AT(tls_verify), "BOOL",
	 "false: take any certificate, and http if need be"},
	{"plain-http", 0, CLI_FLAG, AT(plain_http), NULL,
	 "speak http (a loopback registry is asked)"},
	{"trust-realm", 0, CLI_LIST, AT(trust_realms), "HOST",
	 "a host that a registry may send us to: another domain's token server, which sees the credentials, or a private address (repeatable)"},
	{"stall-timeout", 0, CLI_TEXT, AT(stall_timeout), "SECONDS",
	 "give up after so long without progress (default: 60)"},
	{0},
};

const struct cli_option cli_transfer_options[] = {
	{"chunk-size", 0, CLI_TEXT, AT(chunk_size), "BYTES",
	 "upload in pieces (4M; default: one body, pieces when that fails)"},
	{"parallel", 0, CLI_TEXT, AT(parallel), "N", "blobs at once (default: 4)"},
	{0},
};

const struct cli_option cli_platform_options[] = {
	{"platform", 0, CLI_TEXT, AT(platform), "OS/ARCH",
	 "which image of several (default: this host's)"},
	{"all-platforms", 0, CLI_FLAG, AT(all_platforms), NULL,
	 "all of them, as they are: the index itself"},
	{"all", 'a', CLI_FLAG, AT(all_platforms), NULL, "the same, as skopeo spells it"},
	{0},
};

const struct cli_option cli_referrers_options[] = {
	{"referrers", 0, CLI_FLAG, AT(referrers), NULL,
	 "what refers to the image: signatures, SBOMs"},
	{"artifact-type", 0, CLI_TEXT, AT(artifact_type), "TYPE", "of those only this type"},
	{0},
};

const struct cli_option cli_login_options[] = {
	{"user", 'u', CLI_TEXT, AT(user), "USER", "user name (default: ask)"},
	{"password-stdin", 0, CLI_FLAG, AT(password_stdin), NULL,
	 "read the password or token from standard input"},
	{0},
};

const struct cli_option cli_logout_options[] = {
	{"authfile", 0, CLI_TEXT, AT(authfile), "FILE",
	 "the file with credentials (default: as the container tools)"},
	{0},
};

const struct cli_option cli_doctor_options[] = {
	{"mirror", 0, CLI_LIST, AT(mirrors), "NAME=URL", "also ask this mirror (repeatable)"},
	{"offline", 0, CLI_FLAG, AT(offline), NULL, "ask no mirror"},
	{"apparmor-profile", 0, CLI_FLAG, AT(apparmor_profile), NULL,
	 "print a profile that lets varve make user namespaces"},
	{0},
};

const struct cli_option cli_help_options[] = {
	{"help", 'h', CLI_FLAG, AT(help), NULL, "print this help"},
	{0},
};
