/* SPDX-License-Identifier: Apache-2.0
 * Layers that go on from a mark of another one: how far two trees are alike is found without their
 * contents, and no byte tells that anything was left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/sink.h"
#include "layer/layer_frames.h"
#include "layer/layer_marks.h"
#include "layer/layer_vouch.h"
#include "layer_fixture.h"

enum { MB = 1 << 20 };

/* Marks come behind b and behind d. */
static void make_tree(int tree)
{
	static const struct {
		const char *path;
		off_t size;
	} files[] = {{"a", 9 * MB}, {"b", 9 * MB}, {"c/f", 700}, {"d", 20 * MB}, {"e", 5}};

	assert_int_equal(mkdirat(tree, "c", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(fd_close)
		int fd = openat(tree, files[i].path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		assert_int_equal(fd_write_all(fd, files[i].path, 1), 0);
		assert_int_equal(ftruncate(fd, files[i].size), 0);
	}
	assert_int_equal(linkat(tree, "a", tree, "c/link", 0), 0);
	assert_int_equal(symlinkat("../a", tree, "c/symlink"), 0);
}

/* What is known of files: all but one path. */
struct knowledge {
	const char *without;
	unsigned asked;
};

static bool digest_of(void *cookie, const struct walk_entry *file, struct varve_digest *ret)
{
	struct knowledge *k = cookie;
	CLEANUP(fd_close) int fd = openat(file->dirfd, file->name, O_RDONLY | O_CLOEXEC);

	k->asked++;
	return !str_equal(file->path, k->without) && digest_fd(fd, ret, NULL) == 0;
}

struct packed {
	int blob;
	struct varve_layer layer;
	struct layer_marks marks;
};

static void packed_release(struct packed *p)
{
	fd_close(&p->blob);
	layer_marks_release(&p->marks);
}

static void pack(int tree, const struct packed *before, struct knowledge *k, struct packed *ret)
{
	const struct strv implied = STRV_INIT;
	const struct layer_vouch vouch = {digest_of, k};
	CLEANUP(layer_frames_freep) struct layer_frames *frames = NULL;
	struct layer_compression c = {.kind = LAYER_CHUNKED, .level = 1, .marks = &ret->marks};
	struct varve_layer measured;
	struct sink_fd sink;

	if (before) {
		assert_int_equal(layer_frames_new(before->blob, &frames, NULL), 0);
		layer_frames_trust(frames);
		c.known = frames;
		c.before = &before->marks;
		c.vouch = &vouch;
	}
	ret->blob = memfd_create("blob", MFD_CLOEXEC);
	sink_fd_init(&sink, ret->blob);
	assert_int_equal(
		layer_pack(tree, &implied, &owners_root, &c, &sink.sink, &ret->layer, NULL), 0);
	assert_int_equal(layer_measure(tree, &implied, &owners_root, &c, &measured, NULL), 0);
	assert_true(varve_digest_equal(&measured.diff_id, &ret->layer.diff_id));
	assert_int_equal(measured.tar_size, ret->layer.tar_size);
	assert_int_equal(measured.entry_count, ret->layer.entry_count);
}

static void read_blob(const struct packed *p, struct buf *ret)
{
	assert_int_equal(lseek(p->blob, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(p->blob, 64 * MB, ret), 0);
	assert_int_equal(ret->len, p->layer.blob.size);
}

static void assert_same_blob(const struct packed *a, const struct packed *b)
{
	CLEANUP(buf_release) struct buf one = BUF_INIT, other = BUF_INIT;
	CLEANUP(buf_release) struct buf marks = BUF_INIT, other_marks = BUF_INIT;
	struct varve_digest digest;

	read_blob(a, &one);
	read_blob(b, &other);
	assert_int_equal(one.len, other.len);
	assert_memory_equal(one.data, other.data, one.len);
	digest_bytes(other.data, other.len, &digest);
	assert_true(varve_digest_equal(&digest, &b->layer.blob.digest));
	assert_true(varve_digest_equal(&a->layer.diff_id, &b->layer.diff_id));
	assert_int_equal(a->layer.tar_size, b->layer.tar_size);
	assert_int_equal(a->layer.entry_count, b->layer.entry_count);
	layer_marks_write(&a->marks, &marks);
	layer_marks_write(&b->marks, &other_marks);
	assert_int_equal(marks.len, other_marks.len);
	assert_memory_equal(marks.data, other_marks.data, marks.len);
}

static void write_at(int tree, const char *path, off_t at)
{
	CLEANUP(fd_close) int fd = openat(tree, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "!", 1, at), 1);
}

static void change_mode(int tree, const char *path, off_t mode)
{
	assert_int_equal(fchmodat(tree, path, (mode_t)mode, 0), 0);
}

static void remove_one(int tree, const char *path, off_t unused)
{
	(void)unused;
	assert_int_equal(unlinkat(tree, path, 0), 0);
}

/* Number of the mark up to which the tree is proved to be the same; 0: none. */
static size_t proved(int tree, const struct packed *before, struct knowledge *k)
{
	const struct strv implied = STRV_INIT;
	const struct layer_vouch vouch = {digest_of, k};
	const struct layer_mark *mark = NULL;

	assert_int_equal(
		layer_prove(tree, &implied, &owners_root, &before->marks, &vouch, &mark, NULL), 0);
	return mark ? (size_t)(mark - before->marks.items) + 1 : 0;
}

static void goes_on_where_trees_part(void **state)
{
	static const struct {
		void (*change)(int tree, const char *path, off_t what);
		const char *path;
		off_t what;
		const char *unknown;
		size_t mark;
	} cases[] = {
		{NULL, NULL, 0, "", 2},           {write_at, "e", 0, "", 2},
		{write_at, "f", 0, "", 2},        {write_at, "d", 20 * MB - 1, "", 1},
		{write_at, "d", 20 * MB, "", 1},  {change_mode, "d", 0600, "", 1},
		{write_at, "c/g", 0, "", 1},      {remove_one, "c/symlink", 0, "", 1},
		{remove_one, "c/link", 0, "", 1}, {write_at, "a", 5, "", 0},
		{change_mode, "a", 04755, "", 0}, {write_at, "Z", 0, "", 0},
		{NULL, NULL, 0, "a", 0},          {NULL, NULL, 0, "c/f", 1},
		{NULL, NULL, 0, "d", 1},
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(fd_close) int tree = tree_new(s, "tree");
		CLEANUP(packed_release) struct packed before = {.blob = -1};
		CLEANUP(packed_release) struct packed wanted = {.blob = -1};
		CLEANUP(packed_release) struct packed made = {.blob = -1};
		struct knowledge k = {.without = cases[i].unknown};

		make_tree(tree);
		pack(tree, NULL, NULL, &before);
		assert_int_equal(before.marks.count, 2);
		if (cases[i].change)
			cases[i].change(tree, cases[i].path, cases[i].what);
		assert_int_equal(proved(tree, &before, &k), cases[i].mark);
		pack(tree, NULL, NULL, &wanted);
		pack(tree, &before, &k, &made);
		assert_same_blob(&wanted, &made);
	}
}

/* What cannot leave room for the beginning takes all bytes. */
static void a_sink_without_a_file(void **state)
{
	const struct scratch *s = *state;
	const struct strv implied = STRV_INIT;
	struct knowledge k = {.without = ""};
	const struct layer_vouch vouch = {digest_of, &k};
	CLEANUP(fd_close) int tree = tree_new(s, "tree");
	CLEANUP(packed_release) struct packed before = {.blob = -1};
	CLEANUP(layer_frames_freep) struct layer_frames *frames = NULL;
	CLEANUP(buf_release) struct buf out = BUF_INIT, wanted = BUF_INIT;
	struct layer_compression c = {.kind = LAYER_CHUNKED, .level = 1};
	struct varve_layer layer;
	struct sink_buf sink;

	make_tree(tree);
	pack(tree, NULL, NULL, &before);
	assert_int_equal(layer_frames_new(before.blob, &frames, NULL), 0);
	c.known = frames;
	c.before = &before.marks;
	c.vouch = &vouch;
	sink_buf_init(&sink, &out);
	assert_int_equal(layer_pack(tree, &implied, &owners_root, &c, &sink.sink, &layer, NULL), 0);
	read_blob(&before, &wanted);
	assert_int_equal(out.len, wanted.len);
	assert_memory_equal(out.data, wanted.data, out.len);
}

static void due(void **state)
{
	(void)state;
	assert_false(layer_mark_is_due(512, LAYER_MARK_EVERY - 513));
	assert_true(layer_mark_is_due(512, LAYER_MARK_EVERY - 512));
	assert_false(layer_mark_is_due(LAYER_MARK_EVERY, LAYER_MARK_EVERY - 1));
	assert_true(layer_mark_is_due(1536, 5ULL * LAYER_MARK_EVERY));
}

static void bytes_of_marks(void **state)
{
	CLEANUP(layer_marks_release) struct layer_marks marks = {0};
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	struct layer_marks back = {0};

	(void)state;
	for (uint64_t i = 1; i < 4; i++)
		layer_marks_add(&marks, &(struct layer_mark){.tar_at = i * 100,
							     .blob_at = i * 50,
							     .contents_at = i,
							     .split_at = i,
							     .entries = i,
							     .tar.length = i * 100,
							     .blob.length = i * 50});
	layer_marks_write(&marks, &bytes);
	assert_true(layer_marks_parse(bytes.data, bytes.len, &back));
	assert_int_equal(back.count, 3);
	assert_memory_equal(back.items, marks.items, 3 * sizeof(*back.items));
	layer_marks_release(&back);
	assert_false(layer_marks_parse(bytes.data, bytes.len - 1, &back));
	assert_false(layer_marks_parse(bytes.data, 15, &back));
	assert_true(layer_marks_parse(bytes.data, 16, &back));
	assert_int_equal(back.count, 0);
	for (size_t i = 0; i < 7; i++) { /* the magic, and numbers of the first mark */
		char *byte = &bytes.data[i * 8 + (i < 2 ? 0 : 7)];

		*byte ^= 0x40;
		assert_false(layer_marks_parse(bytes.data, bytes.len, &back));
		*byte ^= 0x40;
	}
}

static void told_and_asked(void **state)
{
	const struct varve_digest one = {.bytes = {1}}, three = {.bytes = {3}};
	struct layer_vouched v;
	struct varve_digest digest;

	(void)state;
	layer_vouched_init(&v);
	assert_false(layer_vouched_ask(&v, 1, &digest));
	layer_vouched_tell(&v, 1, &one);
	layer_vouched_tell(&v, 3, &three);
	assert_true(layer_vouched_ask(&v, 1, &digest));
	assert_true(varve_digest_equal(&digest, &one));
	assert_false(layer_vouched_ask(&v, 2, &digest));
	assert_true(layer_vouched_ask(&v, 3, &digest));
	assert_true(varve_digest_equal(&digest, &three));
	assert_false(layer_vouched_ask(&v, 3, &digest));
	layer_vouched_tell(&v, 4, &one);
	assert_false(layer_vouched_ask(&v, 5, &digest)); /* 4 was passed over */
	assert_int_equal(v.count, 0);
	layer_vouched_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(goes_on_where_trees_part),
		SCRATCH_TEST(a_sink_without_a_file),
		cmocka_unit_test(due),
		cmocka_unit_test(bytes_of_marks),
		cmocka_unit_test(told_and_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
