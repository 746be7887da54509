/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>
#include "base/digest.h"
#include "fault_server.h"
#include "net/http_url.h"

enum { CONTENT = 300 * 1000, BREAK = 100 * 1000, KNOWN_SIZE = 1, KNOWN_DIGEST = 2, KNOWN = 3 };

static char *content_new(void)
{
	char *content = xmalloc(CONTENT);
	uint32_t seed = 1;

	for (size_t i = 0; i < CONTENT; i++)
		content[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
	return content;
}

/* --- one transfer, one script
 * ---------------------------------------------------------------------- */

struct fault_case {
	const char *name;
	struct fault_step script[FAULT_STEPS];
	unsigned known; /* what is known of the file beforehand */
	unsigned there; /* bytes of an earlier partial download */
	int result;
	unsigned requests;
	const char *text; /* in the error */
	const char *ranged; /* in the last request */
};

#define ALWAYS(fault, value)                                                                       \
	{                                                                                          \
		{fault, value}, {fault, value}, {fault, value}, {fault, value}, {fault, value},    \
			{fault, value},                                                            \
	}

static const struct fault_case cases[] = {
	{"plain", {{0}}, KNOWN, 0, 0, 1, NULL, NULL},
	{"of unknown size", {{0}}, 0, 0, 0, 1, NULL, NULL},
	{"reset, then resumed", {{FAULT_RESET, BREAK}}, KNOWN, 0, 0, 2, NULL, "bytes=100000-"},
	{"cut, then resumed", {{FAULT_TRUNCATE, BREAK}}, KNOWN, 0, 0, 2, NULL, "bytes=100000-"},
	{"closed early, then resumed",
	 {{FAULT_SHORT, BREAK}},
	 KNOWN,
	 0,
	 0,
	 2,
	 NULL,
	 "bytes=100000-"},
	{"two breaks",
	 {{FAULT_RESET, BREAK}, {FAULT_TRUNCATE, BREAK}},
	 KNOWN,
	 0,
	 0,
	 3,
	 NULL,
	 "bytes=200000-"},
	{"stall, then resumed", {{FAULT_STALL, BREAK}}, KNOWN, 0, 0, 2, NULL, "bytes=100000-"},
	{"unknown file resumed under its ETag",
	 {{FAULT_RESET, BREAK}},
	 0,
	 0,
	 0,
	 2,
	 NULL,
	 "If-Range: \"one\""},
	{"range ignored",
	 {{FAULT_RESET, BREAK}, {FAULT_NO_RANGE, 0}},
	 KNOWN,
	 0,
	 0,
	 2,
	 NULL,
	 "bytes="},
	{"range of another place",
	 {{FAULT_RESET, BREAK}, {FAULT_BAD_RANGE, 7}, {0}},
	 KNOWN,
	 0,
	 0,
	 3,
	 NULL,
	 "GET /file"},
	{"range refused",
	 {{FAULT_RESET, BREAK}, {FAULT_STATUS, 416}, {0}},
	 KNOWN,
	 0,
	 0,
	 3,
	 NULL,
	 NULL},
	{"503 then there", {{FAULT_STATUS, 503}}, KNOWN, 0, 0, 2, NULL, NULL},
	{"429 with Retry-After", {{FAULT_WAIT, 1}}, KNOWN, 0, 0, 2, NULL, NULL},
	{"redirected", {{FAULT_REDIRECT, 0}, {FAULT_REDIRECT, 0}}, KNOWN, 0, 0, 3, NULL, NULL},
	{"continues an earlier download", {{0}}, KNOWN, BREAK, 0, 1, NULL, "bytes=100000-"},
	{"wrong bytes once, in the first part",
	 {{FAULT_WRONG, 0}},
	 KNOWN,
	 BREAK,
	 0,
	 2,
	 NULL,
	 "GET"},

	{"503 always", ALWAYS(FAULT_STATUS, 503), KNOWN, 0, -VARVE_E_NETWORK, 2, "HTTP status 503",
	 NULL},
	{"asks for an hour", ALWAYS(FAULT_WAIT, 3600), KNOWN, 0, -VARVE_E_NETWORK, 1, "wait 3600 s",
	 NULL},
	{"404", ALWAYS(FAULT_STATUS, 404), KNOWN, 0, -VARVE_E_NOT_FOUND, 1, "HTTP status 404",
	 NULL},
	{"404 with an endless body", ALWAYS(FAULT_ENDLESS, 404), KNOWN, 0, -VARVE_E_NOT_FOUND, 1,
	 "HTTP status 404", NULL},
	{"403", ALWAYS(FAULT_STATUS, 403), KNOWN, 0, -VARVE_E_NETWORK, 1, "HTTP status 403", NULL},
	{"redirects without end", ALWAYS(FAULT_REDIRECT, 0), KNOWN, 0, -VARVE_E_NETWORK, 11,
	 "redirections", NULL},
	{"redirects to a file", ALWAYS(FAULT_FOREIGN, 0), 0, 0, -VARVE_E_NETWORK, 1, "redirects to",
	 NULL},
	{"reset always", ALWAYS(FAULT_RESET, 0), KNOWN, 0, -VARVE_E_NETWORK, 2, "tries", NULL},
	{"cut for ever", ALWAYS(FAULT_TRUNCATE, 10), KNOWN, 0, -VARVE_E_NETWORK, 2, "tries", NULL},
	{"closed early for ever", ALWAYS(FAULT_SHORT, 10), KNOWN, 0, -VARVE_E_NETWORK, 2,
	 "of 300000 bytes", NULL},
	{"stalls", ALWAYS(FAULT_STALL, 0), KNOWN, 0, -VARVE_E_NETWORK, 2, "1 seconds", NULL},
	{"too many bytes", ALWAYS(FAULT_LONG, 1000), KNOWN, 0, -VARVE_E_DIGEST, 1, "more than",
	 NULL},
	{"over the limit", ALWAYS(FAULT_LONG, 1000), 0, 0, -VARVE_E_LIMIT, 1, "larger than", NULL},
	{"wrong bytes", ALWAYS(FAULT_WRONG, 0), KNOWN, 0, -VARVE_E_DIGEST, 1, "sha256:", NULL},
	{"wrong bytes of unknown size", ALWAYS(FAULT_WRONG, 0), KNOWN_DIGEST, 0, -VARVE_E_DIGEST, 1,
	 "expected was sha256:", NULL},
	{"wrong bytes after a break",
	 {{FAULT_RESET, BREAK}, {FAULT_WRONG, 0}, {FAULT_WRONG, 0}},
	 KNOWN,
	 0,
	 -VARVE_E_DIGEST,
	 3,
	 "sha256:",
	 NULL},
};

struct download {
	struct http_transfer transfer;
	char *url;
	struct varve_digest want;
	const char *content;
};

static void download_begin(struct download *d, const struct fault_server *server,
			   const struct fault_case *c, int fd)
{
	digest_bytes(server->content, CONTENT, &d->want);
	d->content = server->content;
	d->url = xasprintf("http://user:secret@127.0.0.1:%u/file?token=hidden", server->port);
	d->transfer = (struct http_transfer){
		.url = d->url, .fd = fd, .limit = CONTENT, .resume_from = c->there};
	if (c->known & KNOWN_SIZE)
		d->transfer.size = CONTENT;
	if (c->known & KNOWN_DIGEST)
		d->transfer.want = &d->want;
	assert_int_equal(fd_write_all(fd, server->content, c->there), 0);
}

static void check_file(const struct download *d)
{
	CLEANUP(free_ptr) char *got = xcalloc(1, CONTENT + 1);

	assert_int_equal(pread(d->transfer.fd, got, CONTENT + 1, 0), CONTENT);
	assert_memory_equal(got, d->content, CONTENT);
	assert_true(varve_digest_equal(&d->transfer.got, &d->want));
	assert_int_equal(d->transfer.got_size, CONTENT);
	assert_int_equal(d->transfer.last_modified, 784111777);
}

static void check_case(const struct fault_case *c, const struct fault_server *server,
		       const struct download *d)
{
	const struct http_transfer *t = &d->transfer;
	unsigned requests = atomic_load(&server->log->count);
	const char *last = server->log->requests[(requests - 1) % FAULT_REQUESTS];

	if (t->result != c->result || requests != c->requests)
		fail_msg("%s: result %d, %u requests: %s", c->name, t->result, requests,
			 t->error.text);
	if (c->text && !strstr(t->error.text, c->text))
		fail_msg("%s: no \"%s\" in: %s", c->name, c->text, t->error.text);
	if (c->ranged && !strstr(last, c->ranged))
		fail_msg("%s: no \"%s\" in: %s", c->name, c->ranged, last);
	if (c->result == 0)
		check_file(d);
	else if (!strstr(t->error.text, "127.0.0.1:") || strstr(t->error.text, "secret") ||
		 strstr(t->error.text, "hidden"))
		fail_msg("%s: names no place, or a secret: %s", c->name, t->error.text);
}

static void run_case(const struct scratch *scratch, const struct fault_case *c, const char *content)
{
	/* Breaks that are got over need a try more than failures that are to be seen soon. */
	const struct http_options options = {.stall_seconds = 1, .tries = c->result == 0 ? 3 : 2};
	struct fault_server server = {.script = c->script, .content = content, .len = CONTENT};
	CLEANUP(http_freep) struct http *http = NULL;
	CLEANUP(fd_close)
	int fd = openat(scratch->fd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct varve_error err = {0};
	struct download d;
	int r;

	assert_int_equal(http_new(&options, &http, NULL), 0);
	fault_server_start(&server);
	download_begin(&d, &server, c, fd);
	r = http_fetch(http, &d.transfer, 1, NULL, NULL, &err);
	assert_int_equal(r, d.transfer.result);
	assert_int_equal(err.code, r);
	check_case(c, &server, &d);
	fault_server_stop(&server);
	free(d.url);
}

static void test_faults(void **state)
{
	CLEANUP(free_ptr) char *content = content_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(*state, &cases[i], content);
}

/* A download that was whole when we were killed needs no connection. */
static void test_whole_already(void **state)
{
	CLEANUP(http_freep) struct http *http = NULL;
	struct varve_digest want;
	struct http_transfer transfer = {.url = "http://127.0.0.1:1/x",
					 .resume_from = 4,
					 .size = 4,
					 .want = &want,
					 .fd = memfd_create("x", MFD_CLOEXEC)};

	(void)state;
	digest_bytes("text", 4, &want);
	assert_int_equal(fd_write_all(transfer.fd, "text", 4), 0);
	assert_int_equal(http_new(NULL, &http, NULL), 0);
	assert_int_equal(http_fetch(http, &transfer, 1, NULL, NULL, NULL), 0);
	assert_true(varve_digest_equal(&transfer.got, &want));
	fd_close(&transfer.fd);
}

/* --- several -------------------------------------------------------------------------------------
 */

enum { MANY = 20 };

struct told {
	unsigned ended;
	uint64_t bytes;
};

static void on_progress(void *cookie, const struct http_transfer *ended, uint64_t bytes)
{
	struct told *told = cookie;

	told->ended += ended != NULL;
	told->bytes = bytes;
}

static void test_many(void **state)
{
	static const struct fault_step script[FAULT_STEPS] = {
		{FAULT_RESET, BREAK}, {FAULT_STATUS, 500}, {FAULT_NONE, 0}};
	const struct scratch *scratch = *state;
	CLEANUP(free_ptr) char *content = content_new();
	CLEANUP(http_freep) struct http *http = NULL;
	struct fault_server server = {.script = script, .content = content, .len = CONTENT};
	struct http_transfer transfers[MANY];
	struct varve_digest want;
	struct told told = {0};
	CLEANUP(free_ptr) char *url = NULL;

	fault_server_start(&server);
	digest_bytes(content, CONTENT, &want);
	url = xasprintf("http://127.0.0.1:%u/file", server.port);
	for (size_t i = 0; i < MANY; i++) {
		CLEANUP(free_ptr) char *name = xasprintf("%zu", i);

		transfers[i] = (struct http_transfer){.url = url, .size = CONTENT, .want = &want};
		transfers[i].fd = openat(scratch->fd, name, O_RDWR | O_CREAT, 0644);
	}
	assert_int_equal(http_new(NULL, &http, NULL), 0);
	assert_int_equal(http_fetch(http, transfers, MANY, on_progress, &told, NULL), 0);
	assert_int_equal(told.ended, MANY);
	assert_int_equal(told.bytes, (uint64_t)MANY * CONTENT);
	for (size_t i = 0; i < MANY; i++)
		fd_close(&transfers[i].fd);
	fault_server_stop(&server);
}

static void test_one_of_two_fails(void **state)
{
	const struct scratch *scratch = *state;
	CLEANUP(http_freep) struct http *http = NULL;
	CLEANUP(free_ptr) char *here = xasprintf("file://%s/here", scratch->path);
	CLEANUP(free_ptr) char *absent = xasprintf("file://%s/absent", scratch->path);
	struct varve_error err = {0};
	struct http_transfer transfers[2] = {{.url = absent}, {.url = here}};

	scratch_write(scratch, "here", "text");
	for (size_t i = 0; i < 2; i++)
		transfers[i].fd = memfd_create("x", MFD_CLOEXEC);
	assert_int_equal(http_new(NULL, &http, NULL), 0);
	assert_int_equal(http_fetch(http, transfers, 2, NULL, NULL, &err), -VARVE_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "/absent: there is no such file"));
	assert_int_equal(transfers[1].result, 0);
	assert_int_equal(transfers[1].got_size, 4);
	for (size_t i = 0; i < 2; i++)
		fd_close(&transfers[i].fd);
}

/* Nobody listens: said at once, not after tries. */
static void test_refused(void **state)
{
	CLEANUP(http_freep) struct http *http = NULL;
	struct http_transfer transfer = {.url = "http://127.0.0.1:1/x",
					 .fd = memfd_create("x", MFD_CLOEXEC)};
	struct varve_error err = {0};
	time_t before = time(NULL);

	(void)state;
	assert_int_equal(http_new(NULL, &http, NULL), 0);
	assert_int_equal(http_fetch(http, &transfer, 1, NULL, NULL, &err), -VARVE_E_NETWORK);
	assert_non_null(strstr(err.text, "127.0.0.1:1/x"));
	assert_non_null(strstr(err.text, "is there a network?"));
	assert_true(time(NULL) - before < 3);
	fd_close(&transfer.fd);
}

static void test_url(void **state)
{
	static const struct {
		const char *from, *to;
		bool allowed;
	} redirects[] = {
		{"http://a/", "http://b/", true},   {"http://a/", "https://b/", true},
		{"https://a/", "https://b/", true}, {"https://a/", "http://a/", false},
		{"HTTPS://a/", "http://a/", false}, {"http://a/", "file:///b", false},
		{"http://a/", "ftp://b/", false},   {"file:///a", "http://b/", false},
	};
	CLEANUP(free_ptr) char *display = http_url_display("https://u:p@w@example.org:8/a/b?q=1#f");
	CLEANUP(free_ptr) char *origin = http_url_origin("https://u:p@w@example.org:8/a/b");

	(void)state;
	assert_string_equal(display, "example.org:8/a/b");
	assert_string_equal(origin, "https://example.org:8");
	for (size_t i = 0; i < ARRAY_SIZE(redirects); i++)
		if (http_url_may_redirect(redirects[i].from, redirects[i].to) !=
		    redirects[i].allowed)
			fail_msg("%s to %s", redirects[i].from, redirects[i].to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_faults),
		SCRATCH_TEST(test_many),
		SCRATCH_TEST(test_one_of_two_fails),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_whole_already),
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
