/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "image/image.h"

static const char *const good[] = {
	"hello",
	"hello:1",
	"hello:V1.0_rc-2",
	"a/b/c:latest",
	"docker.io/library/debian:bookworm",
	"localhost/x",
	"localhost:5000/x/y:z",
	"Registry.Example.org/x",
	"registry.example.org:443/a_b/c__d/e-f/g---h/i.j",
	"[::1]:5000/x",
	"127.0.0.1:5000/x:1",
	"a-b/c",
};

static const struct {
	const char *name, *why;
} bad[] = {
	{"", "empty"},
	{"Hello", "upper case"},
	{"foo/Bar:X", "write \"foo/bar:x\""},
	{"a//b", "a part of the path is empty"},
	{"/a", "empty"},
	{"a/", "a part of the path is empty"},
	{"a_", "between"},
	{"a___b", "between"},
	{"a..b", "between"},
	{"a b", "between"},
	{"-a", "between"},
	{"a:", "the tag after \":\" is empty"},
	{"a:-x", "not at its start"},
	{"a:b:c", "the tag may hold"},
	{"a:\x1b", "the tag may hold"},
	{"a@sha256:00", "digest"},
	{"ex..ample/x", "no HOST"},
	{"example.org:/x", "no HOST"},
	{"example.org:123456/x", "no HOST"},
	{"example.org:8o/x", "no HOST"},
	{"-ex.org/x", "no HOST"},
	{"ex-.org/x", "no HOST"},
	{"[::1/x", "no HOST"},
	{"localhost/", "a part of the path is empty"},
};

static void accepts_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct varve_error err = {0};

		if (image_name_check(good[i], &err) != 0)
			fail_msg("%s: %s", good[i], err.text);
	}
}

static void refuses_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct varve_error err = {0};

		if (image_name_check(bad[i].name, &err) != -VARVE_E_USAGE)
			fail_msg("\"%s\" was accepted", bad[i].name);
		if (!strstr(err.text, bad[i].why))
			fail_msg("\"%s\": %s", bad[i].name, err.text);
	}
}

static void checks_lengths(void **state)
{
	char name[400];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	assert_int_equal(image_name_check(name, NULL), 0);
	name[255] = 'a';
	name[256] = '\0';
	assert_int_equal(image_name_check(name, NULL), -VARVE_E_USAGE);
	name[256] = 'a';
	name[1] = ':';
	name[130] = '\0';
	assert_int_equal(image_name_check(name, NULL), 0);
	name[130] = 'a';
	name[131] = '\0';
	assert_int_equal(image_name_check(name, NULL), -VARVE_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_names),
		cmocka_unit_test(refuses_names),
		cmocka_unit_test(checks_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
