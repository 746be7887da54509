/* SPDX-License-Identifier: Apache-2.0
 * The digest of a file that grows, and of one that is shorter than was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/hash_beside.h"

enum { LARGE = 65 << 20, PIECE = 300001 };

static void assert_hashes(struct hash_beside *h, int fd, size_t size, size_t on_disk)
{
	CLEANUP(free_ptr) char *bytes = xcalloc(1, size + 1);
	struct varve_digest want, have;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (size_t at = 0; at < size; at += PIECE) {
		size_t len = size - at < PIECE ? size - at : PIECE;

		if (at + len <= on_disk)
			assert_int_equal(pwrite(fd, bytes + at, len, (off_t)at), (ssize_t)len);
		hash_beside_update(h, bytes + at, len);
	}
	hash_beside_final(h, &have);
	digest_bytes(bytes, size, &want);
	assert_int_equal(varve_digest_equal(&want, &have), size == on_disk);
}

static void files_of_all_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, PIECE, 5 * PIECE + 3, LARGE, LARGE + 1};
	CLEANUP(fd_close) int fd = memfd_create("blob", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(hash_beside_freep)
		struct hash_beside *h = hash_beside_new(sizes[i], HASH_BESIDE_LARGE);

		hash_beside_file(h, fd);
		assert_hashes(h, fd, sizes[i], sizes[i]);
		assert_hashes(h, fd, sizes[i], sizes[i]); /* from the start again */
	}
}

static void a_file_that_ends_early(void **state)
{
	CLEANUP(fd_close) int fd = memfd_create("blob", MFD_CLOEXEC);
	CLEANUP(hash_beside_freep)
	struct hash_beside *h = hash_beside_new(LARGE, HASH_BESIDE_LARGE);

	(void)state;
	hash_beside_file(h, fd);
	assert_hashes(h, fd, LARGE, LARGE / 2);
	assert_hashes(h, fd, LARGE, LARGE);
}

static void one_that_is_not_ended(void **state)
{
	CLEANUP(fd_close) int fd = memfd_create("blob", MFD_CLOEXEC);
	CLEANUP(hash_beside_freep)
	struct hash_beside *h = hash_beside_new(LARGE, HASH_BESIDE_LARGE);
	static const char bytes[PIECE];

	(void)state;
	hash_beside_file(h, fd);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(write(fd, bytes, PIECE), PIECE);
		hash_beside_update(h, bytes, PIECE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_all_sizes),
		cmocka_unit_test(a_file_that_ends_early),
		cmocka_unit_test(one_that_is_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
