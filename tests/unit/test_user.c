/* SPDX-License-Identifier: Apache-2.0
 * Users of an image, looked up in its own passwd and group. */
#include "build/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <varve/error.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "app:x:1000:1001:An App,,,:/home/app:/bin/sh\n"
			     "broken:x:one:1\n"
			     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n";
static const char group[] = "root:x:0:\n"
			    "app:x:1001:\n"
			    "video:x:44:www-data,app\n"
			    "staff:x:50:appendix\n";

static const struct {
	const char *text;
	uint32_t uid, gid;
	const char *home, *groups;
} found[] = {
	{"", 0, 0, "/root", ""},
	{"0:0", 0, 0, "/root", ""},
	{"root", 0, 0, "/root", ""},
	{"app", 1000, 1001, "/home/app", "44"},
	{"1000", 1000, 1001, "/home/app", ""},
	{"app:staff", 1000, 50, "/home/app", "44"},
	{"app:7", 1000, 7, "/home/app", "44"},
	{"4242", 4242, 0, "/", ""},
	{"4242:4243", 4242, 4243, "/", ""},
};

static void test_found(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(found); i++) {
		CLEANUP(user_release) struct user user = {0};
		CLEANUP(free_ptr) char *groups = NULL;

		assert_int_equal(user_parse(found[i].text, passwd, group, &user, NULL), 0);
		groups = strv_join(&user.groups, ",");
		assert_int_equal(user.uid, found[i].uid);
		assert_int_equal(user.gid, found[i].gid);
		assert_string_equal(user.home, found[i].home);
		assert_string_equal(groups, found[i].groups);
	}
}

static void test_missing(void **state)
{
	static const char *const texts[] = {"nobody", "app:nogroup", "broken",
					    "-1",     "4294967295",  "1000:x y"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct user user = {0};
		struct varve_error err = {0};

		assert_int_equal(user_parse(texts[i], passwd, group, &user, &err), -VARVE_E_STEP);
		assert_non_null(strstr(err.text, "is not in the image's"));
		user_release(&user);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
