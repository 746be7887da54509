/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "base/digest.h"
#include "base/sink.h"
#include "scratch.h"

/* A sink that fails from the n-th call on, and counts. */
struct sink_bad {
	struct sink sink;
	int good_writes;
	int writes, closes;
	bool silent; /* fails without setting a text */
	bool bad_close;
};

static int bad_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct sink_bad *s = (struct sink_bad *)sink;

	(void)data;
	(void)len;
	if (s->writes++ < s->good_writes)
		return 0;
	return s->silent ? -ENOSPC : varve_error_set(err, -ENOSPC, "write number %d", s->writes);
}

static int bad_close(struct sink *sink, struct varve_error *err)
{
	struct sink_bad *s = (struct sink_bad *)sink;

	s->closes++;
	return s->bad_close ? varve_error_set(err, -EIO, "close") : 0;
}

static const struct sink_ops bad_ops = {bad_write, bad_close, NULL};

static void first_error_sticks(void **state)
{
	struct sink_bad bad = {.sink = {.ops = &bad_ops}, .good_writes = 1, .bad_close = true};
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(sink_write(&bad.sink, "x", 1), 0);
	assert_int_equal(sink_write(&bad.sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_write(&bad.sink, "x", 1), -ENOSPC);
	assert_int_equal(bad.writes, 2);
	assert_int_equal(sink_close(&bad.sink, &err), -ENOSPC);
	assert_int_equal(bad.closes, 1);
	assert_int_equal(err.code, -ENOSPC);
	assert_string_equal(err.text, "write number 2: No space left on device");
}

static void failures_always_have_a_text(void **state)
{
	struct sink_bad bad = {.sink = {.ops = &bad_ops}, .silent = true};
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(sink_write(&bad.sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_close(&bad.sink, NULL), -ENOSPC);
	bad = (struct sink_bad){.sink = {.ops = &bad_ops}, .silent = true};
	(void)sink_write(&bad.sink, "x", 1);
	assert_int_equal(sink_close(&bad.sink, &err), -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_string_equal(err.text, "write: No space left on device");
}

static void close_can_fail_alone(void **state)
{
	struct sink_bad bad = {.sink = {.ops = &bad_ops}, .good_writes = 9, .bad_close = true};
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(sink_write(&bad.sink, "x", 1), 0);
	assert_int_equal(sink_close(&bad.sink, &err), -EIO);
	assert_string_equal(err.text, "close: Input/output error");
}

static void hash_counts_and_passes_on(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;
	CLEANUP(sink_hash_release) struct sink_hash hash;
	struct sink_buf below;
	struct varve_digest expected;
	struct varve_error err = {.code = 0};

	(void)state;
	sink_buf_init(&below, &buf);
	sink_hash_init(&hash, &below.sink);
	assert_int_equal(sink_write(&hash.sink, "ab", 2), 0);
	assert_int_equal(sink_write(&hash.sink, "", 0), 0);
	assert_int_equal(sink_write(&hash.sink, "c", 1), 0);
	assert_int_equal(sink_close(&hash.sink, &err), 0);
	digest_bytes("abc", 3, &expected);
	assert_true(varve_digest_equal(&hash.digest, &expected));
	assert_int_equal(hash.written, 3);
	assert_string_equal(buf_text(&buf), "abc");
}

static void hash_to_nowhere(void **state)
{
	CLEANUP(sink_hash_release) struct sink_hash hash;
	struct varve_digest expected;

	(void)state;
	sink_hash_init(&hash, NULL);
	assert_int_equal(sink_write(&hash.sink, "abc", 3), 0);
	assert_int_equal(sink_close(&hash.sink, NULL), 0);
	digest_bytes("abc", 3, &expected);
	assert_true(varve_digest_equal(&hash.digest, &expected));
}

static void errors_come_up_the_stack(void **state)
{
	struct sink_bad bad = {.sink = {.ops = &bad_ops}};
	CLEANUP(sink_hash_release) struct sink_hash hash;
	struct varve_error err = {.code = 0};

	(void)state;
	sink_hash_init(&hash, &bad.sink);
	assert_int_equal(sink_write(&hash.sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_write(&hash.sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_close(&hash.sink, &err), -ENOSPC);
	assert_string_equal(err.text, "write number 1: No space left on device");
	assert_int_equal(bad.writes, 1);
	assert_int_equal(bad.closes, 1);
}

static void into_a_file(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int fd = openat(s->fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CLEANUP(fd_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	CLEANUP(free_ptr) char *text = NULL;
	struct varve_error err = {.code = 0};
	struct sink_fd sink;

	sink_fd_init(&sink, fd);
	assert_int_equal(sink_write(&sink.sink, "one", 3), 0);
	assert_int_equal(sink_write(&sink.sink, "two", 3), 0);
	assert_int_equal(sink_close(&sink.sink, &err), 0);
	assert_int_equal(sink.written, 6);
	text = scratch_read(s, "f");
	assert_string_equal(text, "onetwo");
	sink_fd_init(&sink, full);
	assert_int_equal(sink_write(&sink.sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_close(&sink.sink, &err), -ENOSPC);
	assert_string_equal(err.text, "write: No space left on device");
	assert_int_equal(sink.written, 0);
}

/* The state at each wanted place is that of the bytes before it, however the bytes come. */
static void states_at_marks(void **state)
{
	static const uint64_t wanted[] = {0, 1, 64, 99, 100};
	static const char data[100] = "abc";

	(void)state;
	for (size_t step = 1; step <= sizeof(data); step += 33) {
		CLEANUP(sink_marks_release) struct sink_marks marks;
		CLEANUP(sink_hash_release) struct sink_hash hash;

		sink_marks_init(&marks);
		sink_hash_init(&hash, NULL);
		hash.marks = &marks;
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			sink_marks_want(&marks, wanted[i]);
		for (size_t at = 0; at < sizeof(data); at += step)
			(void)sink_write(&hash.sink, data + at,
					 sizeof(data) - at < step ? sizeof(data) - at : step);
		assert_int_equal(sink_close(&hash.sink, NULL), 0);
		assert_int_equal(marks.reached, ARRAY_SIZE(wanted));
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
			CLEANUP(sink_hash_release) struct sink_hash rest;

			sink_hash_init(&rest, NULL);
			assert_int_equal(marks.items[i].state.length, wanted[i]);
			sink_hash_resume(&rest, &marks.items[i].state);
			(void)sink_write(&rest.sink, data + wanted[i], sizeof(data) - wanted[i]);
			assert_int_equal(sink_close(&rest.sink, NULL), 0);
			assert_int_equal(rest.written, sizeof(data));
			assert_true(varve_digest_equal(&rest.digest, &hash.digest));
		}
	}
}

static void room_at_the_beginning(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int fd = openat(s->fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CLEANUP(free_ptr) char *text = NULL;
	struct sink_bad bad = {.sink = {.ops = &bad_ops}};
	struct sink_fd sink;
	int room = -1;

	assert_false(sink_can_leave(&bad.sink));
	sink_fd_init(&sink, fd);
	assert_true(sink_can_leave(&sink.sink));
	assert_int_equal(sink_leave(&sink.sink, 5, &room), 0);
	assert_int_equal(sink_write(&sink.sink, "two", 3), 0);
	assert_int_equal(pwrite(room, "one, ", 5, 0), 5);
	assert_int_equal(sink_close(&sink.sink, NULL), 0);
	assert_int_equal(sink.written, 8);
	text = scratch_read(s, "f");
	assert_string_equal(text, "one, two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_sticks),
		cmocka_unit_test(failures_always_have_a_text),
		cmocka_unit_test(close_can_fail_alone),
		cmocka_unit_test(hash_counts_and_passes_on),
		cmocka_unit_test(hash_to_nowhere),
		cmocka_unit_test(errors_come_up_the_stack),
		SCRATCH_TEST(into_a_file),
		cmocka_unit_test(states_at_marks),
		SCRATCH_TEST(room_at_the_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
