/* SPDX-License-Identifier: Apache-2.0
 * A store of its own per test: STORE_TEST(f) gives f a struct fixture as *state. Include after
 * <cmocka.h>. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <time.h>
#include "base/digest.h"
#include "scratch.h"
#include "store/store.h"

static const struct owners root_owners __attribute__((unused)) = {.mode = OWNER_ROOT};
static const struct owners subuid_owners __attribute__((unused)) = {.mode = OWNER_SUBUID};

struct fixture {
	struct scratch *scratch; /* holds the directory "store" */
	char *path;
	struct varve_store *store;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct varve_error err = {0};
	void *scratch = NULL;

	assert_int_equal(scratch_setup(&scratch), 0);
	f->scratch = scratch;
	f->path = xasprintf("%s/store", f->scratch->path);
	if (varve_store_open(f->path, &f->store, &err) < 0)
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	void *scratch = f->scratch;

	varve_store_close(f->store);
	free(f->path);
	free(f);
	return scratch_teardown(&scratch);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

static inline struct varve_store *fixture_open(const char *path)
{
	struct varve_store *store = NULL;
	struct varve_error err = {0};

	if (varve_store_open(path, &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static inline struct varve_digest fixture_put(struct varve_store *store, const char *text)
{
	struct varve_digest digest = {{0}};
	struct varve_error err = {0};

	if (store_blob_put(store, text, strlen(text), &digest, &err) < 0)
		fail_msg("%s", err.text);
	return digest;
}

static inline struct varve_digest fixture_digest(const char *text)
{
	struct varve_digest digest;

	digest_bytes(text, strlen(text), &digest);
	return digest;
}

/* A record of the input {"n":text} whose layer's blob holds text; puts the blob. */
static inline struct store_record fixture_record(struct varve_store *store, const char *text)
{
	struct store_record record = {
		.compression = "zstd:3", .compressor = "zstd 1.5", .step = "r/s/t"};
	struct varve_layer layer = {.blob = {.media_type = VARVE_MEDIA_LAYER_ZSTD},
				    .tar_size = 10240,
				    .entry_count = 1};

	record.input = json_object();
	json_set(record.input, "n", json_text(text));
	json_digest(record.input, &record.key);
	layer.blob.digest = fixture_put(store, text);
	layer.blob.size = strlen(text);
	digest_bytes(text, strlen(text) + 1, &layer.diff_id); /* with the NUL: another one */
	layer_list_add(&record.layers, &layer);
	return record;
}

static inline char *fixture_blob_path(const struct varve_digest *digest)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("store/blobs/sha256/%s", varve_digest_hex(digest, hex));
}

static inline void fixture_set_age(const struct fixture *f, const char *path, time_t seconds)
{
	struct timespec times[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};

	assert_int_equal(utimensat(f->scratch->fd, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static inline time_t fixture_mtime(const struct fixture *f, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(f->scratch->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mtime;
}

/* What is wrong with the store, or NULL: every name in it must be of something whole. */
static inline const char *fixture_fault(struct varve_store *store)
{
	CLEANUP(json_decrefp) json_t *index = NULL;
	DIR *dir =
		fdopendir(openat(store_blobs_fd(store), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const char *fault = NULL;

	if (!dir || store_index_read(store, &index, NULL) < 0)
		fault = "index.json does not parse";
	for (struct dirent *e = dir ? readdir(dir) : NULL; e && !fault; e = readdir(dir)) {
		CLEANUP(fd_close)
		int fd = openat(store_blobs_fd(store), e->d_name, O_RDONLY | O_CLOEXEC);
		struct varve_digest want, have = {{0}};

		if (e->d_name[0] == '.' && strlen(e->d_name) < 3)
			continue;
		if (varve_digest_parse_hex(e->d_name, &want) < 0)
			fault = "a name in blobs/sha256 is no digest";
		else if (fd < 0 || digest_fd(fd, &have, NULL) < 0 ||
			 !varve_digest_equal(&want, &have))
			fault = "a blob does not hash to its name";
	}
	if (dir)
		(void)closedir(dir);
	return fault;
}

#endif
