/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_url.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "recipe/recipe_grammar.h"

bool git_url_is_local(const char *url)
{
	return url[0] == '/' || url[0] == '.' || str_starts(url, "file://");
}

char *git_url_open(const char *directory, const char *url)
{
	CLEANUP(free_ptr) char *top = url[0] == '.' ? realpath(directory, NULL) : NULL;

	return top ? path_join(top, url) : xstrdup(url);
}

/* Cuts the last component off: at its "/", or at the ":" of HOST:PATH. False: there is none. */
static bool go_up(char *url)
{
	char *start = strstr(url, "://"), *slash;

	start = start ? start + 3 : url;
	slash = strrchr(start, '/');
	if (!slash) {
		slash = start == url ? strchr(start, ':') : NULL;
		if (!slash)
			return false;
		slash++;
	}
	*slash = '\0';
	return true;
}

static int join(const char *parent, const char *text, char **ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *base = xstrdup(parent);
	const char *rest = text;
	size_t len = strlen(base);

	while (len > 1 && base[len - 1] == '/')
		base[--len] = '\0';
	for (;;) {
		if (str_starts(rest, "./")) {
			rest += 2;
		} else if (str_starts(rest, "../")) {
			rest += 3;
			if (!go_up(base))
				return varve_error_set(err, -VARVE_E_RESOLVE,
						       "the URL \"%.200s\" of a submodule leads "
						       "out of %.200s",
						       text, parent);
		} else {
			break;
		}
	}
	*ret = str_ends(base, ":") || *rest == '\0' ? xasprintf("%s%s", base, rest)
						    : xasprintf("%s/%s", base, rest);
	return 0;
}

int git_url_submodule(const char *parent, const char *text, char **ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *url = NULL;
	int r = 0;

	if (str_starts(text, "./") || str_starts(text, "../"))
		r = join(parent, text, &url, err);
	else
		url = xstrdup(text);
	if (!url)
		return r;
	if (!grammar_matches(GRAMMAR_GIT_URL, url))
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "the URL \"%.200s\" of a submodule is none that is fetched "
				       "from",
				       text);
	if (git_url_is_local(url) && !git_url_is_local(parent))
		return varve_error_set(
			err, -VARVE_E_RESOLVE,
			"the URL \"%.200s\" of a submodule is a path of this machine", text);
	*ret = steal_ptr(&url);
	return 0;
}
