/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "store/store_batch.h"
#include "store_fixture.h"

enum { MANY = 300, DIFFERENT = 270, TEXT = 32 }; /* more than are open at a time */

static struct varve_descriptor add(struct store_batch *batch, const char *text)
{
	struct varve_descriptor ret = {.media_type = VARVE_MEDIA_MANIFEST};
	struct buf bytes = BUF_INIT;

	buf_addstr(&bytes, text);
	store_batch_add(batch, &bytes, &ret);
	return ret;
}

static const char *number(size_t i, char text[TEXT])
{
	(void)snprintf(text, TEXT, "document %zu", i % DIFFERENT);
	return text;
}

static void write_all(struct store_batch *batch, const struct fixture *f)
{
	struct varve_error err = {0};

	if (store_batch_write(batch, f->store, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_has(const struct fixture *f, const char *text)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	struct varve_digest digest = fixture_digest(text);

	assert_int_equal(store_blob_read(f->store, &digest, 1 << 20, &bytes, NULL), 0);
	assert_string_equal(buf_text(&bytes), text);
}

static size_t count_names(const struct fixture *f)
{
	CLEANUP(json_decrefp) json_t *index = NULL;

	assert_int_equal(store_index_read(f->store, &index, NULL), 0);
	return json_array_size(json_object_get(index, "manifests"));
}

static void all_is_there_afterwards(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	struct varve_descriptor found, last = {.size = 0};
	char text[TEXT];

	for (size_t i = 0; i < MANY; i++) {
		last = add(&batch, number(i, text));
		store_batch_name(&batch, i % 2 ? "odd" : "even", &last);
	}
	assert_int_equal(count_names(f), 0);
	write_all(&batch, f);
	for (size_t i = 0; i < DIFFERENT; i++)
		assert_has(f, number(i, text));
	assert_int_equal(count_names(f), 2);
	assert_int_equal(store_index_find(f->store, "odd", &found, NULL), 0);
	assert_memory_equal(&found, &last, sizeof(last));
}

static void a_blob_of_another_size_is_replaced(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	struct varve_descriptor one = add(&batch, "whole");
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(fd_close)
	int fd = openat(store_blobs_fd(f->store), varve_digest_hex(&one.digest, hex),
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, "who", 3), 0);
	write_all(&batch, f);
	assert_has(f, "whole");
}

/* Documents go, names wait. */
static void what_was_flushed_takes_no_memory(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(store_batch_release) struct store_batch batch = {0};
	struct varve_descriptor one = add(&batch, "first");

	store_batch_name(&batch, "name", &one);
	assert_int_equal(batch.size, strlen("first"));
	assert_int_equal(store_batch_flush(&batch, f->store, NULL), 0);
	assert_int_equal(batch.size + batch.document_count, 0);
	assert_has(f, "first");
	assert_int_equal(count_names(f), 0);
	(void)add(&batch, "second");
	write_all(&batch, f);
	assert_has(f, "second");
	assert_int_equal(count_names(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(all_is_there_afterwards),
		STORE_TEST(a_blob_of_another_size_is_replaced),
		STORE_TEST(what_was_flushed_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
