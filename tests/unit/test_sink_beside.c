/* SPDX-License-Identifier: Apache-2.0
 * A sink in a thread: all bytes in their order, and the first failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sink_beside.h"

/* Takes bytes until there are limit of them. */
struct target {
	struct sink sink;
	struct buf got;
	size_t limit;
	int closed;
};

static int take(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	struct target *t = (struct target *)sink;

	if (t->got.len + len > t->limit)
		return varve_error_set(err, -28, "the target is full");
	buf_add(&t->got, data, len);
	return 0;
}

static int note_close(struct sink *sink, struct varve_error *err)
{
	(void)err;
	((struct target *)sink)->closed++;
	return 0;
}

static const struct sink_ops ops = {take, note_close, NULL};

static void fill(struct buf *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_addc(b, (char)(i * 31 + i / 1009));
}

static void write_in_pieces(struct sink *sink, const struct buf *in, size_t piece)
{
	for (size_t at = 0; at < in->len; at += piece)
		(void)sink_write(sink, in->data + at, in->len - at < piece ? in->len - at : piece);
}

static void all_bytes(void **state)
{
	static const size_t sizes[] = {0, 1, SINK_BESIDE_SIZE - 1, SINK_BESIDE_SIZE,
				       9 * SINK_BESIDE_SIZE + 7};
	static const size_t pieces[] = {4099, SINK_BESIDE_SIZE, 3 * SINK_BESIDE_SIZE + 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(pieces); i++) {
		CLEANUP(buf_release) struct buf in = BUF_INIT;
		CLEANUP(sink_beside_release) struct sink_beside s;
		struct target t = {.sink = {.ops = &ops}, .limit = SIZE_MAX / 2};

		fill(&in, sizes[i / ARRAY_SIZE(pieces)]);
		sink_beside_init(&s, &t.sink);
		write_in_pieces(&s.sink, &in, pieces[i % ARRAY_SIZE(pieces)]);
		assert_int_equal(sink_close(&s.sink, NULL), 0);
		assert_int_equal(t.closed, 1);
		assert_int_equal(t.got.len, in.len);
		if (in.len > 0)
			assert_memory_equal(t.got.data, in.data, in.len);
		buf_release(&t.got);
	}
}

static void without_a_copy(void **state)
{
	CLEANUP(sink_beside_release) struct sink_beside s;
	struct target t = {.sink = {.ops = &ops}, .limit = SIZE_MAX / 2};

	(void)state;
	sink_beside_init(&s, &t.sink);
	for (size_t i = 0; i < 3 * SINK_BESIDE_SIZE;) {
		size_t n, some;
		unsigned char *room = sink_beside_room(&s, &n);

		assert_non_null(room);
		some = n < 60001 ? n : 60001;
		for (size_t k = 0; k < some; k++)
			room[k] = (unsigned char)((i + k) / 1000);
		assert_int_equal(sink_beside_put(&s, some), 0);
		i += some;
	}
	assert_int_equal(sink_close(&s.sink, NULL), 0);
	assert_true(t.got.len >= 3 * SINK_BESIDE_SIZE);
	for (size_t i = 0; i < t.got.len; i++)
		assert_int_equal((unsigned char)t.got.data[i], (unsigned char)(i / 1000));
	buf_release(&t.got);
}

/* At whatever write it shows. */
static void a_failure(void **state)
{
	CLEANUP(buf_release) struct buf in = BUF_INIT;

	(void)state;
	fill(&in, 20 * SINK_BESIDE_SIZE);
	for (size_t limit = 0; limit < 12; limit += 3) {
		CLEANUP(sink_beside_release) struct sink_beside s;
		struct target t = {.sink = {.ops = &ops}, .limit = limit * SINK_BESIDE_SIZE};
		struct varve_error err = {.code = 0};

		sink_beside_init(&s, &t.sink);
		write_in_pieces(&s.sink, &in, 100003);
		assert_int_equal(sink_close(&s.sink, &err), -28);
		assert_int_equal(strncmp(err.text, "the target is full", 18), 0);
		assert_int_equal(t.closed, 1);
		assert_int_equal(t.got.len, limit * SINK_BESIDE_SIZE);
		buf_release(&t.got);
	}
}

static void one_that_is_not_closed(void **state)
{
	CLEANUP(sink_beside_release) struct sink_beside s;
	struct target t = {.sink = {.ops = &ops}, .limit = SIZE_MAX / 2};

	(void)state;
	sink_beside_init(&s, &t.sink);
	for (int i = 0; i < 7; i++)
		assert_int_equal(sink_write(&s.sink, "some bytes", 10), 0);
	sink_beside_release(&s);
	buf_release(&t.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_bytes),
		cmocka_unit_test(without_a_copy),
		cmocka_unit_test(a_failure),
		cmocka_unit_test(one_that_is_not_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
