/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_propose.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "net/http_url.h"
#include "record/record_python.h"

enum { NAME_LENGTH = 40, VALUE_LENGTH = 64 };

void record_proposal_release(struct record_proposal *proposal)
{
	size_t i;

	for (i = 0; i < proposal->count; i++) {
		free(proposal->files[i].name);
		free(proposal->files[i].filename);
	}
	free(proposal->files);
	strv_release(&proposal->requirements);
	strv_release(&proposal->sdists);
	strv_release(&proposal->indexes);
	free(proposal->python);
	strv_release(&proposal->notes);
	*proposal = (struct record_proposal){0};
}

static int by_url(const void *a, const void *b)
{
	const struct record_exchange *x = a, *y = b;
	int order = strcmp(x->url, y->url);

	if (order == 0)
		order = strcmp(x->method, y->method);
	if (order == 0)
		order = (x->status > y->status) - (x->status < y->status);
	return order ? order : varve_digest_compare(&x->sha256, &y->sha256);
}

/* The last component of the path. Caller frees. */
static char *file_name(const char *url)
{
	size_t len = strcspn(url, "?"), start = len;

	while (start > 0 && url[start - 1] != '/')
		start--;
	return xstrndup(url + start, len - start);
}

/* The setting that the URL lies at, by its path or else by its host. NULL: at none. Caller frees.
 */
static char *symbolic(const char *url, const struct strv *settings)
{
	CLEANUP(free_ptr) char *origin = http_url_origin(url);
	size_t i;

	for (i = 0; i < settings->count; i++) {
		const char *place = strchr(settings->items[i], '=');
		CLEANUP(free_ptr) char *other = place ? http_url_origin(place + 1) : NULL;
		CLEANUP(free_ptr) char *name = file_name(url);

		if (other && *other && strcmp(other, origin) == 0)
			return xasprintf("%.*s:%s", (int)(place - settings->items[i]),
					 settings->items[i], name);
	}
	return NULL;
}

/* A query may hold a token: it is never shown. */
void record_note(struct record_proposal *ret, const struct record_exchange *exchange,
		 const struct strv *settings, const char *why)
{
	CLEANUP(free_ptr) char *place = symbolic(exchange->url, settings);
	CLEANUP(free_ptr)
	char *shown = place ? xstrdup(place) : xstrndup(exchange->url, strcspn(exchange->url, "?"));
	CLEANUP(free_ptr) char *line = xasprintf("%s %s: %s", exchange->method, shown, why);

	if (!strv_contains(&ret->notes, line))
		strv_add(&ret->notes, line);
}

static bool is_fetched(const struct record_exchange *exchange)
{
	return exchange->status == 200 && !exchange->why &&
	       !varve_digest_is_none(&exchange->sha256);
}

/* NAME=VALUE that says which file is meant and nothing of who asks. */
static bool is_harmless(const char *parameter, size_t len)
{
	static const char *const names[] = {"arch",     "branch", "dl",     "download", "file",
					    "filename", "format", "inline", "lang",     "os",
					    "platform", "raw",    "ref",    "tag",      "type",
					    "v",        "ver",    "version"};
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/";
	size_t name = strcspn(parameter, "=&"), i;

	if (len > VALUE_LENGTH || strspn(parameter + name, "=") > 1)
		return false;
	for (i = name + 1; i < len; i++)
		if (!strchr(letters, parameter[i]))
			return false;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == name && strncmp(parameter, names[i], name) == 0)
			return true;
	return false;
}

/* A secret may have any name: only what is known to be none is shown. */
static bool may_be_secret(const char *url)
{
	const char *at = strchr(url, '?');

	while (at) {
		size_t len = strcspn(++at, "&");

		if (!is_harmless(at, len))
			return true;
		at = at[len] ? at + len : NULL;
	}
	return false;
}

/* What stands for a character in the name of a source. */
static char letter(char c)
{
	static const char from[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char to[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz-";

	return to[strcspn(from, (const char[]){c, '\0'})];
}

static char *source_name(const struct record_proposal *have, const char *file)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT;
	unsigned number = 1;
	size_t i;

	for (; *file && name.len < NAME_LENGTH; file++)
		if (name.len > 0 || letter(*file) != '-')
			buf_addc(&name, letter(*file));
	if (name.len == 0)
		buf_addstr(&name, "file");
	for (i = 0; i < have->count; i++)
		number += str_starts(have->files[i].name, buf_text(&name));
	if (number > 1)
		buf_addf(&name, "-%u", number);
	return buf_steal(&name);
}

/* The first of the redirections that lead to it: what the script names. */
static const char *first_url(const struct record_log *log, const char *url)
{
	unsigned hops;
	size_t i;

	for (hops = 0; hops < 10; hops++) {
		for (i = 0; i < log->count; i++)
			if (str_equal(log->items[i].location, url) && !log->items[i].why &&
			    http_url_may_redirect(log->items[i].url, url))
				break;
		if (i == log->count)
			break;
		url = log->items[i].url;
	}
	return url;
}

static const struct record_exchange *find(const struct record_log *log, const char *url)
{
	size_t i;

	for (i = 0; i < log->count; i++)
		if (strcmp(log->items[i].url, url) == 0)
			return &log->items[i];
	return NULL;
}

static void propose_file(struct record_log *log, struct record_exchange *exchange,
			 const struct strv *settings, struct record_proposal *ret)
{
	const char *href = first_url(log, exchange->url);
	const struct record_exchange *first = find(log, href);
	CLEANUP(free_ptr) char *place = symbolic(href, settings);
	CLEANUP(free_ptr) char *file = file_name(exchange->url);
	struct record_file *made;

	if (record_python(log, exchange, file, settings, ret))
		return;
	if (str_ends(file, ".deb")) {
		record_note(ret, first, settings, "a Debian package belongs into a debian source");
	} else if (place) {
		record_note(ret, first, settings,
			    "it lies on this machine's own mirror: name its public URL");
	} else if (may_be_secret(href)) {
		record_note(ret, first, settings,
			    "its address has a query, which may hold a secret");
	} else {
		ret->files = array_grow(ret->files, ret->count, &ret->alloc, sizeof(*ret->files));
		made = &ret->files[ret->count];
		made->name = source_name(ret, *file ? file : "index");
		made->filename = path_is_clean(file) ? steal_ptr(&file) : xstrdup("index");
		made->from = exchange;
		ret->count++;
		if (first != exchange) {
			free(exchange->location); /* keeps what the source is to name */
			exchange->location = xstrdup(href);
		}
	}
}

/* A look-up that requests followed says nothing more than they do. */
static bool is_explained(const struct record_log *log, const struct record_exchange *exchange)
{
	size_t i;

	if (strcmp(exchange->method, "LOOKUP") != 0)
		return false;
	for (i = 0; i < log->count; i++) {
		const struct record_exchange *other = &log->items[i];
		CLEANUP(free_ptr)
		char *host = strstr(other->url, "://") ? http_url_host(other->url) : NULL;

		if (host && strcasecmp(host, exchange->url) == 0)
			return true;
	}
	return false;
}

/* All that is known of one URL: items first..end of the sorted log. */
static void propose_url(struct record_log *log, size_t first, size_t end,
			const struct strv *settings, struct record_proposal *ret)
{
	struct record_exchange *good = NULL;
	size_t i;

	for (i = first; i < end; i++) {
		struct record_exchange *exchange = &log->items[i];

		if (!is_fetched(exchange))
			continue;
		if (good && !varve_digest_equal(&good->sha256, &exchange->sha256)) {
			record_note(ret, exchange, settings, "each request gets another answer");
			return;
		}
		good = exchange;
	}
	if (good) {
		propose_file(log, good, settings, ret);
		return;
	}
	for (i = first; i < end && !is_explained(log, &log->items[i]); i++) {
		struct record_exchange *exchange = &log->items[i];
		CLEANUP(free_ptr)
		char *status = xasprintf("the server says %u", exchange->status);

		if (exchange->why)
			record_note(ret, exchange, settings, exchange->why);
		else if (strcmp(exchange->method, "HEAD") == 0)
			record_note(ret, exchange, settings, "only asked about, not fetched");
		else if (!exchange->location || exchange->status >= 400)
			record_note(ret, exchange, settings, status);
	}
}

void record_propose(struct record_log *log, const struct strv *settings,
		    struct record_proposal *ret)
{
	size_t first, end;

	if (log->count > 0)
		qsort(log->items, log->count, sizeof(*log->items), by_url);
	for (first = 0; first < log->count; first = end) {
		for (end = first + 1;
		     end < log->count && strcmp(log->items[end].url, log->items[first].url) == 0;)
			end++;
		propose_url(log, first, end, settings, ret);
	}
	strv_sort(&ret->requirements);
	strv_sort(&ret->sdists);
	strv_sort(&ret->indexes);
	strv_sort(&ret->notes);
}

static const char *href_of(const struct record_file *file)
{
	return file->from->location ? file->from->location : file->from->url;
}

static void add_python(const struct record_proposal *proposal, const struct strv *requirements,
		       const char *name, json_t *sources, json_t *mounts)
{
	CLEANUP(free_ptr) char *target = xasprintf("/run/sources/%s", name);
	json_t *source;

	if (requirements->count == 0)
		return;
	source = json_object();
	json_set(source, "kind", json_text("python"));
	if (proposal->python)
		json_set(source, "python", json_text(proposal->python));
	json_set(source, "requirements", json_of_strv(requirements));
	if (proposal->indexes.count > 0)
		json_set(source, "index", json_of_strv(&proposal->indexes));
	if (requirements == &proposal->sdists)
		json_set(source, "sdist", json_true());
	json_set(sources, name, source);
	json_set(mounts, target, json_text(name));
}

json_t *record_proposal_to_json(const struct record_proposal *proposal)
{
	json_t *object = json_object(), *sources = json_object(), *mounts = json_object();
	size_t i;

	for (i = 0; i < proposal->count; i++) {
		const struct record_file *file = &proposal->files[i];
		CLEANUP(free_ptr) char *target = xasprintf("/run/sources/%s", file->name);
		char hex[VARVE_DIGEST_HEX];
		json_t *source = json_object();

		json_set(source, "kind", json_text("url"));
		json_set(source, "href", json_text(href_of(file)));
		json_set(source, "filename", json_text(file->filename));
		json_set(source, "sha256", json_text(varve_digest_hex(&file->from->sha256, hex)));
		json_set(sources, file->name, source);
		json_set(mounts, target, json_text(file->name));
	}
	add_python(proposal, &proposal->requirements, "python", sources, mounts);
	add_python(proposal, &proposal->sdists, "python-sdists", sources, mounts);
	json_set(object, "sources", sources);
	json_set(object, "mounts", mounts);
	json_set(object, "not-recorded", json_of_strv(&proposal->notes));
	return object;
}

/* JSON is YAML: what needs quotes has them. */
static void print_member(const json_t *object, const char *name, const char *comment,
			 struct buf *out)
{
	const char *key;
	json_t *value;

	buf_addf(out, "%s:%s\n", name, comment);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		buf_addf(out, "  %s: ", key);
		json_canonical(value, out);
		buf_addc(out, '\n');
	}
}

void record_print(const struct record_proposal *proposal, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *object = record_proposal_to_json(proposal);

	if (!proposal->python && proposal->requirements.count + proposal->sdists.count > 0)
		buf_addstr(out,
			   "# python, the version that the packages are for, is not known: add "
			   "it, as {python: \"3.11\"}\n");
	print_member(json_object_get(object, "sources"), "sources", "", out);
	print_member(json_object_get(object, "mounts"), "mounts",
		     " # of the step: each is a directory that holds its files", out);
}
