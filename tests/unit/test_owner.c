/* SPDX-License-Identifier: Apache-2.0
 * Records of owners and devices, on inodes and beside trees. */
#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/strv.h"
#include "scratch.h"

static const struct record_case {
	const char *text;
	bool ok;
	struct owner_record record;
} record_cases[] = {
	{"5:6", true, {.owned = true, .uid = 5, .gid = 6}},
	{"0:0", true, {.owned = true}},
	{"4294967295:1", true, {.owned = true, .uid = UINT32_MAX, .gid = 1}},
	{"c1:3", true, {.device = true, .type = S_IFCHR}},
	{"7:8b259:70000",
	 true,
	 {.owned = true, .device = true, .uid = 7, .gid = 8, .type = S_IFBLK}},
	{"c0:0", true, {.device = true, .type = S_IFCHR}},
	{"", true, {.owned = false}},
	{"5", false, {0}},
	{"5:", false, {0}},
	{":5", false, {0}},
	{"05:6", false, {0}},
	{"5:6 ", false, {0}},
	{"5:6d1:1", false, {0}},
	{"c1", false, {0}},
	{"4294967296:1", false, {0}},
	{"99999999999999999999999:1", false, {0}},
	{"5:6c1:3x", false, {0}},
	{"-1:1", false, {0}},
};

static void records(void **state)
{
	char text[OWNER_RECORD_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(record_cases); i++) {
		const struct record_case *c = &record_cases[i];
		struct owner_record record = {.uid = 77};

		if (owner_record_parse(c->text, strlen(c->text), &record) != c->ok)
			fail_msg("%s", c->text);
		if (!c->ok) {
			assert_int_equal(record.uid, 77);
			continue;
		}
		assert_int_equal(record.owned, c->record.owned);
		assert_int_equal(record.device, c->record.device);
		assert_int_equal(record.uid, c->record.uid);
		assert_int_equal(record.gid, c->record.gid);
		assert_int_equal(record.type, c->record.type);
		assert_int_equal(owner_record_format(&record, text), strlen(c->text));
		assert_string_equal(text, c->text);
	}
	assert_false(owner_record_parse("5:6\0", 4, &(struct owner_record){0}));
}

static void make(int dirfd, const char *name, mode_t type)
{
	CLEANUP(fd_close) int fd = -1;

	if (S_ISDIR(type))
		assert_int_equal(mkdirat(dirfd, name, 0755), 0);
	else if (S_ISLNK(type))
		assert_int_equal(symlinkat("x", dirfd, name), 0);
	else if (S_ISFIFO(type))
		assert_int_equal(mkfifoat(dirfd, name, 0644), 0);
	else
		assert_true((fd = openat(dirfd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0444)) >= 0);
}

static const struct {
	const char *name;
	mode_t type;
} kinds[] = {{"f", S_IFREG}, {"d", S_IFDIR}, {"l", S_IFLNK}, {"p", S_IFIFO}};

static void assert_owner(const struct owners *owners, int dirfd, const char *name, uid_t uid,
			 gid_t gid)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(owner_read(owners, dirfd, name, &st), 0);
	if (st.st_uid != uid || st.st_gid != gid)
		fail_msg("%s: %u:%u", name, st.st_uid, st.st_gid);
}

/* Written, read, listed beside the tree and read again by another process's table. */
static void one_id(void **state)
{
	const struct scratch *s = *state;
	struct owners owners = {OWNER_ONE, false, owner_links_new()};
	struct owners others = {OWNER_ONE, false, owner_links_new()};
	CLEANUP(strv_release) struct strv list = STRV_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		make(s->fd, kinds[i].name, kinds[i].type);
		assert_owner(&owners, s->fd, kinds[i].name, 0, 0);
		assert_int_equal(owner_write(&owners, s->fd, kinds[i].name, 5, 6), 0);
		assert_owner(&owners, s->fd, kinds[i].name, 5, 6);
	}
	make(s->fd, "d/l", S_IFLNK);
	assert_int_equal(owner_write(&owners, s->fd, "d/l", 7, 8), 0);
	assert_int_equal(owner_links_list(owners.links, s->fd, &list), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[0], "7:8 d/l");
	assert_string_equal(list.items[1], "5:6 l");
	assert_string_equal(list.items[2], "5:6 p");
	strv_add(&list, "1:1 not-there");
	assert_int_equal(owner_links_load(others.links, s->fd, &list), 0);
	assert_owner(&others, s->fd, "d/l", 7, 8);
	assert_owner(&others, s->fd, "f", 5, 6);
	assert_int_equal(owner_write(&owners, s->fd, "l", 0, 0), 0);
	assert_owner(&owners, s->fd, "l", 0, 0);
	owner_links_free(owners.links);
	owner_links_free(others.links);
}

static void bad_lists(void **state)
{
	static const char *const bad[] = {"", "5", "5:6", "x:6 l", "5:6"};
	const struct scratch *s = *state;
	struct owner_links *links = owner_links_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(strv_release) struct strv list = STRV_INIT;

		strv_add(&list, bad[i]);
		assert_int_equal(owner_links_load(links, s->fd, &list), -EBADMSG);
	}
	owner_links_free(links);
}

static void devices(void **state)
{
	const struct scratch *s = *state;
	const struct owners many = {.mode = OWNER_SUBUID};
	struct stat st;

	assert_int_equal(owner_make_device(s->fd, "c", S_IFCHR | 0640, makedev(1, 3)), 0);
	assert_int_equal(owner_make_device(s->fd, "c", S_IFCHR | 0640, makedev(1, 3)), -EEXIST);
	assert_int_equal(fstatat(s->fd, "c", &st, 0), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(owner_read(&many, s->fd, "c", &st), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0640);
	assert_true(st.st_rdev == makedev(1, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test_setup_teardown(one_id, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(bad_lists, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(devices, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
