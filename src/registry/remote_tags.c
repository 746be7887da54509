/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/remote_tags.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"

enum { PAGES = 1000, PAGE_LIMIT = 16 << 20 };

/* <ADDRESS>; rel="next" */
char *remote_next_page(const struct registry *registry, const struct http_answer *answer)
{
	const char *link = http_header(&answer->headers, "Link");
	const char *end = link && *link == '<' ? strchr(link, '>') : NULL;
	CLEANUP(free_ptr) char *url = NULL;

	if (!end || !strstr(end, "next"))
		return NULL;
	url = xstrndup(link + 1, (size_t)(end - link - 1));
	if (url[0] == '/')
		return xasprintf("%s%s", registry_origin(registry), url);
	return registry_is_own(registry, url) ? steal_ptr(&url) : NULL;
}

static int take_page(const struct registry *registry, const struct http_answer *answer,
		     struct strv *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *page = NULL;
	const json_t *tag;
	size_t i;
	int r;

	if (answer->status == 404)
		return 0;
	if (answer->status != 200)
		return registry_complain(registry, answer, err, "list tags");
	r = json_parse(buf_text(&answer->text), answer->text.len, "tags", &page, err);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(page, "tags"), i, tag)
	{
		if (json_is_string(tag))
			strv_add(ret, json_string_value(tag));
	}
	return 0;
}

int remote_tags(struct registry *registry, struct http_client *client, struct strv *ret,
		struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = xstrdup("tags/list?n=1000");
	int r = 0;

	for (int page = 0; path && r == 0 && page < PAGES; page++) {
		CLEANUP(http_answer_release) struct http_answer answer = {0};
		const struct registry_call call = {
			.method = "GET", .path = path, .limit = PAGE_LIMIT};

		r = registry_call(registry, client, &call, &answer, err);
		if (r == 0)
			r = take_page(registry, &answer, ret, err);
		free(path);
		path = remote_next_page(registry, &answer);
	}
	strv_sort(ret);
	if (r == 0 && path)
		r = varve_error_set(err, -VARVE_E_LIMIT, "%s: more than %d pages of tags",
				    registry_name(registry), (int)PAGES);
	return r;
}
