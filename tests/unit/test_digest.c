/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "scratch.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" /* of 'a' */

static void assert_hex(const struct varve_digest *digest, const char *hex)
{
	char buffer[VARVE_DIGEST_HEX];

	assert_string_equal(varve_digest_hex(digest, buffer), hex);
}

static void known_digests(void **state)
{
	struct varve_digest digest;

	(void)state;
	digest_bytes("", 0, &digest);
	assert_hex(&digest, EMPTY);
	digest_bytes("abc", 3, &digest);
	assert_hex(&digest, ABC);
}

static void hasher_takes_pieces_and_messages(void **state)
{
	CLEANUP(hasher_freep) struct hasher *h = hasher_new();
	struct varve_digest digest;
	char block[1000];

	(void)state;
	memset(block, 'a', sizeof(block));
	for (int i = 0; i < 1000; i++)
		hasher_update(h, block, sizeof(block));
	hasher_final(h, &digest);
	assert_hex(&digest, MILLION);
	/* final has reset it */
	hasher_update(h, "a", 1);
	hasher_update(h, "", 0);
	hasher_update(h, "bc", 2);
	hasher_final(h, &digest);
	assert_hex(&digest, ABC);
}

/* Saved after any count of bytes, another hasher goes on. */
static void hasher_goes_on(void **state)
{
	CLEANUP(hasher_freep) struct hasher *first = hasher_new(), *second = hasher_new();
	struct hasher_state saved, again;
	struct varve_digest digest, wanted;
	char data[300];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	digest_bytes(data, sizeof(data), &wanted);
	for (size_t at = 0; at <= sizeof(data); at++) {
		hasher_update(first, data, at);
		hasher_save(first, &saved);
		assert_int_equal(saved.length, at);
		hasher_final(first, &digest);
		hasher_update(second, "rubbish", 7);
		hasher_load(second, &saved);
		hasher_save(second, &again);
		assert_memory_equal(&saved, &again, sizeof(saved));
		hasher_update(second, data + at, sizeof(data) - at);
		hasher_final(second, &digest);
		assert_true(varve_digest_equal(&digest, &wanted));
	}
	/* Lengths that need both halves of the count of bits. */
	saved = (struct hasher_state){.length = 3ULL << 40 | 64};
	hasher_load(second, &saved);
	hasher_save(second, &again);
	assert_memory_equal(&saved, &again, sizeof(saved));
}

static void digest_of_a_file(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int fd = -1;
	struct varve_digest digest;
	uint64_t size = 0;

	scratch_write(s, "f", "xxabc");
	fd = openat(s->fd, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
	assert_int_equal(digest_fd(fd, &digest, &size), 0);
	assert_int_equal(size, 3);
	assert_hex(&digest, ABC);
	assert_int_equal(digest_fd(fd, &digest, NULL), 0);
	assert_hex(&digest, EMPTY);
	assert_true(digest_fd(s->fd, &digest, NULL) < 0);
}

static void text_is_parsed_strictly(void **state)
{
	static const struct {
		const char *text;
		int result;
	} table[] = {
		{"sha256:" ABC, 0},
		{ABC, -VARVE_E_FORMAT},
		{"", -VARVE_E_FORMAT},
		{"sha256:", -VARVE_E_FORMAT},
		{"SHA256:" ABC, -VARVE_E_FORMAT},
		{"sha256:" ABC "0", -VARVE_E_FORMAT},
		{"sha256:" ABC "\n", -VARVE_E_FORMAT},
		{"sha256:Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 -VARVE_E_FORMAT},
		{"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 -VARVE_E_FORMAT},
		{"sha256:a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 -VARVE_E_FORMAT},
		{"sha512:" ABC, -VARVE_E_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct varve_digest digest = {{1}};
		char buffer[VARVE_DIGEST_TEXT];

		assert_int_equal(varve_digest_parse(table[i].text, &digest), table[i].result);
		if (table[i].result == 0)
			assert_string_equal(varve_digest_text(&digest, buffer), table[i].text);
		else
			assert_int_equal(digest.bytes[0], 1); /* untouched */
	}
}

static void values_compare(void **state)
{
	struct varve_digest none = {{0}}, a, b;

	(void)state;
	assert_true(varve_digest_is_none(&none));
	assert_int_equal(varve_digest_parse_hex(ABC, &a), 0);
	assert_int_equal(varve_digest_parse_hex(EMPTY, &b), 0);
	assert_false(varve_digest_is_none(&a));
	assert_true(varve_digest_equal(&a, &a));
	assert_false(varve_digest_equal(&a, &b));
	assert_true(varve_digest_compare(&a, &b) < 0);
	assert_true(varve_digest_compare(&b, &a) > 0);
	assert_int_equal(varve_digest_compare(&b, &b), 0);
	none.bytes[VARVE_DIGEST_SIZE - 1] = 1;
	assert_false(varve_digest_is_none(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_digests),
		cmocka_unit_test(hasher_takes_pieces_and_messages),
		cmocka_unit_test(hasher_goes_on),
		SCRATCH_TEST(digest_of_a_file),
		cmocka_unit_test(text_is_parsed_strictly),
		cmocka_unit_test(values_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
