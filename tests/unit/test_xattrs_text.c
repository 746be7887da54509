/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/xattrs_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_xattr.h"

static void writes_names_and_values(void **state)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	CLEANUP(free_ptr) char *none = xattrs_text(&xattrs);
	CLEANUP(free_ptr) char *text = NULL;
	char large[XATTRS_VALUE_MAX] = {0};

	(void)state;
	assert_string_equal(none, "");
	layer_xattrs_add(&xattrs, "user.a b%", "\1\xff", 2);
	layer_xattrs_add(&xattrs, "user.empty", "", 0);
	layer_xattrs_add(&xattrs, "user.large", large, sizeof(large));
	text = xattrs_text(&xattrs);
	assert_string_equal(text,
			    "user.a%20b%25=01ff user.empty= user.large=sha256:"
			    "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

static void walks_two_by_name(void **state)
{
	static const struct {
		const char *a, *b, *walked;
	} cases[] = {
		{"", "", ""},
		{"x=1", "", "x:1,-;"},
		{"", "x=1", "x:-,1;"},
		{"x=1 z=", "x=2 y=3", "x:1,2;y:-,3;z:,-;"},
		{"ab=1", "a=2 abc=3", "a:-,2;ab:1,-;abc:-,3;"},
		{"broken", "broken=1", "broken:,1;"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_release) struct buf walked = BUF_INIT;
		CLEANUP(xattrs_step_release)
		struct xattrs_step step = {.a_next = cases[i].a, .b_next = cases[i].b};

		while (xattrs_next(&step))
			buf_addf(&walked, "%s:%s,%s;", step.name, step.a ? step.a : "-",
				 step.b ? step.b : "-");
		assert_string_equal(buf_text(&walked), cases[i].walked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_names_and_values),
		cmocka_unit_test(walks_two_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
