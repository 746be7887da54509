/* SPDX-License-Identifier: Apache-2.0
 * Directories as local sources, for the tests of their digests and of their copies. */
#ifndef TESTS_LOCAL_FIXTURE_H
#define TESTS_LOCAL_FIXTURE_H

#include <errno.h>
#include <time.h>
#include "source/source.h"
#include "store_fixture.h"

/* sha256 of "", "a", "b". */
#define NONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define A "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

static inline void make_dir(const struct fixture *f, const char *path)
{
	assert_int_equal(fd_mkdir_p(f->scratch->fd, path, 0755), 0);
}

static inline void write_file(const struct fixture *f, const char *path, const char *text)
{
	scratch_write(f->scratch, path, text);
}

static inline void set_mode(const struct fixture *f, const char *path, mode_t mode)
{
	assert_int_equal(fchmodat(f->scratch->fd, path, mode, 0), 0);
}

static inline void make_link(const struct fixture *f, const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, f->scratch->fd, path), 0);
}

static inline json_t *spec_of(const char *path, const char *ignore)
{
	json_t *spec = json_object();

	json_set(spec, "kind", json_text("local"));
	json_set(spec, "path", json_text(path));
	json_set(spec, "ignore", json_text(ignore));
	return spec;
}

static inline struct source_context context_of(const struct fixture *f)
{
	return (struct source_context){.store = f->store, .directory = f->scratch->path};
}

static inline int try_digest(const struct fixture *f, const char *path, const char *ignore,
			     struct varve_digest *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *spec = spec_of(path, ignore);
	struct source_context context = context_of(f);

	return source_local_digest(&context, spec, ret, NULL, err);
}

static inline struct varve_digest digest_of(const struct fixture *f, const char *path)
{
	struct varve_digest digest = {{0}};
	struct varve_error err = {0};

	if (try_digest(f, path, "", &digest, &err) < 0)
		fail_msg("%s", err.text);
	return digest;
}

static inline void keep_listing_path(const struct varve_digest *digest, char path[128])
{
	char hex[VARVE_DIGEST_HEX];

	snprintf(path, 128, "store/facts/listing-%s", varve_digest_hex(digest, hex));
}

/* Two seconds after a change a file is remembered. */
static inline void wait_until_old(void)
{
	const struct timespec time = {2, 50000000};

	assert_int_equal(nanosleep(&time, NULL), 0);
}

static inline void set_times(const struct fixture *f, const char *path, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	assert_int_equal(utimensat(f->scratch->fd, path, times, 0), 0);
}

static inline struct stat stat_of(const struct fixture *f, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(f->scratch->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

#endif
