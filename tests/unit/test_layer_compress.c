/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/sink.h"
#include "layer/layer.h"

static void parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *name; /* NULL: refused */
	} cases[] = {
		{"zstd", 0, "zstd:3"},
		{"zstd:19", 0, "zstd:19"},
		{"gzip", 0, "gzip:6"},
		{"gzip:9", 0, "gzip:9"},
		{"none", 0, "none"},
		{"zstd:chunked", 0, "zstd:chunked:3"},
		{"zstd:chunked:19", 0, "zstd:chunked:19"},
		{"zstd:chunked:20", -VARVE_E_USAGE, NULL},
		{"zstd:chunked:", -VARVE_E_USAGE, NULL},
		{"zstd:chunke", -VARVE_E_USAGE, NULL},
		{"zstd:chunkeds", -VARVE_E_USAGE, NULL},
		{"zstd:20", -VARVE_E_USAGE, NULL},
		{"zstd:0", -VARVE_E_USAGE, NULL},
		{"zstd:", -VARVE_E_USAGE, NULL},
		{"zstd:-1", -VARVE_E_USAGE, NULL},
		{"gzip:10", -VARVE_E_USAGE, NULL},
		{"none:1", -VARVE_E_USAGE, NULL},
		{"", -VARVE_E_USAGE, NULL},
		{"xz", -VARVE_E_USAGE, NULL},
		{"zst", -VARVE_E_USAGE, NULL},
		{"zstd3", -VARVE_E_USAGE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct layer_compression c;
		char name[16];

		assert_int_equal(layer_compression_parse(cases[i].text, &c, NULL), cases[i].result);
		if (cases[i].name)
			assert_string_equal(layer_compression_name(&c, name), cases[i].name);
	}
	assert_string_equal(layer_media_type(LAYER_ZSTD), VARVE_MEDIA_LAYER_ZSTD);
	assert_string_equal(layer_media_type(LAYER_GZIP), VARVE_MEDIA_LAYER_GZIP);
	assert_string_equal(layer_media_type(LAYER_PLAIN), VARVE_MEDIA_LAYER);
	assert_int_equal(strncmp(layer_compressor_version(LAYER_ZSTD), "zstd 1.", 7), 0);
}

/* Bytes that compress somewhat and never repeat exactly. */
static void fill(struct buf *b, size_t len)
{
	uint32_t x = 1;

	buf_reserve(b, len);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		b->data[i] = (char)((x >> 24) & (i & 4096 ? 0x0f : 0x3f));
	}
	b->len = len;
}

static void compress(const char *how, unsigned threads, const struct buf *in, size_t step,
		     struct buf *out)
{
	struct layer_compression c;
	struct sink_buf target;
	struct sink *sink = NULL;

	assert_int_equal(layer_compression_parse(how, &c, NULL), 0);
	sink_buf_init(&target, out);
	assert_int_equal(layer_compressor_new(&c, threads, &target.sink, &sink, NULL), 0);
	for (size_t at = 0; at < in->len; at += step)
		assert_int_equal(
			sink_write(sink, in->data + at, in->len - at < step ? in->len - at : step),
			0);
	assert_int_equal(sink_close(sink, NULL), 0);
	layer_compressor_free(sink);
}

static int file_of(const struct buf *b)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, b->data, b->len), 0);
	return fd;
}

static struct varve_descriptor describe(const char *how, const struct buf *blob)
{
	struct layer_compression c;
	struct varve_descriptor d = {.size = blob->len};

	assert_int_equal(layer_compression_parse(how, &c, NULL), 0);
	(void)snprintf(d.media_type, sizeof(d.media_type), "%s", layer_media_type(c.kind));
	digest_bytes(buf_text(blob), blob->len, &d.digest);
	return d;
}

static int decompress(const struct varve_descriptor *d, const struct buf *blob, struct buf *out)
{
	CLEANUP(fd_close) int fd = file_of(blob);
	struct sink_buf target;

	sink_buf_init(&target, out);
	return layer_unpack_stream(fd, d, &target.sink, NULL);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len > 0)
		assert_memory_equal(a->data, b->data, a->len);
}

static const char *const hows[] = {"zstd:1", "zstd:3",       "zstd:12",         "gzip:1", "gzip:6",
				   "gzip:9", "zstd:chunked", "zstd:chunked:12", "none"};

/* Threads and the sizes of writes must not show; what comes out must be what went in. */
static void same_bytes(void **state)
{
	/* Around the 512 KiB of a block of gzip, and several jobs of zstd. */
	static const size_t sizes[] = {0, 1, (512 << 10) - 1, 512 << 10, (512 << 10) + 1, 9 << 20};

	(void)state;
	for (size_t h = 0; h < ARRAY_SIZE(hows); h++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			CLEANUP(buf_release)
			struct buf in = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
			CLEANUP(buf_release) struct buf five = BUF_INIT, back = BUF_INIT;
			struct varve_descriptor d;

			fill(&in, sizes[s]);
			compress(hows[h], 1, &in, 1 << 20, &one);
			compress(hows[h], 2, &in, 100003, &two);
			compress(hows[h], 5, &in, 3 << 20, &five);
			assert_same(&one, &two);
			assert_same(&one, &five);
			d = describe(hows[h], &one);
			assert_int_equal(decompress(&d, &one, &back), 0);
			assert_same(&in, &back);
		}
	}
}

static void damage(void **state)
{
	(void)state;
	for (size_t h = 0; h < ARRAY_SIZE(hows); h++) {
		CLEANUP(buf_release) struct buf in = BUF_INIT, blob = BUF_INIT, back = BUF_INIT;
		struct varve_descriptor d;

		fill(&in, 300000);
		compress(hows[h], 2, &in, 1 << 20, &blob);
		d = describe(hows[h], &blob);
		blob.data[blob.len / 2] ^= 1;
		assert_int_equal(decompress(&d, &blob, &back), -VARVE_E_DIGEST);
		blob.data[blob.len / 2] ^= 1;
		blob.len--;
		assert_int_equal(decompress(&d, &blob, &back), -VARVE_E_DIGEST);
		blob.len++;
		buf_addc(&blob, 'x');
		assert_int_equal(decompress(&d, &blob, &back), -VARVE_E_DIGEST);
	}
}

/* The digest is right, the content is not. */
static void malformed(void **state)
{
	(void)state;
	for (size_t h = 0; h + 1 < ARRAY_SIZE(hows); h++) {
		CLEANUP(buf_release) struct buf in = BUF_INIT, blob = BUF_INIT, back = BUF_INIT;
		struct varve_descriptor d;

		fill(&in, 300000);
		compress(hows[h], 2, &in, 1 << 20, &blob);
		blob.len -= 10;
		d = describe(hows[h], &blob);
		assert_int_equal(decompress(&d, &blob, &back), -VARVE_E_FORMAT);
		d = describe("none", &blob);
		(void)snprintf(d.media_type, sizeof(d.media_type), "text/plain");
		assert_int_equal(decompress(&d, &blob, &back), -VARVE_E_FORMAT);
	}
}

/* Members and frames may follow one another. */
static void joined(void **state)
{
	static const char *const kinds[] = {"zstd:3", "gzip:6", "zstd:chunked"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		CLEANUP(buf_release) struct buf in = BUF_INIT, blob = BUF_INIT, back = BUF_INIT;
		struct varve_descriptor d;

		fill(&in, 100000);
		compress(kinds[k], 1, &in, 1 << 20, &blob);
		compress(kinds[k], 1, &in, 1 << 20, &blob);
		d = describe(kinds[k], &blob);
		assert_int_equal(decompress(&d, &blob, &back), 0);
		assert_int_equal(back.len, 2 * in.len);
		assert_memory_equal(back.data + in.len, in.data, in.len);
	}
}

static int full(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	(void)sink;
	(void)data;
	(void)len;
	return varve_error_set(err, -28, "write blob");
}

static int closed(struct sink *sink, struct varve_error *err)
{
	(void)sink;
	(void)err;
	return 0;
}

/* What the last sink says reaches the first. */
static void full_disk(void **state)
{
	static const struct sink_ops ops = {full, closed, NULL};
	CLEANUP(buf_release) struct buf in = BUF_INIT;

	(void)state;
	fill(&in, 9 << 20);
	for (size_t h = 0; h < ARRAY_SIZE(hows); h++) {
		struct sink target = {.ops = &ops};
		struct layer_compression c;
		struct varve_error err = {.code = 0};
		struct sink *sink = NULL;
		int r;

		assert_int_equal(layer_compression_parse(hows[h], &c, NULL), 0);
		r = layer_compressor_new(&c, 2, &target, &sink, &err);
		if (r == 0) {
			(void)sink_write(sink, in.data, in.len);
			r = sink_close(sink, &err);
			layer_compressor_free(sink);
		}
		assert_int_equal(r, -28);
		assert_int_equal(strncmp(err.text, "write blob", 10), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),  cmocka_unit_test(same_bytes),
		cmocka_unit_test(damage), cmocka_unit_test(malformed),
		cmocka_unit_test(joined), cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
