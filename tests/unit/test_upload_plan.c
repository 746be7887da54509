/* SPDX-License-Identifier: Apache-2.0
 * Uploads as conversations: each line is a reply of the registry, and what has to come next. */
#include "registry/upload_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { MB = 1 << 20, SIZE = 100 * MB, NONE = -1, TURNS = 24 };

#define AT "http://r/1"

struct turn {
	struct upload_reply reply;
	enum upload_action next;
	uint64_t offset; /* after it */
};

struct talk {
	const char *name;
	const char *session; /* of an earlier process */
	uint64_t chunk;
	size_t mounts;
	struct turn turns[TURNS]; /* end with next UPLOAD_DONE or UPLOAD_FAILED */
};

#define REPLY(status, end, at, given)                                                              \
	{                                                                                          \
		status, end, 0, at, given                                                          \
	}
#define OPENED REPLY(202, 0, AT, 0)
#define BROKEN(given) REPLY(0, NONE, NULL, given)
#define SAID(end) REPLY(204, end, AT, 0)
#define ABSENT                                                                                     \
	{                                                                                          \
		REPLY(404, NONE, NULL, 0), UPLOAD_OPEN, 0                                          \
	}

static const struct talk talks[] = {
	{"is there", NULL, 0, 2, {{REPLY(200, NONE, NULL, 0), UPLOAD_DONE, 0}}},
	{"one body",
	 NULL,
	 0,
	 0,
	 {ABSENT, {OPENED, UPLOAD_SEND, 0}, {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"HEAD forbidden",
	 NULL,
	 0,
	 0,
	 {{REPLY(403, NONE, NULL, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(204, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"mounted from the second",
	 NULL,
	 0,
	 2,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_MOUNT, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_MOUNT, 0},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, 0}}},
	{"the mount opens an upload",
	 NULL,
	 0,
	 1,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_MOUNT, 0},
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"the mount is refused",
	 NULL,
	 0,
	 1,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_MOUNT, 0},
	  {REPLY(401, NONE, NULL, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"no upload is opened",
	 NULL,
	 0,
	 0,
	 {ABSENT, {REPLY(403, NONE, NULL, 0), UPLOAD_FAILED, 0}}},
	{"no Location", NULL, 0, 0, {ABSENT, {REPLY(202, NONE, NULL, 0), UPLOAD_FAILED, 0}}},
	{"broken, asked until it is stable, gone on with",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {BROKEN(40 * MB), UPLOAD_ASK, 0},
	  {SAID(30 * MB - 1), UPLOAD_ASK, 0},
	  {SAID(39 * MB - 1), UPLOAD_ASK, 0},
	  {SAID(39 * MB - 1), UPLOAD_ASK, 0},
	  {SAID(39 * MB - 1), UPLOAD_SEND, 39 * MB},
	  {REPLY(201, NONE, NULL, 61 * MB), UPLOAD_DONE, 39 * MB}}},
	{"another process's session",
	 AT,
	 0,
	 1,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {SAID(50 * MB - 1), UPLOAD_ASK, 0},
	  {SAID(50 * MB - 1), UPLOAD_ASK, 0},
	  {SAID(50 * MB - 1), UPLOAD_SEND, 50 * MB},
	  {REPLY(201, NONE, NULL, 50 * MB), UPLOAD_DONE, 50 * MB}}},
	{"another process's session is dead",
	 AT,
	 0,
	 0,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"0-0 may be one byte: a new session",
	 AT,
	 0,
	 0,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {SAID(0), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"more than there can be",
	 AT,
	 0,
	 0,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {SAID(SIZE), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"only the reply was lost",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {BROKEN(SIZE), UPLOAD_CONFIRM, 0},
	  {REPLY(200, NONE, NULL, 0), UPLOAD_DONE, 0}}},
	{"503 after all bytes, and they are gone",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(503, NONE, NULL, SIZE), UPLOAD_CONFIRM, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"the one before was killed, but its last bytes were on their way",
	 AT,
	 0,
	 0,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {SAID(99 * MB - 1), UPLOAD_ASK, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  {REPLY(200, NONE, NULL, 0), UPLOAD_DONE, 0}}},
	{"it is being finished while we do the same",
	 AT,
	 0,
	 0,
	 {{REPLY(404, NONE, NULL, 0), UPLOAD_ASK, 0},
	  {SAID(SIZE - 1), UPLOAD_ASK, 0},
	  {SAID(SIZE - 1), UPLOAD_ASK, 0},
	  {SAID(SIZE - 1), UPLOAD_SEND, SIZE},
	  {REPLY(400, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  {REPLY(200, NONE, NULL, 0), UPLOAD_DONE, 0}}},
	{"busy before a byte went out",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(429, NONE, NULL, 0), UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"a mismatch at the end: one new session, not two",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(400, NONE, NULL, SIZE), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(400, NONE, NULL, SIZE), UPLOAD_FAILED, 0}}},
	{"two sessions lost: pieces",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {BROKEN(9 * MB), UPLOAD_ASK, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {BROKEN(9 * MB), UPLOAD_ASK, 0},
	  {REPLY(404, NONE, NULL, 0), UPLOAD_CONFIRM, 0},
	  ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 4 * MB - 1, AT, 4 * MB), UPLOAD_CHUNK, 4 * MB},
	  {REPLY(202, SIZE - 1, AT, 96 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"413: smaller pieces",
	 NULL,
	 0,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(413, NONE, NULL, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(413, NONE, NULL, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 2 * MB - 1, AT, 2 * MB), UPLOAD_CHUNK, 2 * MB},
	  {REPLY(202, SIZE - 1, AT, 98 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"201 for a piece, a report that does not move",
	 NULL,
	 50 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(201, 50 * MB - 1, AT, 50 * MB), UPLOAD_CHUNK, 50 * MB},
	  {REPLY(201, 50 * MB - 1, AT, 50 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"that was true: 416, then all at once",
	 NULL,
	 40 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 40 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 40 * MB},
	  {REPLY(202, 40 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 80 * MB},
	  {REPLY(416, NONE, NULL, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"half of a piece was taken",
	 NULL,
	 60 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 30 * MB - 1, AT, 60 * MB), UPLOAD_CHUNK, 30 * MB},
	  {REPLY(202, 90 * MB - 1, AT, 60 * MB), UPLOAD_CHUNK, 90 * MB},
	  {REPLY(202, SIZE - 1, AT, 10 * MB), UPLOAD_CLOSE, SIZE},
	  {BROKEN(0), UPLOAD_CONFIRM, SIZE},
	  {REPLY(200, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"half of the last piece was taken",
	 NULL,
	 60 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 60 * MB - 1, AT, 60 * MB), UPLOAD_CHUNK, 60 * MB},
	  {REPLY(202, 80 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 80 * MB},
	  {REPLY(202, SIZE - 1, AT, 20 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"a report of half a piece that was not true, for each piece",
	 NULL,
	 40 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 20 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 20 * MB},
	  {REPLY(416, 20 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 40 * MB},
	  {REPLY(202, 60 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 80 * MB},
	  {REPLY(202, 90 * MB - 1, AT, 20 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"neither what was reported nor what was sent is there: all at once",
	 NULL,
	 40 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 20 * MB - 1, AT, 40 * MB), UPLOAD_CHUNK, 20 * MB},
	  {REPLY(416, NONE, AT, 0), UPLOAD_CHUNK, 40 * MB},
	  {REPLY(416, NONE, AT, 0), UPLOAD_OPEN, 0},
	  {OPENED, UPLOAD_SEND, 0},
	  {REPLY(201, NONE, NULL, SIZE), UPLOAD_DONE, 0}}},
	{"pieces of which next to nothing is taken",
	 NULL,
	 40 * MB,
	 0,
	 {ABSENT,
	  {OPENED, UPLOAD_CHUNK, 0},
	  {REPLY(202, 1, AT, 40 * MB), UPLOAD_CHUNK, 2},
	  {REPLY(202, 3, AT, 40 * MB), UPLOAD_CHUNK, 4},
	  {REPLY(202, 5, AT, 40 * MB), UPLOAD_CHUNK, 6},
	  {REPLY(202, 7, AT, 40 * MB), UPLOAD_CHUNK, 8},
	  {REPLY(202, 9, AT, 40 * MB), UPLOAD_CHUNK, 10},
	  {REPLY(202, 11, AT, 40 * MB), UPLOAD_CHUNK, 12},
	  {REPLY(202, 13, AT, 40 * MB), UPLOAD_CHUNK, 14},
	  {REPLY(202, 15, AT, 40 * MB), UPLOAD_CHUNK, 16},
	  {REPLY(202, 17, AT, 40 * MB), UPLOAD_CHUNK, 18},
	  {REPLY(202, 19, AT, 40 * MB), UPLOAD_CHUNK, 20},
	  {REPLY(202, 21, AT, 40 * MB), UPLOAD_CHUNK, 22},
	  {REPLY(202, 23, AT, 40 * MB), UPLOAD_CHUNK, 24},
	  {REPLY(202, 25, AT, 40 * MB), UPLOAD_FAILED, 26}}},
	{"the registry wants larger pieces",
	 NULL,
	 4 * MB,
	 0,
	 {ABSENT,
	  {{202, 0, 50 * MB, AT, 0}, UPLOAD_CHUNK, 0},
	  {REPLY(202, 50 * MB - 1, AT, 50 * MB), UPLOAD_CHUNK, 50 * MB},
	  {REPLY(202, SIZE - 1, AT, 50 * MB), UPLOAD_CLOSE, SIZE},
	  {REPLY(201, NONE, NULL, 0), UPLOAD_DONE, SIZE}}},
	{"forbidden in the end",
	 NULL,
	 0,
	 0,
	 {ABSENT, {OPENED, UPLOAD_SEND, 0}, {REPLY(403, NONE, NULL, 0), UPLOAD_FAILED, 0}}},
};

static void talks_go_as_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		CLEANUP(upload_release) struct upload u = {0};
		const struct talk *talk = &talks[i];
		size_t n = 0;

		upload_begin(&u, SIZE, talk->session, talk->chunk, talk->mounts);
		assert_int_equal(u.next, UPLOAD_LOOK);
		for (; n == 0 || talk->turns[n - 1].next < UPLOAD_DONE; n++) {
			const struct turn *turn = &talk->turns[n];

			upload_step(&u, &turn->reply);
			if (u.next != turn->next || u.offset != turn->offset)
				fail_msg("%s: after reply %zu: action %d at %llu", talk->name,
					 n + 1, u.next, (unsigned long long)u.offset);
		}
	}
}

/* Whatever a registry says, always: it comes to an end, and nothing is sent beyond the size. */
static void every_answer_ends(void **state)
{
	static const long statuses[] = {0, 200, 201, 202, 204, 400, 401, 404, 413, 416, 429, 503};

	(void)state;
	for (unsigned seed = 0; seed < 3000; seed++) {
		CLEANUP(upload_release) struct upload u = {0};
		unsigned random = seed * 2654435761U + 1, turns = 0;

		upload_begin(&u, SIZE, seed % 3 ? NULL : AT, seed % 2 ? 4 * MB : 0, seed % 4);
		for (; u.next < UPLOAD_DONE && turns < 100000; turns++) {
			struct upload_reply reply = {.range_end = NONE, .location = AT};

			assert_true(u.offset <= SIZE);
			random = random * 1664525 + 1013904223;
			/* Mostly the same failure, as registries do. */
			reply.status =
				statuses[(random >> 8) % 5 ? seed % ARRAY_SIZE(statuses)
							   : (random >> 16) % ARRAY_SIZE(statuses)];
			if (random >> 30 == 0)
				reply.range_end = (random >> 4) % (2 * SIZE);
			if (u.next == UPLOAD_SEND || u.next == UPLOAD_CHUNK)
				reply.given = upload_body(&u) >> (random >> 29);
			upload_step(&u, &reply);
		}
		if (u.next < UPLOAD_DONE)
			fail_msg("seed %u: no end", seed);
	}
}

static void failures_without_progress_end(void **state)
{
	const struct upload_reply absent = REPLY(404, NONE, NULL, 0), opened = OPENED;
	const struct upload_reply broken = BROKEN(0);
	CLEANUP(upload_release) struct upload u = {0};
	unsigned n = 0;

	(void)state;
	upload_begin(&u, SIZE, NULL, 0, 0);
	upload_step(&u, &absent);
	upload_step(&u, &opened);
	for (; u.next == UPLOAD_SEND && n < 100; n++)
		upload_step(&u, &broken);
	assert_int_equal(u.next, UPLOAD_FAILED);
	assert_in_range(n, 5, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks_go_as_told),
		cmocka_unit_test(every_answer_ends),
		cmocka_unit_test(failures_without_progress_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
