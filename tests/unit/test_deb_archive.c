/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_archive.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include "base/owner.h"
#include "scratch.h"

/* --- packages made for the tests
 * ------------------------------------------------------------------- */

enum { STAMP = 1600000000 };

/* One entry of data.tar. */
static const struct owners owners_root = {.mode = OWNER_ROOT};

struct member {
	const char *path;
	mode_t mode; /* with the type; 0: a hard link to target */
	const char *content; /* of a file; target of a link */
};

struct compression {
	const char *suffix;
	int (*add)(struct archive *archive);
};

static const struct compression compressions[] = {
	{"", archive_write_add_filter_none},      {".gz", archive_write_add_filter_gzip},
	{".xz", archive_write_add_filter_xz},     {".zst", archive_write_add_filter_zstd},
	{".bz2", archive_write_add_filter_bzip2}, {".lzma", archive_write_add_filter_lzma},
};

static void add_member(struct archive *tar, const struct member *m)
{
	struct archive_entry *entry = archive_entry_new();
	const char *content = m->content ? m->content : "";

	archive_entry_set_pathname(entry, m->path);
	archive_entry_set_mtime(entry, STAMP, 0);
	archive_entry_set_uid(entry, getuid());
	archive_entry_set_gid(entry, getgid());
	archive_entry_set_mode(entry, m->mode ? m->mode : S_IFREG | 0644);
	if (m->mode == 0)
		archive_entry_set_hardlink(entry, content);
	else if (S_ISLNK(m->mode))
		archive_entry_set_symlink(entry, content);
	else if (S_ISREG(m->mode))
		archive_entry_set_size(entry, (la_int64_t)strlen(content));
	else if (S_ISCHR(m->mode))
		archive_entry_set_rdev(entry, makedev(1, 3));
	assert_int_equal(archive_write_header(tar, entry), ARCHIVE_OK);
	if (S_ISREG(m->mode))
		assert_int_equal(archive_write_data(tar, content, strlen(content)),
				 strlen(content));
	archive_entry_free(entry);
}

static size_t make_tar(const struct member *members, const struct compression *compression,
		       char *out, size_t size)
{
	struct archive *tar = archive_write_new();
	size_t used = 0;

	assert_int_equal(archive_write_set_format_gnutar(tar), ARCHIVE_OK);
	assert_int_equal(compression->add(tar), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(tar, out, size, &used), ARCHIVE_OK);
	for (; members->path; members++)
		add_member(tar, members);
	assert_int_equal(archive_write_close(tar), ARCHIVE_OK);
	archive_write_free(tar);
	return used;
}

static void add_ar(struct buf *deb, const char *name, const char *data, size_t len)
{
	buf_addf(deb, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, STAMP, 0, 0, "100644", len);
	buf_add(deb, data, len);
	if (len % 2)
		buf_addc(deb, '\n');
}

static const char control_text[] = "Package: demo\nVersion: 1.0\nPre-Depends: libc6 (>= 2), libx\n"
				   "Description: short\n long\n .\n longer\n";

/* A descriptor of a .deb with these files. */
static int make_deb(const struct member *members, const struct compression *compression)
{
	static const struct member control[] = {{"./", S_IFDIR | 0755, NULL},
						{"./md5sums", S_IFREG | 0644, "x"},
						{"./control", S_IFREG | 0644, control_text},
						{NULL, 0, NULL}};
	CLEANUP(free_ptr) char *tar = xmalloc(1 << 20);
	CLEANUP(free_ptr) char *name = xasprintf("data.tar%s", compression->suffix);
	CLEANUP(free_ptr) char *control_name = xasprintf("control.tar%s", compression->suffix);
	CLEANUP(buf_release) struct buf deb = BUF_INIT;
	int fd = memfd_create("deb", MFD_CLOEXEC);
	size_t len;

	buf_addstr(&deb, "!<arch>\n");
	add_ar(&deb, "debian-binary", "2.0\n", 4);
	len = make_tar(control, compression, tar, 1 << 20);
	add_ar(&deb, control_name, tar, len);
	len = make_tar(members, compression, tar, 1 << 20);
	add_ar(&deb, name, tar, len);
	assert_int_equal(fd_write_all(fd, deb.data, deb.len), 0);
	return fd;
}

/* --- what comes out
 * -------------------------------------------------------------------------------- */

static const struct member ordinary[] = {
	{"./", S_IFDIR | 0755, NULL},
	{"./usr/", S_IFDIR | 0755, NULL},
	{"./usr/bin/", S_IFDIR | 0755, NULL},
	{"./usr/bin/tool", S_IFREG | 04755, "program"},
	{"./usr/bin/alias", 0, "./usr/bin/tool"},
	{"./usr/bin/link", S_IFLNK | 0777, "/etc/alternatives/tool"},
	{"./bin/", S_IFDIR | 0755, NULL},
	{"./bin/sh", S_IFREG | 0755, "shell"},
	{"./var/", S_IFDIR | 0755, NULL},
	{"./var/local/", S_IFDIR | 02775, NULL},
	{"./var/secret", S_IFREG | 0600, ""},
	{NULL, 0, NULL},
};

static struct stat status_of(const struct scratch *s, const char *path)
{
	struct stat st = {0};

	assert_int_equal(fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void check_ordinary(const struct scratch *s)
{
	struct stat tool = status_of(s, "usr/bin/tool"), alias = status_of(s, "usr/bin/alias");
	CLEANUP(free_ptr) char *text = scratch_read(s, "usr/bin/tool");
	CLEANUP(free_ptr) char *shell = scratch_read(s, "usr/bin/sh");

	assert_string_equal(text, "program");
	assert_int_equal(tool.st_mode, S_IFREG | 04755);
	assert_int_equal(tool.st_mtime, STAMP);
	assert_int_equal(tool.st_ino, alias.st_ino);
	assert_true(S_ISLNK(status_of(s, "usr/bin/link").st_mode));
	/* /bin is a link to usr/bin: the file went through it, the link is still there. */
	assert_true(S_ISLNK(status_of(s, "bin").st_mode));
	assert_string_equal(shell, "shell");
	assert_int_equal(status_of(s, "var/local").st_mode, S_IFDIR | 02775);
	assert_int_equal(status_of(s, "var/secret").st_mode, S_IFREG | 0600);
}

static void test_unpack(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		CLEANUP(fd_close) int deb = make_deb(ordinary, &compressions[i]);
		struct varve_error err = {0};

		assert_int_equal(fd_remove_tree(s->fd, "usr") | fd_remove_tree(s->fd, "bin") |
					 fd_remove_tree(s->fd, "var"),
				 0);
		assert_int_equal(fd_mkdir_p(s->fd, "usr/bin", 0755), 0);
		assert_int_equal(symlinkat("/usr/bin", s->fd, "bin"), 0);
		if (deb_unpack(deb, s->fd, &owners_root, &err) < 0)
			fail_msg("%s: %s", compressions[i].suffix, err.text);
		check_ordinary(s);
	}
}

/* Twice over itself: as an upgrade does. */
static void test_unpack_over(void **state)
{
	CLEANUP(fd_close) int deb = make_deb(ordinary, &compressions[0]);

	assert_int_equal(deb_unpack(deb, ((struct scratch *)*state)->fd, &owners_root, NULL), 0);
	assert_int_equal(deb_unpack(deb, ((struct scratch *)*state)->fd, &owners_root, NULL), 0);
}

/* --- hostile ones
 * ----------------------------------------------------------------------------------- The root is
 * "root" in the scratch directory, beside it lies "outside". Whatever the result, nothing is
 * written there. */

struct hostile {
	const char *name;
	struct member members[4];
	bool refused;
};

static const struct hostile hostiles[] = {
	{"up", {{"../outside/x", S_IFREG | 0644, "x"}}, true},
	{"up in the middle", {{"./usr/../../outside/x", S_IFREG | 0644, "x"}}, true},
	{"absolute", {{"/outside/x", S_IFREG | 0644, "x"}}, false},
	{"through a relative link",
	 {{"./l", S_IFLNK | 0777, "../outside"}, {"./l/x", S_IFREG | 0644, "x"}},
	 false},
	{"through a directory entry on a link",
	 {{"./l", S_IFLNK | 0777, "../outside"}, {"./l/", S_IFDIR | 0700, NULL}},
	 true},
	{"over a link",
	 {{"./l", S_IFLNK | 0777, "../outside/f"}, {"./l", S_IFREG | 0644, "x"}},
	 false},
	{"hard link to outside", {{"./h", 0, "../outside/f"}}, true},
	{"hard link through a link",
	 {{"./l", S_IFLNK | 0777, "../outside"}, {"./h", 0, "./l/f"}},
	 true},
	{"hard link to a link, then written",
	 {{"./l", S_IFLNK | 0777, "../outside/f"}, {"./h", 0, "./l"}, {"./h", S_IFREG | 0644, "x"}},
	 false},
	{"a loop of links", {{"./l", S_IFLNK | 0777, "l"}, {"./l/x", S_IFREG | 0644, "x"}}, true},
	{"a file as directory",
	 {{"./f", S_IFREG | 0644, ""}, {"./f/x", S_IFREG | 0644, "x"}},
	 true},
	{"a device", {{"./null", S_IFCHR | 0666, NULL}}, true},
};

static void check_hostile(const struct scratch *s, const struct hostile *h)
{
	CLEANUP(fd_close) int deb = make_deb(h->members, &compressions[0]);
	CLEANUP(fd_close) int root = -1;
	CLEANUP(free_ptr) char *outside = NULL;
	struct varve_error err = {0};
	int r;

	assert_int_equal(fd_remove_tree(s->fd, "root") | fd_remove_tree(s->fd, "outside"), 0);
	assert_int_equal(fd_mkdir_p(s->fd, "root", 0755) | fd_mkdir_p(s->fd, "outside", 0755), 0);
	scratch_write(s, "outside/f", "precious");
	root = openat(s->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = deb_unpack(deb, root, &owners_root, &err);
	if ((r < 0) != h->refused)
		fail_msg("%s: %d %s", h->name, r, err.text);
	outside = scratch_read(s, "outside/f");
	assert_string_equal(outside, "precious");
	if (scratch_exists(s, "outside/x") || status_of(s, "outside").st_mode != (S_IFDIR | 0755) ||
	    status_of(s, "outside/f").st_nlink != 1)
		fail_msg("%s: wrote outside of the root", h->name);
}

static void test_hostile(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostiles); i++)
		check_hostile(*state, &hostiles[i]);
}

/* Every beginning of a package is an error, none a crash. */
static void test_cut(void **state)
{
	CLEANUP(fd_close) int deb = make_deb(ordinary, &compressions[2]);
	struct scratch *s = *state;
	struct stat st;

	assert_int_equal(fstat(deb, &st), 0);
	/* The last bytes pad the archive. */
	for (off_t len = st.st_size - 16; len >= 0; len -= 7) {
		struct varve_error err = {0};

		assert_int_equal(ftruncate(deb, len), 0);
		if (deb_unpack(deb, s->fd, &owners_root, &err) == 0)
			fail_msg("taken for whole after %lld of %lld bytes", (long long)len,
				 (long long)st.st_size);
		assert_int_not_equal(err.text[0], 0);
	}
}

/* --- control
 * --------------------------------------------------------------------------------------- */

static void test_control(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		CLEANUP(fd_close) int deb = make_deb(ordinary, &compressions[i]);
		CLEANUP(buf_release) struct buf all = BUF_INIT;
		CLEANUP(buf_release) struct buf needs = BUF_INIT;
		CLEANUP(buf_release) struct buf none = BUF_INIT;

		assert_int_equal(deb_control(deb, &all, NULL), 0);
		assert_string_equal(all.data, control_text);
		assert_int_equal(deb_control_field(deb, "Pre-Depends", &needs, NULL), 0);
		assert_string_equal(needs.data, "libc6 (>= 2), libx");
		assert_int_equal(deb_control_field(deb, "Depends", &none, NULL), 0);
		assert_int_equal(none.len, 0);
	}
}

static void test_no_package(void **state)
{
	static const char *const texts[] = {"", "!<arch>\n", "<html>not found</html>",
					    "!<arch>\nxx"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(fd_close) int fd = memfd_create("deb", MFD_CLOEXEC);
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		struct varve_error err = {0};

		assert_int_equal(fd_write_all(fd, texts[i], strlen(texts[i])), 0);
		assert_int_equal(deb_control(fd, &out, &err), -VARVE_E_FORMAT);
		assert_int_not_equal(err.text[0], 0);
	}
}

static void test_field(void **state)
{
	static const struct {
		const char *field, *value; /* NULL: not there */
	} fields[] = {
		{"Package", "demo"},
		{"package", "demo"},
		{"Version", "1.0"},
		{"Pre", NULL},
		{"Description", "short long . longer"},
		{"long", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		CLEANUP(buf_release) struct buf value = BUF_INIT;
		bool found = deb_stanza_field(control_text, fields[i].field, &value);

		assert_int_equal(found, fields[i].value != NULL);
		assert_string_equal(buf_text(&value), fields[i].value ? fields[i].value : "");
	}
	/* The next stanza's is not this one's. */
	assert_false(
		deb_stanza_field("Package: a\n\nVersion: 1\n", "Version", &(struct buf)BUF_INIT));
}

static void test_decompress_limit(void **state)
{
	CLEANUP(fd_close) int from = memfd_create("from", MFD_CLOEXEC);
	CLEANUP(fd_close) int to = memfd_create("to", MFD_CLOEXEC);
	struct varve_error err = {0};

	(void)state;
	assert_int_equal(fd_write_all(from, "0123456789", 10) | lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(deb_decompress(from, to, 10, &err), 0);
	assert_int_equal(lseek(to, 0, SEEK_END), 10);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(deb_decompress(from, to, 9, &err), -VARVE_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_unpack),      SCRATCH_TEST(test_unpack_over),
		SCRATCH_TEST(test_hostile),     SCRATCH_TEST(test_cut),
		cmocka_unit_test(test_control), cmocka_unit_test(test_no_package),
		cmocka_unit_test(test_field),   cmocka_unit_test(test_decompress_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
