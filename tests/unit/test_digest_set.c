/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "store/digest_set.h"

enum { MANY = 1000 };

static struct varve_digest number(unsigned n)
{
	struct varve_digest digest;

	digest_bytes(&n, sizeof(n), &digest);
	return digest;
}

static void members_are_found_whatever_the_size(void **state)
{
	CLEANUP(digest_set_release) struct digest_set set = DIGEST_SET_INIT;

	(void)state;
	for (unsigned n = 0; n < MANY; n++) {
		struct varve_digest digest = number(n);

		assert_false(digest_set_has(&set, &digest));
		assert_true(digest_set_add(&set, &digest));
		assert_false(digest_set_add(&set, &digest));
	}
	assert_int_equal(set.count, MANY);
	for (unsigned n = 0; n < 2 * MANY; n++) {
		struct varve_digest digest = number(n);

		assert_int_equal(digest_set_has(&set, &digest), n < MANY);
	}
}

/* The hash is the first bytes: digests that share them are told apart by the rest. */
static void equal_beginnings_are_told_apart(void **state)
{
	CLEANUP(digest_set_release) struct digest_set set = DIGEST_SET_INIT;
	struct varve_digest digest = {{1}};

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		digest.bytes[31] = (unsigned char)n;
		assert_true(digest_set_add(&set, &digest));
	}
	digest.bytes[31] = 200;
	assert_false(digest_set_has(&set, &digest));
	digest.bytes[31] = 7;
	assert_true(digest_set_has(&set, &digest));
}

static void no_digest_is_no_member(void **state)
{
	CLEANUP(digest_set_release) struct digest_set set = DIGEST_SET_INIT;
	struct varve_digest none = {{0}}, other = {{1}};

	(void)state;
	assert_false(digest_set_add(&set, &none));
	assert_false(digest_set_has(&set, &none));
	assert_true(digest_set_add(&set, &other));
	assert_false(digest_set_has(&set, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_whatever_the_size),
		cmocka_unit_test(equal_beginnings_are_told_apart),
		cmocka_unit_test(no_digest_is_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
