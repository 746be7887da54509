/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include "base/digest.h"
#include "base/sink.h"
#include "layer/layer_tar.h"
#include "layer_fixture.h"

struct entry {
	char type;
	const char *path, *text; /* content, or target */
	unsigned mode;
	unsigned uid;
	int64_t mtime;
};

static void add_entry(struct buf *tar, const struct entry *e)
{
	static const char zeros[TAR_BLOCK];
	const bool link = e->type == '1' || e->type == '2';
	const struct tar_entry t = {
		.type = (enum tar_type)e->type,
		.path = e->path,
		.link = link ? e->text : NULL,
		.mode = e->mode ? e->mode : 0644,
		.uid = e->uid,
		.mtime = e->mtime,
		.size = !link && e->text ? strlen(e->text) : 0,
	};

	tar_header(&t, tar);
	if (t.size > 0)
		buf_add(tar, e->text, t.size);
	buf_add(tar, zeros, tar_padding(t.size));
}

static void end_tar(struct buf *tar)
{
	static const char zeros[TAR_END];

	buf_add(tar, zeros, sizeof(zeros));
}

static struct varve_layer describe(const struct buf *tar)
{
	struct varve_layer layer = {.blob = {.media_type = VARVE_MEDIA_LAYER, .size = tar->len}};

	digest_bytes(tar->data, tar->len, &layer.blob.digest);
	layer.diff_id = layer.blob.digest;
	return layer;
}

static int apply_as(const struct buf *tar, const struct varve_layer *layer, int tree,
		    struct strv *implied, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, tar->data, tar->len), 0);
	return layer_apply(fd, layer, tree, &owners_root, implied, err);
}

static int apply(const struct buf *tar, int tree, struct strv *implied, struct varve_error *err)
{
	const struct varve_layer layer = describe(tar);

	return apply_as(tar, &layer, tree, implied, err);
}

static const struct {
	const char *name;
	struct entry entries[7];
	const char *expected;
	const char *implied;
} good[] = {
	{"implied parents",
	 {{'0', "a/b/f", "x", 0600, 7, 9}},
	 "d 0755 0:0 0 a\nd 0755 0:0 0 a/b\nf 0600 7:0 9 a/b/f = x\n",
	 "a a/b"},
	{"times of directories survive their filling",
	 {{'5', "d", NULL, 02755, 1, 5},
	  {'0', "d/f", "x"},
	  {'5', "d/e", NULL, 0711, 0, 6},
	  {'0', "d/e/g"}},
	 "d 2755 1:0 5 d\nd 0711 0:0 6 d/e\nf 0644 0:0 0 d/e/g\nf 0644 0:0 0 d/f = x\n",
	 ""},
	{"an entry for a parent that came too late",
	 {{'0', "d/f"}, {'5', "d", NULL, 0700, 3, 8}},
	 "d 0700 3:0 8 d\nf 0644 0:0 0 d/f\n",
	 ""},
	{"whiteouts",
	 {{'5', "d"}, {'0', ".wh.x"}, {'0', "d/.wh.y"}, {'0', "e/.wh.z"}},
	 "w x\nd 0644 0:0 0 d\nw d/y\nd 0755 0:0 0 e\nw e/z\n",
	 "e"},
	{"notes of aufs and the root",
	 {{'5', "./"}, {'0', ".wh..wh.aufs"}, {'0', ".wh..wh.plnk"}},
	 "",
	 ""},
	{"absolute names stay inside",
	 {{'5', "/"}, {'0', "/f", "x"}, {'0', "./g", "y"}},
	 "f 0644 0:0 0 f = x\nf 0644 0:0 0 g = y\n",
	 ""},
	{"hard links",
	 {{'0', "a", "x", 04755}, {'1', "d/b", "/a"}, {'1', "c", "./d/b"}},
	 "f 4755 0:0 0 a = x\nf 4755 0:0 0 c = x\nd 0755 0:0 0 d\nf 4755 0:0 0 d/b = x\n",
	 "d"},
	{"a hard link to itself", {{'0', "a", "x"}, {'1', "a", "a"}}, "f 0644 0:0 0 a = x\n", ""},
	{"symlinks lead inside",
	 {{'2', "l", "/d", 0777},
	  {'0', "l/f", "x"},
	  {'2', "up", "../../..", 0777},
	  {'0', "up/g", "y"}},
	 "d 0755 0:0 0 d\nf 0644 0:0 0 d/f = x\nf 0644 0:0 0 g = y\nl 0777 0:0 0 l -> /d\nl 0777 0:0 0 up -> ../../..\n",
	 "d"},
	{"a later entry wins",
	 {{'0', "a", "old"}, {'2', "a", "x", 0777}, {'0', "a", "new"}},
	 "f 0644 0:0 0 a = new\n",
	 ""},
	{"a symlink is replaced, not written through",
	 {{'2', "a", "b", 0777}, {'0', "b", "b"}, {'0', "a", "a"}},
	 "f 0644 0:0 0 a = a\nf 0644 0:0 0 b = b\n",
	 ""},
	{"a directory instead of a symlink",
	 {{'2', "a", "b", 0777}, {'5', "a", NULL, 0755}, {'0', "a/f"}},
	 "d 0755 0:0 0 a\nf 0644 0:0 0 a/f\n",
	 ""},
	{"a file instead of an empty directory",
	 {{'5', "d/e"}, {'0', "d/e", "x"}},
	 "d 0755 0:0 0 d\nf 0644 0:0 0 d/e = x\n",
	 "d"},
	{"no devices", {{'3', "null"}, {'4', "disk"}, {'6', "p"}}, "p 0644 0:0 0 p\n", ""},
	{"a whiteout and a directory of one name: nothing below shows",
	 {{'0', ".wh.d"},
	  {'5', "d", NULL, 0755},
	  {'0', "e/f"},
	  {'0', ".wh.e"},
	  {'0', ".wh.g"},
	  {'0', "g/h"}},
	 "o 0755 0:0 0 d\no 0755 0:0 0 e\nf 0644 0:0 0 e/f\no 0755 0:0 0 g\nf 0644 0:0 0 g/h\n",
	 ""},
	{"an opaque mark",
	 {{'0', "d/.wh..wh..opq"}, {'0', "d/f"}},
	 "o 0755 0:0 0 d\nf 0644 0:0 0 d/f\n",
	 "d"},
	{"a whiteout for what the layer has",
	 {{'0', "a", "x"}, {'0', ".wh.a"}},
	 "f 0644 0:0 0 a = x\n",
	 ""},
};

static void accepted(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		CLEANUP(buf_release) struct buf tar = BUF_INIT, is = BUF_INIT;
		struct varve_error err = {.code = 0};

		for (size_t k = 0; good[i].entries[k].type; k++)
			add_entry(&tar, &good[i].entries[k]);
		end_tar(&tar);
		if (apply(&tar, tree, &implied, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		is = tree_dump(tree);
		if (strcmp(buf_text(&is), good[i].expected) != 0)
			fail_msg("%s:\n%s\nand not\n%s", good[i].name, buf_text(&is),
				 good[i].expected);
		assert_lines(&implied, good[i].implied);
	}
}

static const struct {
	const char *name;
	struct entry entries[6];
	int result;
} bad[] = {
	{"up", {{'0', "../out", "x"}}, -VARVE_E_FORMAT},
	{"up in the middle", {{'0', "a/../../out", "x"}}, -VARVE_E_FORMAT},
	{"up at the end", {{'5', "a/.."}}, -VARVE_E_FORMAT},
	{"a link to outside", {{'1', "a", "../canary"}}, -VARVE_E_FORMAT},
	{"a link to an absolute path", {{'1', "a", "/etc/passwd"}}, -VARVE_E_FORMAT},
	{"a link through a symlink",
	 {{'2', "l", "..", 0777}, {'1', "a", "l/canary"}},
	 -VARVE_E_FORMAT},
	{"a link to a directory", {{'5', "d"}, {'1', "a", "d"}}, -VARVE_E_FORMAT},
	{"a link to a whiteout", {{'0', ".wh.w"}, {'1', "a", "w"}}, -VARVE_E_FORMAT},
	{"a link to the root", {{'1', "a", "/"}}, -VARVE_E_FORMAT},
	{"a link to nothing", {{'1', "a", "b"}}, -VARVE_E_FORMAT},
	{"a symlink to nothing", {{'2', "a", ""}}, -VARVE_E_FORMAT},
	{"symlinks in a circle",
	 {{'2', "a", "b", 0777}, {'2', "b", "a", 0777}, {'0', "a/f", "x"}},
	 -VARVE_E_FORMAT},
	{"below a file", {{'0', "a", "x"}, {'0', "a/b", "x"}}, -VARVE_E_FORMAT},
	{"instead of a full directory", {{'0', "d/f", "x"}, {'0', "d", "x"}}, -VARVE_E_FORMAT},
	{"a whiteout with content", {{'0', ".wh.d/f", "x"}}, -VARVE_E_FORMAT},
	{"a whiteout of the parent", {{'0', "d/.wh..."}}, -VARVE_E_FORMAT},
	{"a whiteout of nothing", {{'0', "d/.wh."}}, -VARVE_E_FORMAT},
	{"a type of tomorrow", {{'Z', "a"}}, -VARVE_E_FORMAT},
	{"a sparse file", {{'S', "a", "x"}}, -VARVE_E_FORMAT},
};

/* Nothing may appear or change beside the tree. */
static void refused(void **state)
{
	const struct scratch *s = *state;

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(fd_close) int tree = tree_new(s, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		CLEANUP(buf_release) struct buf tar = BUF_INIT;
		CLEANUP(free_ptr) char *canary = NULL;
		struct varve_error err = {.code = 0};
		struct stat st;
		int r;

		scratch_write(s, "canary", "alive");
		for (size_t k = 0; bad[i].entries[k].type; k++)
			add_entry(&tar, &bad[i].entries[k]);
		end_tar(&tar);
		r = apply(&tar, tree, &implied, &err);
		if (r != bad[i].result)
			fail_msg("%s: %d %s", bad[i].name, r, err.text);
		assert_int_equal(fstatat(s->fd, "out", &st, 0), -1);
		canary = scratch_read(s, "canary");
		assert_string_equal(canary, "alive");
		assert_int_equal(fstatat(s->fd, "canary", &st, 0), 0);
		assert_int_equal(st.st_nlink, 1);
	}
}

static void too_long(void **state)
{
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf tar = BUF_INIT, path = BUF_INIT;
	struct entry e = {.type = '0'};

	need_root();
	for (int i = 0; i < 2100; i++)
		buf_addstr(&path, "d/");
	buf_addc(&path, 'f');
	e.path = path.data;
	add_entry(&tar, &e);
	end_tar(&tar);
	assert_int_equal(apply(&tar, tree, &implied, NULL), -VARVE_E_LIMIT);
}

/* Cut anywhere, the archive is an error; but the end mark may be missing. */
static void truncated(void **state)
{
	static const struct entry entries[] = {{'5', "d"}, {'0', "d/f", "content"}};
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	size_t full;

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		add_entry(&tar, &entries[i]);
	full = tar.len;
	for (size_t len = 0; len <= full; len += 64) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		bool whole = len == 0 || len == 512 || len == full;

		tar.len = len;
		assert_int_equal(apply(&tar, tree, &implied, NULL), whole ? 0 : -VARVE_E_FORMAT);
	}
}

static void wrong_digests(void **state)
{
	static const struct entry e = {'0', "f", "x"};
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	struct varve_error err = {.code = 0};
	struct varve_layer layer;

	need_root();
	add_entry(&tar, &e);
	end_tar(&tar);
	layer = describe(&tar);
	layer.diff_id.bytes[5] ^= 1;
	assert_int_equal(apply_as(&tar, &layer, tree, &implied, &err), -VARVE_E_DIGEST);
	assert_non_null(strstr(err.text, "tar"));
	layer = describe(&tar);
	layer.blob.digest.bytes[5] ^= 1;
	assert_int_equal(apply_as(&tar, &layer, tree, &implied, NULL), -VARVE_E_DIGEST);
	layer = describe(&tar);
	layer.blob.size++;
	assert_int_equal(apply_as(&tar, &layer, tree, &implied, NULL), -VARVE_E_DIGEST);
	layer.blob.size -= 2;
	assert_int_equal(apply_as(&tar, &layer, tree, &implied, NULL), -VARVE_E_DIGEST);
	/* Damage that also makes the archive malformed is told as damage. */
	layer = describe(&tar);
	tar.data[0] ^= 1;
	assert_int_equal(apply_as(&tar, &layer, tree, &implied, NULL), -VARVE_E_DIGEST);
}

/* The digests are right, a header is not. */
static void checksum(void **state)
{
	static const struct entry e = {'0', "f", "x"};
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf tar = BUF_INIT;

	need_root();
	add_entry(&tar, &e);
	end_tar(&tar);
	tar.data[0] = 'g';
	assert_int_equal(apply(&tar, tree, &implied, NULL), -VARVE_E_FORMAT);
}

/* Any one byte changed: an error or not, but never a crash and never something outside. */
static void damaged(void **state)
{
	static const struct entry entries[] = {
		{'5', "d"}, {'0', "d/f", "x"}, {'2', "l", "d", 0777}, {'1', "h", "d/f"}};
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	const struct scratch *s = *state;

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		add_entry(&tar, &entries[i]);
	end_tar(&tar);
	for (size_t at = 0; at < tar.len; at += 7) {
		CLEANUP(fd_close) int tree = tree_new(s, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;

		tar.data[at] ^= 0x55;
		(void)apply(&tar, tree, &implied, NULL);
		tar.data[at] ^= 0x55;
	}
}

/* What was written comes back as it was: tree, blob, tree. */
static void round_trip(void **state)
{
	static const struct tree_item items[] = {
		{'d', "d", .mode = 02775, .gid = 50, .mtime = 5},
		{'f', "d/f", "x", .mode = 06755, .uid = 1, .gid = 2, .mtime = 6},
		{'h', "d/h", "d/f"},
		{'l', "l", "d", .uid = 3, .mtime = 7},
		{'p', "p", .mode = 0600, .mtime = 8},
		{'w', "gone"},
		{'d', "i"},
		{'f', "i/x", "y", .xattr = "user.overlay.overlay.opaque", .value = "y"},
		{'d', "o", .xattr = "user.overlay.opaque", .value = "y"},
		{0},
	};
	CLEANUP(fd_close) int from = tree_new(*state, "from"), to = tree_new(*state, "to");
	CLEANUP(fd_close) int fd = memfd_create("blob", MFD_CLOEXEC);
	CLEANUP(strv_release) struct strv implied = STRV_INIT, back = STRV_INIT;
	CLEANUP(buf_release) struct buf one = BUF_INIT, two = BUF_INIT;
	const struct layer_compression c = {LAYER_ZSTD, 3};
	struct varve_layer layer;
	struct sink_fd blob;

	need_root();
	tree_make(from, items);
	strv_add(&implied, "i");
	sink_fd_init(&blob, fd);
	assert_int_equal(layer_pack(from, &implied, &owners_root, &c, &blob.sink, &layer, NULL), 0);
	assert_int_equal(layer.entry_count, 9);
	assert_int_equal(layer_apply(fd, &layer, to, &owners_root, &back, NULL), 0);
	one = tree_dump(from);
	two = tree_dump(to);
	assert_string_equal(one.data, two.data);
	assert_lines(&back, "i");
	fd_close(&fd);
	fd = openat(to, "o", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.overlay.opaque", NULL, 0), 1);
	fd_close(&fd);
	fd = openat(to, "i/x", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.overlay.overlay.opaque", NULL, 0), 1);
}

/* --- blobs that are worth threads ----------------------------------------------------------------
 */

enum { MANY = 6000, LARGE = 700000 };

/* What a file of the large archive holds: of no, few and many bytes, and more than a thread takes.
 */
static void content_of(int i, struct buf *ret)
{
	size_t len = i % 1000 == 0 ? LARGE : (size_t)(i * 37 % 900);

	buf_reset(ret);
	buf_addf(ret, "%d:", i);
	while (ret->len < len)
		buf_addc(ret, (char)('a' + (i + (int)ret->len) % 26));
}

/* Files in some directories; of each ten the second replaces the first, the third is a link to the
 * second and is replaced by a file, and a whiteout stands in the place of nothing. */
static void large_tar(struct buf *tar)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT, path = BUF_INIT, to = BUF_INIT;

	for (int i = 0; i < MANY; i++) {
		struct entry e = {'0', NULL, NULL, (unsigned)(i % 7 == 0 ? 04755 : 0640), 3, i};

		buf_reset(&path);
		buf_reset(&to);
		content_of(i, &text);
		buf_addf(&path, "d%d/f%d", i / 100, i % 10 == 1 ? i - 1 : i);
		buf_addf(&to, "d%d/f%d", i / 100, i - 2);
		e.path = path.data;
		e.text = text.data;
		if (i % 10 == 2) {
			e.type = '1';
			e.text = to.data;
			add_entry(tar, &e);
			e.type = '0';
			e.text = text.data;
		}
		add_entry(tar, &e);
	}
	end_tar(tar);
}

static void assert_large_tree(int tree)
{
	CLEANUP(buf_release) struct buf want = BUF_INIT, path = BUF_INIT;

	for (int i = 0; i < MANY; i++) {
		CLEANUP(buf_release) struct buf is = BUF_INIT;
		int from = i % 10 == 0 ? i + 1 : i;
		struct stat st;

		if (i % 10 == 1)
			continue;
		buf_reset(&path);
		buf_addf(&path, "d%d/f%d", i / 100, i);
		content_of(from, &want);
		assert_int_equal(fd_read_file(tree, path.data, 1 << 20, &is, NULL), 0);
		assert_int_equal(is.len, want.len);
		assert_memory_equal(is.data, want.data, want.len);
		assert_int_equal(fstatat(tree, path.data, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode & 07777, from % 7 == 0 ? 04755 : 0640);
		assert_int_equal(st.st_mtime, from);
		assert_int_equal(st.st_uid, 3);
		assert_int_equal(st.st_nlink, 1);
	}
}

static void in_threads(void **state)
{
	CLEANUP(fd_close) int tree = tree_new(*state, "tree");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	struct varve_error err = {.code = 0};

	need_root();
	large_tar(&tar);
	assert_true(tar.len > 4 << 20);
	assert_int_equal(apply(&tar, tree, &implied, &err), 0);
	assert_large_tree(tree);
	assert_int_equal(implied.count, MANY / 100);
}

static void assert_cut(const struct scratch *s, const struct buf *tar)
{
	CLEANUP(fd_close) int tree = tree_new(s, "tree");
	CLEANUP(strv_release) struct strv implied = STRV_INIT;

	assert_int_equal(apply(tar, tree, &implied, NULL), -VARVE_E_FORMAT);
}

/* As that of a small one: damage anywhere is damage, whatever it looked like to the reader, and a
 * malformed archive is told as one. */
static void threads_find_damage(void **state)
{
	CLEANUP(buf_release) struct buf tar = BUF_INIT;
	struct varve_layer layer;

	need_root();
	large_tar(&tar);
	layer = describe(&tar);
	for (int i = 0; i < 4; i++) {
		CLEANUP(fd_close) int tree = tree_new(*state, "tree");
		CLEANUP(strv_release) struct strv implied = STRV_INIT;
		size_t at = (tar.len - TAR_END - TAR_BLOCK) / 3 * (size_t)i;

		tar.data[at] ^= 1;
		assert_int_equal(apply_as(&tar, &layer, tree, &implied, NULL), -VARVE_E_DIGEST);
		tar.data[at] ^= 1;
	}
	tar.len = tar.len / 2 / TAR_BLOCK * TAR_BLOCK + 7;
	assert_cut(*state, &tar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(accepted, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(refused, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(too_long, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(truncated, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(wrong_digests, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(checksum, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(damaged, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(round_trip, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(in_threads, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(threads_find_damage, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
