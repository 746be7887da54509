/* SPDX-License-Identifier: Apache-2.0
 * zstd:chunked: no byte depends on threads, on how the tar comes, or on frames used again; tables
 * of hostile blobs are refused, and their frames are not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/sink.h"
#include "layer/layer.h"
#include "layer/layer_frames.h"
#include "layer/layer_tar.h"
#include "layer/layer_toc.h"

static void add_file(struct buf *tar, const char *path, size_t len, unsigned seed)
{
	static const char zeros[TAR_BLOCK];
	const struct tar_entry e = {.type = TAR_FILE, .path = path, .mode = 0644, .size = len};
	uint32_t x = seed;

	tar_header(&e, tar);
	buf_reserve(tar, len);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		tar->data[tar->len + i] = (char)((x >> 24) & (i & 4096 ? 0x0f : 0x3f));
	}
	tar->len += len;
	buf_add(tar, zeros, tar_padding(len));
}

/* seed: of one file in the middle. */
static void make_tar(struct buf *tar, unsigned seed)
{
	static const char zeros[TAR_END];
	const struct tar_entry directory = {.type = TAR_DIRECTORY, .path = "d", .mode = 0755};

	tar_header(&directory, tar);
	add_file(tar, "d/empty", 0, 0);
	for (unsigned i = 0; i < 60; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "d/f%02u", i);
		add_file(tar, path, i * 997 % 5000, i);
	}
	add_file(tar, "d/f60", 700, seed);
	add_file(tar, "d/large", 3 * CHUNKED_PIECE + 5, 4);
	add_file(tar, "d/exact", CHUNKED_PIECE, 5);
	add_file(tar, "e", 512, 6);
	buf_add(tar, zeros, sizeof(zeros));
}

struct how {
	unsigned threads;
	size_t step;
	const struct layer_frames *known;
};

static void pack(const struct buf *tar, const struct how *how, struct buf *out)
{
	const struct layer_compression c = {.kind = LAYER_CHUNKED, .level = 3, .known = how->known};
	struct sink_buf target;
	struct sink *sink = NULL;

	sink_buf_init(&target, out);
	assert_int_equal(layer_compressor_new(&c, how->threads, &target.sink, &sink, NULL), 0);
	for (size_t at = 0; at < tar->len; at += how->step)
		(void)sink_write(sink, tar->data + at,
				 tar->len - at < how->step ? tar->len - at : how->step);
	assert_int_equal(sink_close(sink, NULL), 0);
	layer_compressor_free(sink);
}

static int file_of(const struct buf *b)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, b->data, b->len), 0);
	return fd;
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

static void assert_unpacks(const struct buf *blob, const struct buf *tar)
{
	CLEANUP(fd_close) int fd = file_of(blob);
	CLEANUP(buf_release) struct buf back = BUF_INIT;
	struct varve_descriptor d = {.media_type = VARVE_MEDIA_LAYER_ZSTD, .size = blob->len};
	struct sink_buf target;

	digest_bytes(blob->data, blob->len, &d.digest);
	sink_buf_init(&target, &back);
	assert_int_equal(layer_unpack_stream(fd, &d, &target.sink, NULL), 0);
	assert_same(&back, tar);
}

static void same_bytes(void **state)
{
	static const struct how hows[] = {{2, 1 << 20, NULL}, {5, 511, NULL}, {1, 100003, NULL}};
	CLEANUP(buf_release) struct buf tar = BUF_INIT, first = BUF_INIT;

	(void)state;
	make_tar(&tar, 1);
	pack(&tar, &hows[0], &first);
	assert_unpacks(&first, &tar);
	for (size_t i = 1; i < ARRAY_SIZE(hows); i++) {
		CLEANUP(buf_release) struct buf other = BUF_INIT;

		pack(&tar, &hows[i], &other);
		assert_same(&first, &other);
	}
}

static struct layer_frames *frames_of(int blob)
{
	struct layer_frames *frames = NULL;

	assert_int_equal(layer_frames_new(blob, &frames, NULL), 0);
	return frames;
}

/* One file changed: the same bytes as without help, whatever became of the blob that helps. */
static void frames_again(void **state)
{
	CLEANUP(buf_release) struct buf before = BUF_INIT, after = BUF_INIT, blob = BUF_INIT;
	CLEANUP(buf_release) struct buf wanted = BUF_INIT;

	(void)state;
	make_tar(&before, 1);
	make_tar(&after, 2);
	pack(&before, &(struct how){2, 1 << 20, NULL}, &blob);
	pack(&after, &(struct how){2, 1 << 20, NULL}, &wanted);
	for (int damage = 0; damage < 3; damage++) {
		CLEANUP(fd_close) int fd = file_of(&blob);
		CLEANUP(layer_frames_freep) struct layer_frames *frames = frames_of(fd);
		CLEANUP(buf_release) struct buf made = BUF_INIT;

		assert_true(layer_frames_count(frames) > 60);
		for (size_t at = 3; damage == 1 && at < blob.len / 2; at += 500)
			assert_int_equal(pwrite(fd, "x", 1, (off_t)at), 1);
		if (damage == 2)
			assert_int_equal(ftruncate(fd, (off_t)blob.len / 3), 0);
		pack(&after, &(struct how){3, 4099, frames}, &made);
		assert_same(&wanted, &made);
	}
}

static void one_frame(void **state)
{
	CLEANUP(buf_release) struct buf tar = BUF_INIT, blob = BUF_INIT, out = BUF_INIT;
	CLEANUP(layer_frames_freep) struct layer_frames *frames = NULL;
	CLEANUP(fd_close) int fd = -1;
	struct layer_frames_reader *reader;
	const char *content;
	char wrong[512];
	struct varve_digest digest;
	size_t n;

	(void)state;
	make_tar(&tar, 1);
	content = tar.data + tar.len - TAR_END - 512;
	pack(&tar, &(struct how){1, 1 << 20, NULL}, &blob);
	fd = file_of(&blob);
	frames = frames_of(fd);
	reader = layer_frames_reader_new(frames);
	digest_bytes(content, 512, &digest);
	n = layer_frames_take(reader, &digest, content, 512, &out);
	assert_true(n > 0 && n == out.len);
	assert_int_equal(ZSTD_getFrameContentSize(out.data, n), 512);
	/* A digest that lies: the content itself decides. */
	memcpy(wrong, content, sizeof(wrong));
	wrong[100] ^= 1;
	assert_int_equal(layer_frames_take(reader, &digest, wrong, sizeof(wrong), &out), 0);
	assert_int_equal(layer_frames_take(reader, &digest, content, 511, &out), 0);
	digest.bytes[0] ^= 1;
	assert_int_equal(layer_frames_take(reader, &digest, content, 512, &out), 0);
	assert_int_equal(out.len, n);
	layer_frames_reader_free(reader);
}

static void put_le(struct buf *b, size_t at, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		b->data[at + i] = (char)(value >> 8 * i);
}

static void footers(void **state)
{
	static const struct {
		size_t at; /* of the number in the footer's frame */
		uint64_t value;
	} cases[] = {
		{8, UINT64_MAX}, {8, 1 << 30},    {16, UINT64_MAX}, {16, 0}, {24, 0},
		{32, 2},         {32, 0},         {40, UINT64_MAX}, {48, 0}, {48, 1U << 31},
		{56, 0},         {0, 0x28b52ffd}, {64, 0},
	};
	CLEANUP(buf_release) struct buf tar = BUF_INIT, blob = BUF_INIT;
	enum { TAIL = CHUNKED_HEADER + CHUNKED_FOOTER };
	struct layer_footer footer;

	(void)state;
	make_tar(&tar, 1);
	pack(&tar, &(struct how){1, 1 << 20, NULL}, &blob);
	for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_release) struct buf tail = BUF_INIT;

		buf_add(&tail, blob.data + blob.len - TAIL, TAIL);
		if (i < ARRAY_SIZE(cases))
			put_le(&tail, cases[i].at, cases[i].value);
		assert_int_equal(layer_footer_parse((unsigned char *)tail.data, blob.len, &footer),
				 i == ARRAY_SIZE(cases));
	}
}

/* A blob with this table, and a footer that says so. */
static void make_blob(const char *table, uint64_t said_size, struct buf *out)
{
	size_t room = ZSTD_compressBound(strlen(table)), n;
	unsigned char head[8] = {0x50, 0x2a, 0x4d, 0x18};
	CLEANUP(buf_release) struct buf tail = BUF_INIT;

	buf_add(out, head, 8);
	buf_reserve(out, room);
	n = ZSTD_compress(out->data + 8, room, table, strlen(table), 1);
	out->len = 8 + n;
	buf_reserve(&tail, 72);
	memset(tail.data, 0, 72);
	memcpy(tail.data, head, 4);
	put_le(&tail, 4, 64);
	put_le(&tail, 8, 8);
	put_le(&tail, 16, n);
	put_le(&tail, 24, said_size);
	put_le(&tail, 32, 1);
	put_le(&tail, 40, 8);
	put_le(&tail, 48, n);
	put_le(&tail, 56, 1);
	memcpy(tail.data + 64, CHUNKED_MAGIC, 8);
	buf_add(out, tail.data, 72);
}

#define START "{\"version\":1,\"entries\":["
#define DIGEST "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""

static void hostile_tables(void **state)
{
	static const struct {
		const char *table;
		int result;
		size_t count;
	} cases[] = {
		{START "]}", 0, 0},
		{START "{\"type\":\"reg\",\"name\":\"a\"}]}", 0, 0},
		{START "{\"type\":\"reg\",\"digest\":" DIGEST ",\"offset\":1,\"endOffset\":9,"
		       "\"size\":3}]}",
		 0, 1},
		{START "{\"type\":\"reg\",\"digest\":" DIGEST ",\"offset\":9,\"endOffset\":1,"
		       "\"size\":3}]}",
		 0, 1},
		{START "{\"type\":\"chunk\",\"chunkDigest\":" DIGEST ",\"offset\":9}]}", 0, 1},
		{START "{\"type\":\"chunk\",\"offset\":9}]}", -VARVE_E_FORMAT, 0},
		{START "{\"type\":\"reg\",\"digest\":" DIGEST ",\"offset\":-1}]}", -VARVE_E_FORMAT,
		 0},
		{START "{\"type\":\"reg\",\"digest\":" DIGEST ",\"offset\":\"1\"}]}",
		 -VARVE_E_FORMAT, 0},
		{START "{\"type\":\"reg\",\"digest\":7}]}", -VARVE_E_FORMAT, 0},
		{START "[]]}", -VARVE_E_FORMAT, 0},
		{START "{}{}]}", -VARVE_E_FORMAT, 0},
		{START "{\"xattrs\":{\"user.a\":\"YQ==\",\"user.b\":\"\"},\"mode\":420}]}", 0, 0},
		{START "{\"xattrs\":{\"user.a\":{}}}]}", -VARVE_E_FORMAT, 0},
		{START "{\"xattrs\":{\"user.a\":\"}]}", -VARVE_E_FORMAT, 0},
		{START "{\"name\":\"a\\\"b\"}]}", -VARVE_E_FORMAT, 0},
		{START "{\"size\":9223372036854775808}]}", -VARVE_E_FORMAT, 0},
		{START "{\"size\":}]}", -VARVE_E_FORMAT, 0},
		{START "{\"type\":\"chunk\",\"chunkDigest\":" DIGEST "},{\"type\":\"chunk\","
		       "\"chunkDigest\":" DIGEST "}]}",
		 0, 2},
		{START "{},", -VARVE_E_FORMAT, 0},
		{START "{}", -VARVE_E_FORMAT, 0},
		{START, -VARVE_E_FORMAT, 0},
		{START "{\"type\":\"reg\",\"type\":\"reg\"}]}", -VARVE_E_FORMAT, 0},
		{START "{\"a\":[[[[[[[[[[[[", -VARVE_E_FORMAT, 0},
		{"{}", -VARVE_E_FORMAT, 0},
		{"[]", -VARVE_E_FORMAT, 0},
		{"", -VARVE_E_FORMAT, 0},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_release) struct buf blob = BUF_INIT;
		CLEANUP(layer_frames_freep) struct layer_frames *frames = NULL;
		CLEANUP(fd_close) int fd = -1;
		const char *table = cases[i / 2].table;

		/* Every second time its size is a lie. */
		make_blob(table, strlen(table) + i % 2, &blob);
		fd = file_of(&blob);
		assert_int_equal(layer_frames_new(fd, &frames, NULL),
				 i % 2 ? -VARVE_E_FORMAT : cases[i / 2].result);
		if (frames)
			assert_int_equal(layer_frames_count(frames), cases[i / 2].count);
	}
}

static bool has_table(const struct buf *blob)
{
	CLEANUP(fd_close) int fd = file_of(blob);
	CLEANUP(json_decrefp) json_t *notes = NULL;

	return layer_chunked_annotations(fd, &notes, NULL) == 1;
}

/* Still a zstd blob of the same tar. */
static void without_a_table(void **state)
{
	static const char zeros[TAR_END];
	const struct tar_entry late = {.type = TAR_FILE, .path = "a", .mtime = 1LL << 40};
	struct buf tars[5] = {BUF_INIT};

	(void)state;
	add_file(&tars[0], "b\xff", 3000, 1);
	tar_header(&late, &tars[1]);
	add_file(&tars[2], "c", 5000, 1);
	tars[2].data[156] = 'g'; /* another type of header */
	add_file(&tars[3], "d", 5000, 1);
	tars[3].data[125] = 'z'; /* no number */
	buf_addstr(&tars[4], "not a tar");
	for (size_t i = 0; i < ARRAY_SIZE(tars); i++) {
		CLEANUP(buf_release) struct buf blob = BUF_INIT;

		if (i < 4)
			buf_add(&tars[i], zeros, sizeof(zeros));
		pack(&tars[i], &(struct how){2, 700, NULL}, &blob);
		/* A header that never came whole is no reason against a table. */
		assert_int_equal(has_table(&blob), i == 4);
		assert_unpacks(&blob, &tars[i]);
		buf_release(&tars[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bytes),     cmocka_unit_test(frames_again),
		cmocka_unit_test(one_frame),      cmocka_unit_test(footers),
		cmocka_unit_test(hostile_tables), cmocka_unit_test(without_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
