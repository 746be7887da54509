/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "image/image.h"

static const struct {
	const char *text;
	enum image_transport transport;
	const char *path, *name;
} good[] = {
	{"oci:out", IMAGE_OCI, "out", NULL},
	{"oci:/a/b:v1", IMAGE_OCI, "/a/b", "v1"},
	{"oci:out:example.org:5000/A/b:V1", IMAGE_OCI, "out", "example.org:5000/A/b:V1"},
	{"oci-archive:x.tar", IMAGE_OCI_ARCHIVE, "x.tar", NULL},
	{"oci-archive:x.tar:a--b", IMAGE_OCI_ARCHIVE, "x.tar", "a--b"},
	{"docker-archive:x.tar:hello:1", IMAGE_DOCKER_ARCHIVE, "x.tar", "hello:1"},
	{"dir:a:b", IMAGE_DIR, "a:b", NULL},
};

static const struct {
	const char *text, *why;
} bad[] = {
	{"out", "oci-archive:FILE[:name]"},
	{"docker://x", "dir:DIR"},
	{"", "is no output"},
	{"oci:", "the path is missing"},
	{"oci::x", "the path is missing"},
	{"dir:", "the path is missing"},
	{"oci:x:", "cannot be a reference name"},
	{"oci:x:-a", "cannot be a reference name"},
	{"oci:x:a-", "cannot be a reference name"},
	{"oci:x:a---b", "cannot be a reference name"},
	{"oci:x:a b", "cannot be a reference name"},
	{"oci-archive:x:a//b", "cannot be a reference name"},
	{"docker-archive:x:Hello", "upper case"},
};

static void reads_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(image_target_release) struct image_target target = {0};
		struct varve_error err = {0};

		if (image_target_parse(good[i].text, &target, &err) != 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(target.transport, good[i].transport);
		assert_string_equal(target.path, good[i].path);
		assert_true(str_equal(target.name, good[i].name));
	}
}

static void refuses_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_target target = {0};
		struct varve_error err = {0};

		if (image_target_parse(bad[i].text, &target, &err) != -VARVE_E_USAGE)
			fail_msg("\"%s\" was accepted", bad[i].text);
		if (!strstr(err.text, bad[i].why))
			fail_msg("\"%s\": %s", bad[i].text, err.text);
		assert_null(target.path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_targets),
		cmocka_unit_test(refuses_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
