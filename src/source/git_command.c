/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "base/strv.h"

/* Before the subcommand, everywhere: nothing of the user's configuration may run a program of its
 * own or touch another repository. */
static const char *const quiet[] = {
	"core.hooksPath=/dev/null",
	"core.fsmonitor=false",
	"core.alternateRefsCommand=",
	"gc.auto=0",
	"maintenance.auto=false",
	"fetch.writeCommitGraph=false",
	"fetch.recurseSubmodules=no",
	"submodule.recurse=false",
	"fetch.prune=false",
	"fetch.output=full",
	"advice.detachedHead=false",
	"transfer.bundleURI=false",
	"fetch.showForcedUpdates=false",
};

/* What a fetch refuses: trees with names that leave their directory or make a repository, and
 * malformed objects. Old habits of honest tools pass. */
static const char *const checked[] = {
	"fetch.fsckObjects=true",
	"fetch.fsck.hasDot=error",
	"fetch.fsck.hasDotdot=error",
	"fetch.fsck.hasDotgit=error",
	"fetch.fsck.fullPathname=error",
	"fetch.fsck.zeroPaddedFilemode=ignore",
	"fetch.fsck.missingSpaceBeforeDate=ignore",
	"fetch.fsck.missingSpaceBeforeEmail=ignore",
	"fetch.fsck.badTimezone=ignore",
	"fetch.fsck.badEmail=ignore",
	"fetch.fsck.badName=ignore",
	"fetch.fsck.missingNameBeforeEmail=ignore",
	"fetch.fsck.multipleAuthors=ignore",
	"fetch.fsck.gitmodulesUrl=ignore",
};

/* What git archive and its attributes look at: the same on every machine. */
static const char *const fixed[] = {
	"core.attributesFile=/dev/null",
	"core.autocrlf=false",
	"core.eol=lf",
	"core.abbrev=7",
	"core.quotePath=false",
	"tar.umask=0022",
	"core.safecrlf=false",
};

/* git's own variables that are for transports, credentials or its configuration, by prefix. */
static const char *const kept[] = {
	"GIT_SSH",
	"GIT_ASKPASS",
	"GIT_CONFIG_GLOBAL=",
	"GIT_CONFIG_SYSTEM=",
	"GIT_CONFIG_NOSYSTEM=",
	"GIT_CONFIG_COUNT=",
	"GIT_CONFIG_KEY_",
	"GIT_CONFIG_VALUE_",
	"GIT_SSL_",
	"GIT_HTTP_",
	"GIT_PROXY_",
	"GIT_TRACE",
	"GIT_CURL_",
	"GIT_EXEC_PATH=",
};

static bool is_kept(const char *variable)
{
	if (!str_starts(variable, "GIT_"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (str_starts(variable, kept[i]))
			return true;
	return false;
}

void git_remote_environment(const char *const *environment, int has_ssh, struct strv *ret)
{
	for (; *environment; environment++)
		if (is_kept(*environment))
			strv_add(ret, *environment);
	/* Messages are looked at; nobody sits at a terminal of a build. */
	strv_setenv(ret, "LC_ALL", "C");
	strv_setenv(ret, "LANGUAGE", "C");
	strv_setenv(ret, "GIT_TERMINAL_PROMPT", "0");
	strv_setenv(ret, "GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file");
	strv_setenv(ret, "GIT_NO_REPLACE_OBJECTS", "1");
	if (!has_ssh && !strv_getenv(ret, "GIT_SSH") && !strv_getenv(ret, "GIT_SSH_COMMAND"))
		strv_setenv(ret, "GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
}

static void local_environment(struct strv *ret)
{
	const char *path = getenv("PATH");

	strv_setenv(ret, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
	strv_setenv(ret, "HOME", "/nonexistent");
	strv_setenv(ret, "LC_ALL", "C");
	strv_setenv(ret, "TZ", "UTC");
	strv_setenv(ret, "GIT_CONFIG_NOSYSTEM", "1");
	strv_setenv(ret, "GIT_CONFIG_GLOBAL", "/dev/null");
	strv_setenv(ret, "GIT_ATTR_NOSYSTEM", "1");
	strv_setenv(ret, "GIT_NO_REPLACE_OBJECTS", "1");
	strv_setenv(ret, "GIT_TERMINAL_PROMPT", "0");
	strv_setenv(ret, "GIT_ALLOW_PROTOCOL", "");
}

static void add_options(struct strv *argv, const char *const *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		strv_add(argv, "-c");
		strv_add(argv, settings[i]);
	}
}

static void make_argv(const char *repository, const char *const *arguments, bool remote,
		      struct strv *ret)
{
	strv_add(ret, "git");
	if (repository)
		strv_addf(ret, "--git-dir=%s", repository);
	add_options(ret, quiet, ARRAY_SIZE(quiet));
	if (remote)
		add_options(ret, checked, ARRAY_SIZE(checked));
	else
		add_options(ret, fixed, ARRAY_SIZE(fixed));
	for (; *arguments; arguments++)
		strv_add(ret, *arguments);
}

static int run(const struct strv *argv, const struct strv *environment, int fd, struct buf *out,
	       struct varve_error *err)
{
	CLEANUP(buf_release) struct buf dropped = BUF_INIT;
	const struct process_spec spec = {
		.argv = (const char *const *)argv->items,
		.env = (const char *const *)environment->items,
		.stdin_fd = -1,
		.stdout_fd = fd,
		.stderr_fd = -1,
	};
	int r = process_capture_spec(&spec, GIT_TEXT_LIMIT, out ? out : &dropped, err);

	if (r == -ENOENT) {
		varve_error_set(err, -VARVE_E_HOST, "git is missing: git sources need it");
		varve_error_hint(err, "install the package git");
		return -VARVE_E_HOST;
	}
	return r;
}

/* A user's own command for ssh (core.sshCommand) must not be hidden by ours. */
static bool has_ssh_command(void)
{
	static const char *const argv[] = {"git", "config", "--get", "core.sshCommand", NULL};
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	return process_capture(argv, 4096, &out, NULL) == 0;
}

static void hint_at_credentials(struct varve_error *err)
{
	static const char *const signs[] = {"could not read Username",
					    "could not read Password",
					    "Authentication failed",
					    "Permission denied (",
					    "terminal prompts disabled",
					    "error: 403",
					    "error: 401"};

	for (size_t i = 0; err && i < ARRAY_SIZE(signs); i++)
		if (strstr(err->text, signs[i])) {
			varve_error_hint(err,
					 "git asks nobody here: set up a credential helper "
					 "(git help credentials), or an ssh agent with the key");
			return;
		}
}

int git_remote(const char *repository, const char *const *arguments, struct buf *out,
	       struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	int r;

	make_argv(repository, arguments, true, &argv);
	git_remote_environment((const char *const *)environ, has_ssh_command(), &environment);
	r = run(&argv, &environment, -1, out, err);
	if (r != -VARVE_E_STEP)
		return r;
	hint_at_credentials(err);
	if (err)
		err->code = -VARVE_E_NETWORK;
	return -VARVE_E_NETWORK;
}

int git_local(const char *repository, const char *const *arguments, int fd, struct buf *out,
	      struct varve_error *err)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;

	make_argv(repository, arguments, false, &argv);
	local_environment(&environment);
	return run(&argv, &environment, fd, out, err);
}

int git_init(const char *repository, size_t hex_digits, struct varve_error *err)
{
	const char *const arguments[] = {"init",
					 "--quiet",
					 "--bare",
					 "--template=",
					 hex_digits == 64 ? "--object-format=sha256"
							  : "--object-format=sha1",
					 repository,
					 NULL};

	return git_local(NULL, arguments, -1, NULL, err);
}
