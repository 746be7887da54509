/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_args.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_capability.h"

static void add_all(struct strv *argv, const char *const *words)
{
	for (; *words; words++)
		strv_add(argv, *words);
}

static void add_isolation(const struct sandbox_spec *spec, struct strv *argv)
{
	static const char *const always[] = {
		"--unshare-pid",
		"--unshare-ipc",
		"--unshare-uts",
		"--hostname",
		"build",
		"--die-with-parent",
		NULL,
	};
	const struct sandbox_capability *c;

	add_all(argv, always);
	if (!spec->network && !spec->own_network)
		strv_add(argv, "--unshare-net");
	if (!spec->terminal)
		strv_add(argv, "--new-session");
	add_all(argv, (const char *const[]){"--cap-drop", "ALL", NULL});
	for (c = sandbox_capabilities; c->name; c++)
		add_all(argv, (const char *const[]){"--cap-add", c->name, NULL});
}

static void add_file_system(const struct sandbox_spec *spec, struct strv *argv)
{
	add_all(argv, (const char *const[]){"--bind", spec->root, "/", "--proc", "/proc", "--dev",
					    "/dev", NULL});
	/* --perms holds for the next operation only; without it apt's own user cannot use /tmp. */
	if (spec->temporary)
		add_all(argv, (const char *const[]){"--bind", spec->temporary, "/tmp", "--chmod",
						    "1777", "/tmp", NULL});
	else
		add_all(argv, (const char *const[]){"--perms", "1777", "--tmpfs", "/tmp", NULL});
	add_all(argv, (const char *const[]){"--tmpfs", "/run", NULL});
}

static void add_binds(const struct sandbox_spec *spec, struct strv *argv)
{
	size_t i;

	for (i = 0; i < spec->bind_count; i++) {
		const struct sandbox_bind *bind = &spec->binds[i];

		const char *option = bind->writable ? "--bind" : "--ro-bind";

		add_all(argv, (const char *const[]){bind->device ? "--dev-bind" : option,
						    bind->source, bind->target, NULL});
	}
}

static void add_environment(const struct sandbox_spec *spec, struct strv *argv)
{
	size_t i;

	strv_add(argv, "--clearenv");
	for (i = 0; spec->environment && i < spec->environment->count; i++) {
		const char *item = spec->environment->items[i];
		size_t len = strcspn(item, "=");

		strv_add(argv, "--setenv");
		strv_take(argv, xstrndup(item, len));
		strv_add(argv, item[len] ? item + len + 1 : "");
	}
}

void sandbox_options(const struct sandbox_spec *spec, struct strv *ret)
{
	add_isolation(spec, ret);
	add_file_system(spec, ret);
	add_binds(spec, ret);
	add_environment(spec, ret);
	add_all(ret, (const char *const[]){"--chdir", spec->workdir ? spec->workdir : "/", NULL});
}

/* Without capabilities of any kind: what bwrap leaves inheritable must not reach the user. */
static void add_user(const struct sandbox_spec *spec, struct strv *argv)
{
	CLEANUP(free_ptr) char *groups = NULL;

	if (spec->uid == 0 && spec->gid == 0)
		return;
	strv_add(argv, "setpriv");
	strv_addf(argv, "--reuid=%u", spec->uid);
	strv_addf(argv, "--regid=%u", spec->gid);
	if (spec->groups && spec->groups->count > 0) {
		groups = strv_join(spec->groups, ",");
		strv_addf(argv, "--groups=%s", groups);
	} else {
		strv_add(argv, "--clear-groups");
	}
	if (spec->uid != 0)
		strv_add(argv, "--inh-caps=-all");
	strv_add(argv, "--");
}

void sandbox_command(const struct sandbox_spec *spec, struct strv *ret)
{
	add_user(spec, ret);
	strv_extend(ret, spec->argv);
}

void sandbox_arguments(const struct sandbox_spec *spec, struct strv *ret_argv)
{
	sandbox_options(spec, ret_argv);
	strv_add(ret_argv, "--");
	sandbox_command(spec, ret_argv);
}
