/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include "layer_fixture.h"

struct member {
	mode_t type; /* AE_IF..., 0 ends; AE_IFREG with target: a hard link */
	mode_t mode;
	const char *path, *text;
	const char *link; /* target of a hard link or symlink */
};

struct format {
	const char *name;
	int (*set)(struct archive *a);
	int (*filter)(struct archive *a);
};

static const struct format formats[] = {
	{"tar", archive_write_set_format_pax_restricted, archive_write_add_filter_none},
	{"gnu tar.gz", archive_write_set_format_gnutar, archive_write_add_filter_gzip},
	{"tar.xz", archive_write_set_format_ustar, archive_write_add_filter_xz},
	{"tar.zst", archive_write_set_format_pax, archive_write_add_filter_zstd},
	{"tar.bz2", archive_write_set_format_pax, archive_write_add_filter_bzip2},
	{"zip", archive_write_set_format_zip, archive_write_add_filter_none},
};

static void add_member(struct archive *a, const struct member *m)
{
	struct archive_entry *e = archive_entry_new();
	const size_t size = m->text ? strlen(m->text) : 0;

	archive_entry_set_pathname(e, m->path);
	archive_entry_set_filetype(e, m->type);
	archive_entry_set_perm(e, m->mode);
	archive_entry_set_uid(e, 1234);
	archive_entry_set_mtime(e, 1000000000, 0);
	archive_entry_set_size(e, (la_int64_t)size);
	if (m->type == AE_IFLNK)
		archive_entry_set_symlink(e, m->link);
	else if (m->link)
		archive_entry_set_hardlink(e, m->link);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (size > 0)
		assert_int_equal(archive_write_data(a, m->text, size), size);
	archive_entry_free(e);
}

static int archive_of(const struct format *format, const struct member *members)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);
	struct archive *a = archive_write_new();

	assert_int_equal(format->set(a), ARCHIVE_OK);
	assert_int_equal(format->filter(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (; members->type; members++)
		add_member(a, members);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static const struct member tree[] = {
	{AE_IFDIR, 0700, "top/", NULL},
	{AE_IFREG, 0710, "top/tool", "#!/bin/sh"},
	{AE_IFREG, 0600, "top/sub/text", "hello"},
	{AE_IFREG, 0644, "top/.wh.kept", "x"},
	{AE_IFLNK, 0777, "top/link", NULL, "sub/text"},
	{0},
};

static void formats_and_strip(void **state)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		CLEANUP(fd_close)
		int fd = archive_of(&formats[i], tree), to = tree_new(*state, "to");
		CLEANUP(buf_release) struct buf is = BUF_INIT;
		struct varve_error err = {.code = 0};

		if (layer_unpack_archive(fd, to, 1, &err) < 0)
			fail_msg("%s: %s", formats[i].name, err.text);
		is = tree_dump(to);
		assert_string_equal(is.data, "f 0644 0:0 1000000000 .wh.kept = x\n"
					     "l 0777 0:0 1000000000 link -> sub/text\n"
					     "d 0755 0:0 0 sub\n"
					     "f 0644 0:0 1000000000 sub/text = hello\n"
					     "f 0755 0:0 1000000000 tool = #!/bin/sh\n");
	}
}

static void hard_links(void **state)
{
	static const struct member members[] = {
		{AE_IFREG, 0644, "a", "x"}, {AE_IFREG, 0644, "d/b", NULL, "a"}, {0}};
	CLEANUP(fd_close) int fd = archive_of(&formats[0], members), to = tree_new(*state, "to");
	struct stat st;

	need_root();
	assert_int_equal(layer_unpack_archive(fd, to, 0, NULL), 0);
	assert_int_equal(fstatat(to, "d/b", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
}

static void hostile(void **state)
{
	static const struct member bad[][3] = {
		{{AE_IFREG, 0644, "../canary", "dead"}},
		{{AE_IFREG, 0644, "a/../../canary", "dead"}},
		{{AE_IFREG, 0644, "a", NULL, "../canary"}},
		{{AE_IFLNK, 0777, "l", NULL, ".."}, {AE_IFREG, 0644, "a", NULL, "l/canary"}},
		{{AE_IFCHR, 0644, "device", NULL}},
		{{AE_IFIFO, 0644, "fifo", NULL}},
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(fd_close) int fd = archive_of(&formats[0], bad[i]), to = tree_new(s, "to");
		CLEANUP(free_ptr) char *canary = NULL;
		struct stat st;

		scratch_write(s, "canary", "alive");
		assert_int_equal(layer_unpack_archive(fd, to, 0, NULL), -VARVE_E_FORMAT);
		canary = scratch_read(s, "canary");
		assert_string_equal(canary, "alive");
		assert_int_equal(fstatat(s->fd, "canary", &st, 0), 0);
		assert_int_equal(st.st_nlink, 1);
	}
}

/* Written through a link that leads out: it is followed inside. */
static void absolute_link(void **state)
{
	static const struct member members[] = {
		{AE_IFLNK, 0777, "l", NULL, "/../.."}, {AE_IFREG, 0644, "l/canary", "x"}, {0}};
	CLEANUP(fd_close) int fd = archive_of(&formats[0], members), to = tree_new(*state, "to");
	CLEANUP(buf_release) struct buf is = BUF_INIT;

	need_root();
	assert_int_equal(layer_unpack_archive(fd, to, 0, NULL), 0);
	is = tree_dump(to);
	assert_string_equal(is.data, "f 0644 0:0 1000000000 canary = x\n"
				     "l 0777 0:0 1000000000 l -> /../..\n");
}

static void not_an_archive(void **state)
{
	CLEANUP(fd_close)
	int fd = memfd_create("archive", MFD_CLOEXEC), to = tree_new(*state, "to");
	struct varve_error err = {.code = 0};

	assert_int_equal(fd_write_all(fd, "this is only text\n", 18), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(layer_unpack_archive(fd, to, 0, &err), -VARVE_E_FORMAT);
	assert_non_null(strstr(err.text, "archive: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(formats_and_strip, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(hard_links, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(hostile, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(absolute_link, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(not_an_archive, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
