/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/path.h"
#include "net/http.h"
#include "source/source_kind.h"
#include "store_fixture.h"

/* What a download was told of. */
struct told {
	unsigned times;
	uint64_t done, total;
};

static void note(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	struct told *told = cookie;

	assert_string_equal(what, "test");
	assert_true(done >= told->done);
	told->times++;
	told->done = done;
	told->total = total;
}

static void context_release(struct source_context *context)
{
	http_freep(&context->http);
}

static struct source_context context_of(const struct fixture *f)
{
	return (struct source_context){.store = f->store, .directory = f->scratch->path};
}

/* A file of the scratch directory, to be fetched. Its url is to be freed. */
static struct source_download file_of(const struct fixture *f, const char *name,
				      const struct varve_digest *want, size_t size)
{
	return (struct source_download){.url = xasprintf("file://%s/%s", f->scratch->path, name),
					.want = want,
					.size = size,
					.limit = 1 << 20};
}

static char *partial_of(const struct varve_digest *digest)
{
	char hex[VARVE_DIGEST_HEX];

	return xasprintf("store/uploads/fetch-%s", varve_digest_hex(digest, hex));
}

static size_t uploads(const struct fixture *f)
{
	DIR *dir = fdopendir(openat(f->scratch->fd, "store/uploads", O_RDONLY | O_DIRECTORY));
	size_t count = 0;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		count += e->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return count;
}

static int fetch_one(const struct fixture *f, struct source_download *download,
		     struct varve_error *err)
{
	CLEANUP(context_release) struct source_context context = context_of(f);

	return source_download(&context, download, 1, "test", err);
}

/* --- one file ------------------------------------------------------------------------------------
 */

static void files_become_blobs(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest want = fixture_digest("known"), other = fixture_digest("any");
	struct source_download downloads[] = {file_of(f, "a", &want, 5), file_of(f, "b", NULL, 0)};
	CLEANUP(context_release) struct source_context context = context_of(f);
	struct told told = {0};
	struct varve_error err = {0};

	scratch_write(f->scratch, "a", "known");
	scratch_write(f->scratch, "b", "any");
	context.progress = note;
	context.cookie = &told;
	if (source_download(&context, downloads, 2, "test", &err) < 0)
		fail_msg("%s", err.text);
	assert_true(varve_store_has_blob(f->store, &want, NULL));
	assert_true(varve_store_has_blob(f->store, &other, NULL));
	assert_true(varve_digest_equal(&downloads[0].got, &want));
	assert_true(varve_digest_equal(&downloads[1].got, &other));
	assert_int_equal(downloads[1].got_size, 3);
	assert_int_equal(uploads(f), 0);
	assert_null(fixture_fault(f->store));
	assert_in_range(told.times, 1, 2);
	assert_int_equal(told.total, 5);
	assert_int_equal(told.done, 8);
	free(downloads[0].url);
	free(downloads[1].url);
}

struct case_of_failure {
	const char *name, *text; /* what lies there; NULL: nothing */
	const char *wanted; /* what is expected to */
	size_t size, limit;
	int code;
};

static const struct case_of_failure failures[] = {
	{"other bytes", "hellO", "hello", 5, 0, -VARVE_E_DIGEST},
	{"other bytes, size unknown", "hello world", "hello", 0, 100, -VARVE_E_DIGEST},
	{"more bytes", "hello world", "hello", 5, 0, -VARVE_E_DIGEST},
	{"past the limit", "hello", "hello", 0, 4, -VARVE_E_LIMIT},
	{"nothing", NULL, "hello", 5, 0, -VARVE_E_NOT_FOUND},
};

static void what_is_wrong_leaves_nothing(void **state)
{
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		const struct case_of_failure *c = &failures[i];
		struct varve_digest want = fixture_digest(c->wanted);
		struct source_download download = file_of(f, "file", &want, c->size);
		struct varve_error err = {0};
		int r;

		print_message("# %s\n", c->name);
		if (c->text)
			scratch_write(f->scratch, "file", c->text);
		else
			(void)unlinkat(f->scratch->fd, "file", 0);
		download.limit = c->limit;
		r = fetch_one(f, &download, &err);
		free(download.url);
		assert_int_equal(r, c->code);
		assert_non_null(strstr(err.text, "file"));
		assert_false(varve_store_has_blob(f->store, &want, NULL));
		assert_int_equal(uploads(f), 0);
		assert_null(fixture_fault(f->store));
	}
}

static void paths_are_escaped(void **state)
{
	static const char *const names[] = {"plain", "a b",         "50%25",
					    "q?x#y", "f\xc3\xbcnf", "[1]+"};
	const struct fixture *f = *state;
	struct source_context context = context_of(f);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_ptr) char *path = path_join(f->scratch->path, names[i]);
		struct varve_digest want = fixture_digest(names[i]);
		struct source_download relative = {.url = source_href_url(&context, names[i])};
		struct source_download absolute = {.url = source_href_url(&context, path)};
		struct varve_error err = {0};

		scratch_write(f->scratch, names[i], names[i]);
		if (fetch_one(f, &relative, &err) < 0 || fetch_one(f, &absolute, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(varve_digest_equal(&relative.got, &want));
		assert_true(varve_digest_equal(&absolute.got, &want));
		free(relative.url);
		free(absolute.url);
	}
}

static void no_connection_is_made_offline(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(context_release) struct source_context context = context_of(f);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_digest want = fixture_digest("hello");
	struct source_download download = file_of(f, "file", &want, 5);
	struct varve_error err = {0};

	scratch_write(f->scratch, "file", "hello");
	context.offline = true;
	assert_int_equal(source_download(&context, &download, 1, "test", &err), -VARVE_E_LOCK);
	assert_non_null(strstr(err.text, "--offline"));
	assert_non_null(strstr(err.text, "/file"));
	assert_int_equal(source_download_text(&context, download.url, 100, &text, &err),
			 -VARVE_E_LOCK);
	assert_null(context.http);
	assert_int_equal(source_download(&context, &download, 0, "test", &err), 0);
	free(download.url);
}

static void texts_are_limited(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(context_release) struct source_context context = context_of(f);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf none = BUF_INIT;
	CLEANUP(free_ptr) char *url = xasprintf("file://%s/file", f->scratch->path);
	struct varve_error err = {0};

	scratch_write(f->scratch, "file", "hello");
	assert_int_equal(source_download_text(&context, url, 5, &text, &err), 0);
	assert_string_equal(buf_text(&text), "hello");
	assert_int_equal(source_download_text(&context, url, 4, &none, &err), -VARVE_E_LIMIT);
	assert_int_equal(uploads(f), 0);
}

/* --- taken up again ------------------------------------------------------------------------------
 */

struct case_of_partial {
	const char *name, *text;
	bool gone; /* the server no longer has it: what lies there is all there is */
	mode_t mode;
};

static const struct case_of_partial partials[] = {
	{"its start", "hel", false, 0644},    {"another file's start", "xyz", false, 0644},
	{"all of it", "hello", true, 0644},   {"as many other bytes", "jello", false, 0644},
	{"more", "hello world", false, 0644}, {"nothing", "", false, 0644},
	{"read-only", "hello", false, 0444}, /* stops everybody but root */
};

static void fetch_partial(const struct fixture *f, const struct case_of_partial *c)
{
	struct varve_digest want = fixture_digest("hello");
	CLEANUP(free_ptr) char *partial = partial_of(&want);
	struct source_download download = file_of(f, "file", &want, 5);
	struct varve_error err = {0};
	int r;

	assert_int_equal(fd_mkdir_p(f->scratch->fd, "store/uploads", 0755), 0);
	scratch_write(f->scratch, partial, c->text);
	assert_int_equal(fchmodat(f->scratch->fd, partial, c->mode, 0), 0);
	if (c->gone)
		(void)unlinkat(f->scratch->fd, "file", 0);
	else
		scratch_write(f->scratch, "file", "hello");
	r = fetch_one(f, &download, &err);
	free(download.url);
	if (r < 0)
		fail_msg("%s: %s", c->name, err.text);
	assert_true(varve_store_has_blob(f->store, &want, NULL));
	assert_int_equal(uploads(f), 0);
	assert_null(fixture_fault(f->store));
}

static void partial_files_are_taken_up_again(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest want = fixture_digest("hello");
	CLEANUP(free_ptr) char *blob = fixture_blob_path(&want);

	for (size_t i = 0; i < ARRAY_SIZE(partials); i++) {
		fetch_partial(f, &partials[i]);
		assert_int_equal(unlinkat(f->scratch->fd, blob, 0), 0);
	}
}

/* A child holds the lock, makes the blob of the file as a fetch does, and ends. */
static pid_t start_rival(const struct fixture *f, const char *partial, const char *text)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct varve_digest digest = fixture_digest(text);
		CLEANUP(free_ptr) char *blob = fixture_blob_path(&digest);
		int fd = openat(f->scratch->fd, partial, O_RDWR | O_CREAT, 0644);

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)usleep(200000);
		if (fd_write_all(fd, text, strlen(text)) < 0 ||
		    renameat(f->scratch->fd, partial, f->scratch->fd, blob) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void another_fetch_of_the_same_is_waited_for(void **state)
{
	const struct fixture *f = *state;
	struct varve_digest want = fixture_digest("hello");
	CLEANUP(free_ptr) char *partial = partial_of(&want);
	struct source_download download = file_of(f, "not there", &want, 5);
	struct varve_error err = {0};
	int status = -1, r;
	pid_t pid;

	assert_int_equal(fd_mkdir_p(f->scratch->fd, "store/uploads", 0755), 0);
	pid = start_rival(f, partial, "hello");
	r = fetch_one(f, &download, &err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(download.url);
	assert_int_equal(status, 0);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(download.got_size, 5);
	assert_true(varve_digest_equal(&download.got, &want));
	assert_int_equal(uploads(f), 0);
	assert_null(fixture_fault(f->store));
}

/* --- many ----------------------------------------------------------------------------------------
 */

enum { MANY = 800, FILES = 350 };

static void many_files_need_few_descriptors(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(context_release) struct source_context context = context_of(f);
	struct source_download *downloads = xcalloc(MANY, sizeof(*downloads));
	struct varve_digest *wants = xcalloc(MANY, sizeof(*wants));
	struct rlimit before, few = {FILES, FILES};
	struct told told = {0};
	struct varve_error err = {0};
	int r;

	for (unsigned i = 0; i < MANY; i++) {
		CLEANUP(free_ptr) char *name = xasprintf("file%u", i / 2); /* each twice */

		wants[i] = fixture_digest(name);
		downloads[i] = file_of(f, name, &wants[i], strlen(name));
		scratch_write(f->scratch, name, name);
	}
	context.progress = note;
	context.cookie = &told;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = source_download(&context, downloads, MANY, "test", &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (r < 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(varve_store_has_blob(f->store, &wants[i], NULL));
		assert_true(varve_digest_equal(&downloads[i].got, &wants[i]));
		free(downloads[i].url);
	}
	assert_int_equal(uploads(f), 0);
	assert_in_range(told.times, 1, 60); /* by time, not by files */
	free(downloads);
	free(wants);
}

static void one_failure_keeps_the_others(void **state)
{
	const struct fixture *f = *state;
	CLEANUP(context_release) struct source_context context = context_of(f);
	struct varve_digest wants[] = {fixture_digest("a"), fixture_digest("b"),
				       fixture_digest("c")};
	struct source_download downloads[] = {file_of(f, "a", &wants[0], 1),
					      file_of(f, "b", &wants[1], 1),
					      file_of(f, "c", &wants[2], 1)};
	struct varve_error err = {0};

	scratch_write(f->scratch, "a", "a");
	scratch_write(f->scratch, "c", "c");
	assert_int_equal(source_download(&context, downloads, 3, "test", &err), -VARVE_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "/b"));
	assert_true(varve_store_has_blob(f->store, &wants[0], NULL));
	assert_false(varve_store_has_blob(f->store, &wants[1], NULL));
	assert_true(varve_store_has_blob(f->store, &wants[2], NULL));
	assert_int_equal(uploads(f), 0);
	for (size_t i = 0; i < ARRAY_SIZE(downloads); i++)
		free(downloads[i].url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(files_become_blobs),
		STORE_TEST(what_is_wrong_leaves_nothing),
		STORE_TEST(paths_are_escaped),
		STORE_TEST(no_connection_is_made_offline),
		STORE_TEST(texts_are_limited),
		STORE_TEST(partial_files_are_taken_up_again),
		STORE_TEST(another_fetch_of_the_same_is_waited_for),
		STORE_TEST(many_files_need_few_descriptors),
		STORE_TEST(one_failure_keeps_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
