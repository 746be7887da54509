/* SPDX-License-Identifier: Apache-2.0
 * url sources: one file. Dates that servers tell are left out: two mirrors tell different ones. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "net/http_url.h"
#include "source/source_kind.h"

#define URL_LIMIT (64ULL << 30)

char *source_href_url(const struct source_context *context, const char *href)
{
	CLEANUP(free_ptr) char *directory = NULL;
	CLEANUP(free_ptr) char *path = NULL;

	if (strstr(href, "://"))
		return xstrdup(href);
	if (*href == '/')
		return http_url_of_file(href);
	directory = realpath(context->directory, NULL);
	path = path_join(directory ? directory : "/", href);
	return http_url_of_file(path);
}

int source_url_resolve(struct source_context *context, const struct lock *lock,
		       struct lock_source *ret, struct varve_error *err)
{
	const char *href = json_optional_string(ret->spec, "href", "");
	const char *sha256 = json_optional_string(ret->spec, "sha256", "");
	struct source_download download = {.limit = URL_LIMIT};
	struct lock_artifact *artifact;
	struct varve_digest want;
	int r;

	(void)lock;
	if (*sha256) {
		if (varve_digest_parse_hex(sha256, &want) < 0 &&
		    varve_digest_parse(sha256, &want) < 0)
			return varve_error_set(err, -VARVE_E_RECIPE, "sha256 \"%s\" is no sha256",
					       sha256);
		download.want = &want;
	}
	download.url = source_href_url(context, href);
	r = source_download(context, &download, 1, ret->name, err);
	free(download.url);
	if (r < 0)
		return r;
	artifact = lock_source_add(ret);
	artifact->name = xstrdup(json_optional_string(ret->spec, "filename", path_base(href)));
	artifact->version = xstrdup("");
	artifact->architecture = xstrdup("");
	artifact->size = download.got_size;
	artifact->sha256 = download.got;
	artifact->from = xstrdup(href);
	return 0;
}
