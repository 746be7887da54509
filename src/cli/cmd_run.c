/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli_options.h"
#include "cli/in_image.h"
#include "cli/session.h"

struct binds {
	struct sandbox_bind *items; /* strings owned */
	size_t count;
};

static void binds_release(struct binds *binds)
{
	size_t i;

	for (i = 0; i < binds->count; i++) {
		free((void *)(uintptr_t)binds->items[i].source);
		free((void *)(uintptr_t)binds->items[i].target);
	}
	free(binds->items);
}

/* HOST:DIR or HOST:DIR:ro */
static int add_bind(struct binds *binds, const char *text, struct varve_error *err)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *target = strchr(copy, ':'), *mode = NULL, *source;

	if (target) {
		*target++ = '\0';
		mode = strchr(target, ':');
	}
	if (mode)
		*mode++ = '\0';
	if (!target || *target != '/' ||
	    (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0))
		return varve_error_set(err, -VARVE_E_USAGE, "--volume %s: HOST:/DIR[:ro] is needed",
				       text);
	source = realpath(copy, NULL);
	if (!source)
		return varve_error_set(err, -errno, "--volume %s", copy);
	binds->items[binds->count++] = (struct sandbox_bind){
		.source = source,
		.target = xstrdup(target),
		.writable = !mode || strcmp(mode, "rw") == 0,
	};
	return 0;
}

/* In a chroot a volume is a copy, and a directory of the host is not moved away for a writable one.
 */
static int check_writable(const struct session *session, const struct sandbox_bind *bind,
			  struct varve_error *err)
{
	if (session->host.isolation != SANDBOX_CHROOT || !bind->writable)
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE,
			       "--volume %s:%s: --isolation chroot can only give a copy: write "
			       "%s:%s:ro",
			       bind->source, bind->target, bind->source, bind->target);
}

static int collect_binds(const struct session *session, const struct strv *texts, struct binds *ret,
			 struct varve_error *err)
{
	size_t i;
	int r;

	ret->items = xcalloc(texts->count + 1, sizeof(*ret->items));
	for (i = 0; i < texts->count; i++) {
		r = add_bind(ret, texts->items[i], err);
		if (r == 0)
			r = check_writable(session, &ret->items[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_environment(const struct strv *given, struct strv *environment,
			   struct varve_error *err)
{
	size_t i;

	for (i = 0; i < given->count; i++) {
		CLEANUP(free_ptr)
		char *name = xstrndup(given->items[i], strcspn(given->items[i], "="));
		const char *equals = strchr(given->items[i], '=');

		if (*name == '\0' || (!equals && !getenv(name)))
			return varve_error_set(err, -VARVE_E_USAGE,
					       "--env %s: NAME=VALUE is needed", given->items[i]);
		strv_setenv(environment, name, equals ? equals + 1 : getenv(name));
	}
	return 0;
}

static int run_in(struct session *session, const struct image *image, const struct binds *binds,
		  struct varve_error *err)
{
	const struct cli_values *values = &session->cli->values;
	const json_t *config = json_object_get(image->config, "config");
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv command = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	struct build build = {.store = session->store, .host = &session->host};
	struct enter enter;
	size_t i;
	int r;

	for (i = 1; i < session->cli->arguments.count; i++)
		strv_add(&command, session->cli->arguments.items[i]);
	in_image_enter(image, &enter);
	in_image_environment(config, true, &environment);
	if (values->entrypoint) {
		strv_add(&argv, values->entrypoint);
		strv_extend(&argv, &command);
	} else {
		in_image_command(config, &command, &argv);
	}
	if (argv.count == 0)
		return varve_error_set(err, -VARVE_E_USAGE, "the image names no command; give one");
	r = set_environment(&values->environment, &environment, err);
	if (r < 0)
		return r;
	enter.environment = &environment;
	enter.argv = &argv;
	enter.binds = binds->items;
	enter.bind_count = binds->count;
	enter.network = values->network;
	enter.terminal = true;
	enter.user = values->user ? values->user : enter.user;
	enter.workdir = values->workdir ? values->workdir : enter.workdir;
	return enter_run(&build, &enter, &session->cli->status, err);
}

int cmd_run(struct cli *cli, struct varve_error *err)
{
	CLEANUP(session_release) struct session session = {0};
	CLEANUP(image_release) struct image image = {0};
	CLEANUP(binds_release) struct binds binds = {0};
	int r;

	r = session_open_store(&session, cli, err);
	if (r == 0)
		r = session_need_host(&session, err);
	if (r == 0)
		r = image_open(session.store, cli->arguments.items[0], &image, err);
	if (r == 0)
		r = session_complete(&session, &image.manifest_descriptor, err);
	if (r == 0)
		r = collect_binds(&session, &cli->values.mounts, &binds, err);
	return r < 0 ? r : run_in(&session, &image, &binds, err);
}
