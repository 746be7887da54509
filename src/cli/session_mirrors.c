/* SPDX-License-Identifier: Apache-2.0
 * Where this machine says that mirrors lie. */
#include "cli/session.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/settings.h"

/* DEBIAN_SECURITY=URL -> "debian-security=URL". Caller frees. */
static char *mirror_of_variable(const char *text)
{
	char *mirror = xstrdup(text), *c;

	for (c = mirror; *c && *c != '='; c++) {
		if (*c == '_')
			*c = '-';
		else if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return mirror;
}

/* VARVE_MIRROR_NAME=URL, in an order that does not depend on the environment's. */
static void mirrors_of_environment(struct strv *ret)
{
	static const char prefix[] = "VARVE_MIRROR_";
	CLEANUP(strv_release) struct strv found = STRV_INIT;
	char **variable;

	for (variable = environ; *variable; variable++)
		if (str_starts(*variable, prefix))
			strv_take(&found, mirror_of_variable(*variable + sizeof(prefix) - 1));
	strv_sort(&found);
	strv_extend(ret, &found);
}

static int check_mirrors(const struct strv *mirrors, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < mirrors->count; i++) {
		const char *equals = strchr(mirrors->items[i], '=');

		if (!equals || equals == mirrors->items[i] || !strstr(equals, "://"))
			return varve_error_set(err, -VARVE_E_USAGE,
					       "--mirror %s: NAME=URL is needed",
					       mirrors->items[i]);
	}
	return 0;
}

int session_read_mirrors(struct session *session, struct varve_error *err)
{
	int r = check_mirrors(&session->cli->values.mirrors, err);

	if (r < 0)
		return r;
	settings_pairs(session->config, "mirrors", &session->mirrors);
	mirrors_of_environment(&session->mirrors);
	strv_extend(&session->mirrors, &session->cli->values.mirrors);
	return 0;
}
