/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "sandbox/sandbox.h"

#define CAPABILITIES                                                                               \
	"--cap-drop ALL --cap-add CAP_CHOWN --cap-add CAP_DAC_OVERRIDE --cap-add CAP_FOWNER "      \
	"--cap-add CAP_FSETID --cap-add CAP_KILL --cap-add CAP_SETGID --cap-add CAP_SETUID "       \
	"--cap-add CAP_SETPCAP --cap-add CAP_NET_BIND_SERVICE --cap-add CAP_NET_RAW "              \
	"--cap-add CAP_SETFCAP --cap-add CAP_SYS_CHROOT --cap-add CAP_AUDIT_WRITE"
#define UNSHARE "--unshare-pid --unshare-ipc --unshare-uts --hostname build --die-with-parent"
#define FILES "--bind /r / --proc /proc --dev /dev"
#define TMP "--perms 1777 --tmpfs /tmp"
#define RUN "--tmpfs /run"

static const struct sandbox_bind two_binds[] = {
	{.source = "/host/src", .target = "/src"},
	{.source = "/host/cache", .target = "/var/cache/x", .writable = true},
};
static const struct sandbox_bind device_bind = {
	.source = "/dev/zero", .target = "/dev/nvidia0", .device = true};
static char *const some_environment[] = {(char[]){"A=1"}, (char[]){"EMPTY="}, (char[]){"B=x=y z"},
					 NULL};
static char *const some_groups[] = {(char[]){"5"}, (char[]){"27"}, NULL};

/* Every case changes one member of an otherwise plain spec. */
static const struct args_case {
	const char *what;
	const char *want; /* words, "|" for a space within a word */
	const struct sandbox_bind *binds;
	size_t bind_count;
	char *const *environment;
	char *const *groups;
	const char *workdir, *temporary;
	bool network, terminal;
	uint32_t uid, gid;
} cases[] = {
	{.what = "plain",
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- cmd -x"},
	{.what = "network",
	 .network = true,
	 .want = UNSHARE " --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- cmd -x"},
	{.what = "terminal",
	 .terminal = true,
	 .want = UNSHARE " --unshare-net " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- cmd -x"},
	{.what = "temporary directory on disk",
	 .temporary = "/job/tmp",
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES
			 " --bind /job/tmp /tmp --chmod 1777 /tmp " RUN
			 " --clearenv --chdir / -- cmd -x"},
	{.what = "binds come after /tmp and /run",
	 .binds = two_binds,
	 .bind_count = 2,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --ro-bind /host/src /src --bind /host/cache /var/cache/x"
			 " --clearenv --chdir / -- cmd -x"},
	{.what = "a device stays one",
	 .binds = &device_bind,
	 .bind_count = 1,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --dev-bind /dev/zero /dev/nvidia0 --clearenv --chdir / -- cmd -x"},
	{.what = "environment",
	 .environment = some_environment,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --setenv A 1 --setenv EMPTY  --setenv B x=y|z"
			 " --chdir / -- cmd -x"},
	{.what = "working directory",
	 .workdir = "/src",
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir /src -- cmd -x"},
	{.what = "user without groups",
	 .uid = 1000,
	 .gid = 100,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- setpriv --reuid=1000 --regid=100 --clear-groups"
			 " --inh-caps=-all -- cmd -x"},
	{.what = "user with groups",
	 .uid = 1000,
	 .gid = 100,
	 .groups = some_groups,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- setpriv --reuid=1000 --regid=100 --groups=5,27"
			 " --inh-caps=-all -- cmd -x"},
	{.what = "root with another group",
	 .gid = 7,
	 .want = UNSHARE " --unshare-net --new-session " CAPABILITIES " " FILES " " TMP " " RUN
			 " --clearenv --chdir / -- setpriv --reuid=0 --regid=7 --clear-groups"
			 " -- cmd -x"},
};

static void fill(struct strv *v, char *const *items)
{
	for (; items && *items; items++)
		strv_add(v, *items);
}

static char *join(const struct strv *v)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < v->count; i++) {
		if (i > 0)
			buf_addc(&text, ' ');
		for (char *c = v->items[i]; *c; c++)
			buf_add(&text, *c == ' ' ? "|" : c, 1);
	}
	return buf_steal(&text);
}

static void test_arguments(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct args_case *c = &cases[i];
		CLEANUP(strv_release) struct strv environment = STRV_INIT;
		CLEANUP(strv_release) struct strv groups = STRV_INIT;
		CLEANUP(strv_release) struct strv argv = STRV_INIT;
		CLEANUP(strv_release) struct strv got = STRV_INIT;
		CLEANUP(free_ptr) char *text = NULL;
		struct sandbox_spec spec = {.root = "/r",
					    .binds = c->binds,
					    .bind_count = c->bind_count,
					    .environment = &environment,
					    .workdir = c->workdir,
					    .temporary = c->temporary,
					    .network = c->network,
					    .terminal = c->terminal,
					    .uid = c->uid,
					    .gid = c->gid,
					    .groups = &groups,
					    .argv = &argv};

		fill(&environment, c->environment);
		fill(&groups, c->groups);
		strv_add(&argv, "cmd");
		strv_add(&argv, "-x");
		sandbox_arguments(&spec, &got);
		text = join(&got);
		if (strcmp(text, c->want) != 0)
			fail_msg("%s:\n got %s\nwant %s", c->what, text, c->want);
	}
}

/* A value that looks like the end of the options must stay in them. */
static void test_halves(void **state)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv options = STRV_INIT;
	CLEANUP(strv_release) struct strv command = STRV_INIT;
	struct sandbox_spec spec = {.root = "/r", .environment = &environment, .argv = &argv};

	(void)state;
	strv_add(&environment, "A=--");
	strv_add(&argv, "--help");
	sandbox_options(&spec, &options);
	sandbox_command(&spec, &command);
	assert_string_equal(options.items[options.count - 2], "--chdir");
	assert_string_equal(options.items[options.count - 3], "--");
	assert_int_equal(command.count, 1);
	assert_string_equal(command.items[0], "--help");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
