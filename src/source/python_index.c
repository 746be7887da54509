/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "net/http.h"

#define PYTHON_FILE_LIMIT (64ULL << 30)

enum { PAGES_AT_ONCE = 16, PIP_HELP = 1 << 20 };

/* Indexes that have only the older form answer with that, whatever is asked for. */
static const char accepted[] = "application/vnd.pypi.simple.v1+json, "
			       "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/* --- where it lies -----------------------------------------------------------------------------
 */

/* The words of UV_INDEX are URL or NAME=URL. */
static char *from_uv(const char *index)
{
	const char *setting = getenv("UV_INDEX");
	CLEANUP(free_ptr) char *copy = xstrdup(setting ? setting : "");
	CLEANUP(free_ptr) char *start = xasprintf("%s=", index);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " \t\n")))
		if (str_starts(word, start))
			return xstrdup(word + strlen(start));
	return NULL;
}

static char *from_environment(void)
{
	static const char *const names[] = {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return xstrdup(value);
	}
	return NULL;
}

/* pip's help tells the default of --index-url as its settings make it; a URL with a password is
 * told with stars in its place, which is no use to us. */
static char *from_pip(void)
{
	static const char *const argv[] = {"env",      "COLUMNS=2000", "PYTHONWARNINGS=ignore",
					   "python3",  "-m",           "pip",
					   "download", "--help",       NULL};
	static const char mark[] = "(default ";
	CLEANUP(buf_release) struct buf help = BUF_INIT;
	struct varve_error unused;
	const char *at, *end;

	if (process_capture(argv, PIP_HELP, &help, &unused) < 0)
		return NULL;
	at = strstr(buf_text(&help), "--index-url");
	at = at ? strstr(at, mark) : NULL;
	if (!at)
		return NULL;
	at += strlen(mark);
	end = at + strcspn(at, ") \n");
	if (*end != ')' || !memchr(at, ':', (size_t)(end - at)) ||
	    memchr(at, '*', (size_t)(end - at)))
		return NULL;
	return xstrndup(at, (size_t)(end - at));
}

static int unknown_index(const char *index, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_HOST,
			"this machine does not say where the package index \"%s\" lies", index);
	varve_error_hint(
		err, "set it: --mirror %s=URL, or in the configuration file (varve(1), MIRRORS)",
		index);
	return -VARVE_E_HOST;
}

int python_index_url(struct source_context *context, const char *index, char **ret,
		     struct varve_error *err)
{
	CLEANUP(free_ptr) char *key = xasprintf("index %s", index);
	const char *setting = source_setting(context, index);
	const char *known = strv_getenv(&context->learnt, key);
	bool main_index = strcmp(index, PYTHON_MAIN_INDEX) == 0;
	char *url = known ? xstrdup(known) : setting ? xstrdup(setting) : from_uv(index);
	size_t len;

	if (!url && main_index)
		url = from_environment();
	if (!url && main_index)
		url = from_pip();
	if (!url)
		return unknown_index(index, err);
	for (len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	strv_setenv(&context->learnt, key, url);
	*ret = url;
	return 0;
}

/* --- pages -------------------------------------------------------------------------------------
 */

struct pages {
	struct http_transfer *transfers;
	char **urls;
	size_t count;
};

static void pages_release(struct pages *pages)
{
	size_t i;

	for (i = 0; i < pages->count; i++) {
		fd_close(&pages->transfers[i].fd);
		free(pages->urls[i]);
	}
	free(pages->transfers);
	free(pages->urls);
}

static int read_page(const struct http_transfer *transfer, const char *what,
		     struct python_page *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	if (transfer->result == -VARVE_E_NOT_FOUND)
		return 0;
	if (transfer->result < 0) {
		if (err)
			*err = transfer->error;
		return transfer->result;
	}
	if (lseek(transfer->fd, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "read %s", what);
	r = fd_read_all(transfer->fd, JSON_LIMIT, &text);
	if (r < 0)
		return varve_error_set(err, r, "read %s", what);
	r = python_page_parse(buf_text(&text), text.len, transfer->url, what, ret, err);
	/* A server's nonsense is the server's fault. */
	if (r < 0 && err)
		err->code = -VARVE_E_NETWORK;
	return r < 0 ? -VARVE_E_NETWORK : 0;
}

/* Makes the transfers of some of the projects: their pages are in memory together. */
static int pages_begin(const char *base, char *const *projects, size_t count, struct pages *ret,
		       struct varve_error *err)
{
	size_t i;

	ret->transfers = xcalloc(count, sizeof(*ret->transfers));
	ret->urls = xcalloc(count, sizeof(*ret->urls));
	for (i = 0; i < count; i++) {
		ret->urls[i] = xasprintf("%s/%s/", base, projects[i]);
		ret->transfers[i] = (struct http_transfer){.url = ret->urls[i],
							   .fd = memfd_create("page", MFD_CLOEXEC),
							   .limit = JSON_LIMIT,
							   .accept = accepted};
		ret->count++;
		if (ret->transfers[i].fd < 0)
			return varve_error_set(err, -errno, "make a buffer");
	}
	return 0;
}

static int pages_read(const struct pages *pages, const char *index, char *const *projects,
		      struct python_page *ret, struct varve_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < pages->count && r == 0; i++) {
		CLEANUP(free_ptr)
		char *what = xasprintf("project \"%s\" of index \"%s\"", projects[i], index);

		r = read_page(&pages->transfers[i], what, &ret[i], err);
	}
	return r;
}

int python_pages(struct source_context *context, const char *index, const struct strv *projects,
		 struct python_page *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *base = NULL;
	struct varve_error unused;
	size_t i;
	int r = python_index_url(context, index, &base, err);

	if (r == 0)
		r = source_need_http(context, base, err);
	for (i = 0; i < projects->count && r == 0; i += PAGES_AT_ONCE) {
		CLEANUP(pages_release) struct pages pages = {0};
		size_t left = projects->count - i;

		r = pages_begin(base, projects->items + i,
				left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE, &pages, err);
		/* Each page is looked at for itself: one that is not there is no failure. */
		if (r == 0)
			(void)http_fetch(context->http, pages.transfers, pages.count, NULL, NULL,
					 &unused);
		if (r == 0)
			r = pages_read(&pages, index, projects->items + i, ret + i, err);
	}
	return r;
}

int python_file_identity(struct source_context *context, const struct python_file *file,
			 struct varve_digest *ret_sha256, uint64_t *ret_size,
			 struct varve_error *err)
{
	struct source_download download = {.url = file->url, .limit = PYTHON_FILE_LIMIT};
	int r;

	*ret_sha256 = file->sha256;
	*ret_size = file->size;
	if (file->has_sha256)
		return 0;
	r = source_download(context, &download, 1, file->name, err);
	*ret_sha256 = download.got;
	*ret_size = download.got_size;
	return r;
}

/* --- symbolic places ---------------------------------------------------------------------------
 */

char *python_from(struct source_context *context, const char *index, const struct python_file *file)
{
	static const char mark[] = "/packages/";
	CLEANUP(free_ptr) char *key = xasprintf("files %s", index);
	CLEANUP(free_ptr) char *base = NULL;
	const char *at = strstr(file->url, mark);

	if (!at || !str_ends(file->url, file->name) || strpbrk(at, "?%") || strstr(at, "/."))
		return xasprintf("%s:%s", index, file->name);
	base = xstrndup(file->url, (size_t)(at - file->url));
	strv_setenv(&context->learnt, key, base);
	return xasprintf("%s:%s", index, at + 1);
}

/* The page says where the file lies now. */
static int ask_index(struct source_context *context, const char *index,
		     const struct lock_artifact *artifact, const char *name, char **ret,
		     struct varve_error *err)
{
	CLEANUP(python_page_release) struct python_page page = {0};
	CLEANUP(strv_release) struct strv projects = STRV_INIT;
	const struct python_file *file;
	int r;

	strv_add(&projects, artifact->name);
	r = python_pages(context, index, &projects, &page, err);
	if (r < 0)
		return r;
	file = python_page_find(&page, name);
	if (!file)
		return varve_error_set(err, -VARVE_E_NOT_FOUND, "index \"%s\" has no %s (any more)",
				       index, name);
	free(python_from(context, index, file)); /* learns where files lie */
	*ret = xstrdup(file->url);
	return 0;
}

int source_python_locate(struct source_context *context, const struct lock_artifact *artifact,
			 bool guess, char **ret, struct varve_error *err)
{
	const char *colon = strchr(artifact->from, ':');
	CLEANUP(free_ptr)
	char *index = xstrndup(artifact->from, (size_t)(colon - artifact->from));
	CLEANUP(free_ptr) char *key = xasprintf("files %s", index);
	const char *base = strv_getenv(&context->learnt, key);
	const char *name = strrchr(colon, '/');

	if (guess && name && base) {
		*ret = xasprintf("%s/%s", base, colon + 1);
		return 0;
	}
	return ask_index(context, index, artifact, name ? name + 1 : colon + 1, ret, err);
}
