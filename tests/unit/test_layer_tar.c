/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"
#include "layer/layer_tar_pax.h"
#include "layer/layer_tar_read.h"
#include "layer/layer_xattr.h"

/* Offsets of POSIX's ustar header. */
enum {
	MODE = 100,
	UID = 108,
	SIZE = 124,
	MTIME = 136,
	SUM = 148,
	TYPE = 156,
	LINK = 157,
	PREFIX = 345
};

static char *repeat(const char *text, size_t times)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < times; i++)
		buf_addstr(&b, text);
	return buf_steal(&b);
}

static void plain_file(void **state)
{
	const struct tar_entry e = {.type = TAR_FILE,
				    .path = "a/b",
				    .mode = 0644,
				    .uid = 7,
				    .gid = 8,
				    .size = 513,
				    .mtime = 1};
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	unsigned sum = 0;

	(void)state;
	tar_header(&e, &out);
	assert_int_equal(out.len, TAR_BLOCK);
	assert_string_equal(out.data, "a/b");
	assert_string_equal(out.data + MODE, "0000644");
	assert_string_equal(out.data + UID, "0000007");
	assert_string_equal(out.data + SIZE, "00000001001");
	assert_string_equal(out.data + MTIME, "00000000001");
	assert_int_equal(out.data[TYPE], '0');
	assert_memory_equal(out.data + 257,
			    "ustar\0"
			    "00",
			    8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + 8 ? ' ' : (unsigned char)out.data[i];
	assert_int_equal(strtoul(out.data + SUM, NULL, 8), sum);
	assert_int_equal(tar_padding(513), 511);
	assert_int_equal(tar_padding(0), 0);
	assert_int_equal(tar_padding(512), 0);
}

/* A name of "a" times before and "b" times after one '/'. */
struct name_case {
	size_t before, after;
	enum tar_type type;
	size_t len; /* of the result */
	size_t prefix; /* bytes in the prefix field */
};

static void names(void **state)
{
	static const struct name_case cases[] = {
		{0, 100, TAR_FILE, 512, 0},         {0, 101, TAR_FILE, 1536, 0},
		{0, 99, TAR_DIRECTORY, 512, 0},     {0, 100, TAR_DIRECTORY, 1536, 0},
		{50, 49, TAR_FILE, 512, 0},         {50, 50, TAR_FILE, 512, 50},
		{155, 100, TAR_FILE, 512, 155},     {156, 100, TAR_FILE, 1536, 0},
		{155, 101, TAR_FILE, 1536, 0},      {155, 99, TAR_DIRECTORY, 512, 155},
		{155, 100, TAR_DIRECTORY, 1536, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct name_case *c = &cases[i];
		CLEANUP(free_ptr)
		char *before = repeat("a", c->before), *after = repeat("b", c->after);
		CLEANUP(free_ptr)
		char *path = xasprintf("%s%s%s", before, c->before ? "/" : "", after);
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		const struct tar_entry e = {.type = c->type, .path = path};

		tar_header(&e, &out);
		assert_int_equal(out.len, c->len);
		assert_int_equal(strnlen(out.data + out.len - TAR_BLOCK + PREFIX, 155), c->prefix);
		if (c->len > 512)
			assert_non_null(strstr(out.data + TAR_BLOCK, " path="));
	}
}

static void pax_records(void **state)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs x = LAYER_XATTRS_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	const struct tar_entry e = {.type = TAR_FILE,
				    .path = "f",
				    .uid = 2097152,
				    .gid = 2097151,
				    .size = 1ULL << 33,
				    .mtime = -5,
				    .xattrs = &x};

	(void)state;
	layer_xattrs_add(&x, "user.b", "2", 1);
	layer_xattrs_add(&x, "user.a", "\0\n", 2);
	layer_xattrs_add(&x, "trusted.no", "1", 1);
	layer_xattrs_add(&x, "security.selinux", "1", 1);
	layer_xattrs_add(&x, "user.with=sign", "1", 1);
	layer_xattrs_sort(&x);
	tar_header(&e, &out);
	assert_int_equal(out.len, 1536);
	assert_string_equal(out.data, "././@PaxHeader");
	assert_int_equal(out.data[TYPE], 'x');
	assert_memory_equal(out.data + TAR_BLOCK,
			    "26 SCHILY.xattr.user.a=\0\n\n"
			    "25 SCHILY.xattr.user.b=2\n"
			    "12 mtime=-5\n"
			    "19 size=8589934592\n"
			    "15 uid=2097152\n",
			    97);
	assert_string_equal(out.data + 1024 + SIZE, "00000000000");
	assert_string_equal(out.data + 1024 + UID, "0000000");
}

/* Digits that lengthen the record that they count. */
static void record_lengths(void **state)
{
	(void)state;
	for (size_t n = 101; n < 1200; n++) {
		CLEANUP(free_ptr) char *link = repeat("x", n);
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		CLEANUP(tar_pax_release) struct tar_pax pax = {.xattrs = LAYER_XATTRS_INIT};
		const struct tar_entry e = {.type = TAR_SYMLINK, .path = "l", .link = link};
		size_t len;

		tar_header(&e, &out);
		len = strtoul(out.data + TAR_BLOCK, NULL, 10);
		assert_int_equal(tar_pax_parse(&pax, out.data + TAR_BLOCK, len, NULL), 0);
		assert_string_equal(pax.link.data, link);
	}
}

static void capability_version(void **state)
{
	static const unsigned char v3[24] = {0, 0, 0, 3, 1, 2, [20] = 0xa0, 0x86, 1, 0};
	CLEANUP(layer_xattrs_release) struct layer_xattrs x = LAYER_XATTRS_INIT;

	(void)state;
	layer_xattrs_add(&x, "security.capability", v3, sizeof(v3));
	assert_int_equal(x.items[0].size, 20);
	assert_int_equal(x.items[0].value[3], 2);
	assert_int_equal(x.items[0].value[4], 1);
}

static void pax_parsing(void **state)
{
	static const struct {
		const char *records;
		size_t len;
		int result;
	} cases[] = {
		{"", 0, 0},
		{"7 a=bc\n", 7, 0},
		{"10 path=a\n", 10, 0},
		{"16 mtime=1.5000\n", 16, 0},
		{"9 a=bc\n", 7, -VARVE_E_FORMAT},
		{"6 a=bc\n", 7, -VARVE_E_FORMAT},
		{"0 a=bc\n", 7, -VARVE_E_FORMAT},
		{"99999999999 a=b\n", 16, -VARVE_E_FORMAT},
		{"7 abcd\n", 7, -VARVE_E_FORMAT},
		{"6 =bc\n", 6, -VARVE_E_FORMAT},
		{"7", 1, -VARVE_E_FORMAT},
		{"12 path=a\0b\n", 12, -VARVE_E_FORMAT},
		{"12 size=-12\n", 12, -VARVE_E_FORMAT},
		{"11 mtime=x\n", 11, -VARVE_E_FORMAT},
		{"23 GNU.sparse.major=10\n", 23, -VARVE_E_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(tar_pax_release) struct tar_pax pax = {.xattrs = LAYER_XATTRS_INIT};

		if (tar_pax_parse(&pax, cases[i].records, cases[i].len, NULL) != cases[i].result)
			fail_msg("case %zu: %s", i, cases[i].records);
	}
}

struct memory {
	const struct buf *buf;
	size_t at, chunk;
};

static ssize_t read_memory(void *cookie, void *data, size_t len, struct varve_error *err)
{
	struct memory *m = cookie;
	size_t left = m->buf->len - m->at, n = left < len ? left : len;

	(void)err;
	memcpy(data, m->buf->data + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

static void add_file(struct buf *tar, const struct tar_entry *e, const char *data)
{
	static const char zeros[TAR_BLOCK];

	tar_header(e, tar);
	buf_add(tar, data, e->size);
	buf_add(tar, zeros, tar_padding(e->size));
}

/* What the encoder writes, the reader gives back. */
static void round_trip(void **state)
{
	CLEANUP(free_ptr) char *name = repeat("n\xc3\xa4/", 120);
	CLEANUP(layer_xattrs_release) struct layer_xattrs x = LAYER_XATTRS_INIT;
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	CLEANUP(tar_reader_freep) struct tar_reader *t = NULL;
	struct tar_entry e = {.type = TAR_FILE,
			      .mode = 04755,
			      .uid = 3000000,
			      .gid = 5,
			      .size = 3,
			      .mtime = 77,
			      .xattrs = &x};
	struct memory m = {&tar, 0, 0};
	struct tar_item item;
	const void *data;

	(void)state;
	name[strlen(name) - 1] = '\0';
	e.path = name;
	layer_xattrs_add(&x, "user.k", "v", 1);
	add_file(&tar, &e, "abc");
	e = (struct tar_entry){.type = TAR_LINK, .path = "\xff\xfe", .link = "abc"};
	add_file(&tar, &e, "");
	t = tar_reader_new(read_memory, &m);
	assert_int_equal(tar_reader_next(t, &item, NULL), 1);
	assert_string_equal(item.path, name);
	assert_int_equal(item.mode, 04755);
	assert_int_equal(item.uid, 3000000);
	assert_int_equal(item.gid, 5);
	assert_int_equal(item.mtime.tv_sec, 77);
	assert_true(layer_xattrs_equal(item.xattrs, &x));
	assert_int_equal(tar_reader_data(t, &data, NULL), 3);
	assert_memory_equal(data, "abc", 3);
	assert_int_equal(tar_reader_data(t, &data, NULL), 0);
	assert_int_equal(tar_reader_next(t, &item, NULL), 1);
	assert_int_equal(item.type, TAR_LINK);
	assert_string_equal(item.path, "\xff\xfe");
	assert_string_equal(item.link, "abc");
	assert_int_equal(item.xattrs->count, 0);
	assert_int_equal(tar_reader_next(t, &item, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_file),         cmocka_unit_test(names),
		cmocka_unit_test(pax_records),        cmocka_unit_test(record_lengths),
		cmocka_unit_test(capability_version), cmocka_unit_test(pax_parsing),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
