/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_scratch.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "sandbox/sandbox_tried.h"

/* Where sites and users put what is temporary and large. */
static const char *const candidates[] = {"$SLURM_TMPDIR", "$TMPDIR", "/var/tmp"};

/* NULL: the variable is not set. Caller frees. */
static char *expand(const char *text)
{
	size_t len = strcspn(text, "/");
	CLEANUP(free_ptr) char *name = NULL;
	const char *value;

	if (*text != '$')
		return xstrdup(text);
	name = xstrndup(text + 1, len - 1);
	value = getenv(name);
	if (!value || !*value)
		return NULL;
	return text[len] ? path_join(value, text + len + 1) : xstrdup(value);
}

static bool is_for_jobs(const struct cli_values *values)
{
	return str_equal(values->executor, "slurm");
}

/* What it is called, or NULL. */
static const char *named(const struct session *session)
{
	const struct cli_values *values = &session->cli->values;
	const char *environment = getenv("VARVE_SCRATCH");

	if (values->scratch && !is_for_jobs(values))
		return values->scratch;
	if (environment && *environment)
		return environment;
	return json_optional_string(session->config, "scratch", NULL);
}

int session_use_scratch(struct session *session, struct varve_error *err)
{
	const char *name = named(session);
	CLEANUP(free_ptr) char *path = NULL;

	if (!name || str_equal(name, "none"))
		return 0;
	path = expand(name);
	if (!path)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "scratch directory %s: the environment does not say where",
				       name);
	if (*path != '/')
		return varve_error_set(err, -VARVE_E_USAGE,
				       "scratch directory %s: an absolute path is needed", name);
	return store_use_scratch(session->store, path, err);
}

bool session_may_choose_scratch(const struct session *session, const struct sandbox_tried *tried)
{
	if (named(session) || session->host.overlay || session->host.isolation == SANDBOX_CHROOT)
		return false;
	return session->host.isolation == SANDBOX_BWRAP || tried->xattrs != 0;
}

/* One in memory is for who names it. */
static bool is_on_disk(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC;
}

bool session_next_scratch(struct session *session, size_t *at)
{
	struct varve_error why = {0};

	for (; *at < ARRAY_SIZE(candidates); ++*at) {
		CLEANUP(free_ptr) char *path = expand(candidates[*at]);

		if (!path || *path != '/' || !is_on_disk(path))
			continue;
		if (store_use_scratch(session->store, path, &why) == 0) {
			++*at;
			return true;
		}
		log_debug("scratch: %s", why.text);
	}
	store_drop_scratch(session->store);
	return false;
}

void session_tell_scratch(struct session *session, const char *why)
{
	CLEANUP(free_ptr)
	char *text = xasprintf("steps work in %s (--scratch names another place): %s",
			       store_path(store_work(session->store)), why);

	build_tell(&session->build, VARVE_EVENT_NOTICE, NULL, text);
	log_debug("%s", text);
}
