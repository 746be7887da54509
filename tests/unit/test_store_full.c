/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include "base/strv.h"
#include "store_fixture.h"

/* Everything here runs in a forked process with a small tmpfs of its own, and says what is wrong by
 * its exit status and a line. */
enum { OK = 0, FAULT = 1, CANNOT = 77 };
enum { PAGE = 4096, ROUNDS = 24, BLOB = 5 * PAGE };

static int fault(const char *what, const char *text)
{
	print_message("# %s: %s\n", what, text);
	return FAULT;
}

/* --- the small file system ---------------------------------------------------------------------
 */

static int write_proc(const char *path, const char *text)
{
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static bool enter_namespaces(void)
{
	CLEANUP(free_ptr) char *uids = xasprintf("0 %u 1", geteuid());
	CLEANUP(free_ptr) char *gids = xasprintf("0 %u 1", getegid());
	bool root = geteuid() == 0;

	if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) < 0)
		return false;
	if (!root && (write_proc("/proc/self/setgroups", "deny") < 0 ||
		      write_proc("/proc/self/uid_map", uids) < 0 ||
		      write_proc("/proc/self/gid_map", gids) < 0))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool mount_small(const char *path, const char *options)
{
	return mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

/* --- what a build does with the store ----------------------------------------------------------
 */

struct result {
	int r;
	struct varve_error err;
	const char *what;
};

static bool is_good(const struct result *result)
{
	if (result->r == 0)
		return true;
	return result->r == -ENOSPC && strstr(result->err.text, "is full") &&
	       strstr(result->err.text, "varve gc");
}

static void put_blob(struct varve_store *store, struct result *result)
{
	char bytes[BLOB];
	struct varve_digest digest;

	memset(bytes, 'b', sizeof(bytes));
	result->r = store_blob_put(store, bytes, sizeof(bytes), &digest, &result->err);
}

static void put_record(struct varve_store *store, struct result *result)
{
	CLEANUP(store_record_release) struct store_record record = {.input = json_object()};

	json_digest(record.input, &record.key);
	result->r = store_record_write(store, &record, &result->err);
}

static void put_name(struct varve_store *store, struct result *result)
{
	struct varve_descriptor d = {.media_type = VARVE_MEDIA_MANIFEST};

	d.digest = fixture_digest("m");
	result->r = store_index_set(store, "name:1", &d, NULL, &result->err);
}

static void put_root(struct varve_store *store, struct result *result)
{
	struct varve_digest digest = fixture_digest("m");

	result->r = store_root_set(store, "root", &digest, 1, &result->err);
}

static void put_tree(struct varve_store *store, struct result *result)
{
	struct store_job job = STORE_JOB_INIT;
	struct store_tree_lists implied = STORE_TREE_LISTS_INIT;
	struct varve_digest diff_id = fixture_digest("d");

	strv_add(&implied.implied, "usr");
	result->r = store_job_begin(store, &job, &result->err);
	if (result->r == 0 && mkdirat(job.dirfd, "upper", 0755) == 0)
		result->r = store_tree_adopt(store, &root_owners, &diff_id, job.dirfd, "upper",
					     &implied, &result->err);
	if (store_job_remove(store, &job) < 0)
		result->r = -EIO;
	store_tree_lists_release(&implied);
}

static void (*const work[])(struct varve_store *, struct result *) = {
	put_blob, put_record, put_name, put_root, put_tree,
};

static int do_work(struct varve_store *store, bool must_succeed)
{
	for (size_t i = 0; i < ARRAY_SIZE(work); i++) {
		struct result result = {0};

		work[i](store, &result);
		if (!is_good(&result) || (must_succeed && result.r < 0))
			return fault("work", result.r < 0 && !result.err.code ? "no text"
									      : result.err.text);
	}
	if (fixture_fault(store))
		return fault("after work", fixture_fault(store));
	return store_needs_sweep(store) ? fault("after work", "tmp/ is not empty") : OK;
}

static int open_and_work(const char *path, bool must_succeed)
{
	CLEANUP(varve_store_closep) struct varve_store *store = NULL;
	struct result result = {0};

	result.r = varve_store_open(path, &store, &result.err);
	if (!is_good(&result) || (must_succeed && result.r < 0))
		return fault("open", result.err.text);
	return store ? do_work(store, must_succeed) : OK;
}

/* --- the disk is full --------------------------------------------------------------------------
 */

/* Fills the file system but for so many pages. */
static void fill(const char *path, size_t pages)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s/filler", path);
	CLEANUP(fd_close) int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char page[PAGE] = {1};
	struct stat st;

	(void)lseek(fd, 0, SEEK_END);
	while (write(fd, page, sizeof(page)) == PAGE)
		;
	if (fstat(fd, &st) == 0 && ftruncate(fd, st.st_size - (off_t)(pages * PAGE)) < 0)
		(void)fault("filler", "ftruncate");
}

static int collect(const char *path)
{
	CLEANUP(varve_store_closep) struct varve_store *store = NULL;
	struct store_gc_options options = {.keep_seconds = 0};
	struct store_gc_result result;
	struct varve_error err = {0};

	if (varve_store_open(path, &store, &err) < 0 ||
	    store_gc(store, &options, &result, &err) < 0)
		return fault("gc on a full disk", err.text);
	return OK;
}

static int round_of_pages(const char *path, size_t pages)
{
	CLEANUP(free_ptr) char *store = xasprintf("%s/store", path);
	CLEANUP(free_ptr) char *filler = xasprintf("%s/filler", path);
	int status;

	if (!mount_small(path, "size=1m"))
		return CANNOT;
	/* A third of the rounds begin with a new store, the rest with one that is there. */
	status = pages % 3 ? open_and_work(store, true) : OK;
	fill(path, pages);
	if (status == OK)
		status = open_and_work(store, false);
	fill(path, 0);
	if (status == OK && pages % 3)
		status = collect(store);
	(void)unlink(filler);
	if (status == OK)
		status = open_and_work(store, true);
	return umount2(path, MNT_DETACH) < 0 ? fault("umount", strerror(errno)) : status;
}

static int round_of_inodes(const char *path, size_t inodes)
{
	CLEANUP(free_ptr) char *store = xasprintf("%s/store", path);
	CLEANUP(free_ptr) char *options = xasprintf("nr_inodes=%zu", inodes + 2);
	int status;

	if (!mount_small(path, options))
		return CANNOT;
	status = open_and_work(store, false);
	if (mount(NULL, path, NULL, MS_REMOUNT, "nr_inodes=1000") < 0)
		return CANNOT;
	if (status == OK)
		status = open_and_work(store, true);
	return umount2(path, MNT_DETACH) < 0 ? fault("umount", strerror(errno)) : status;
}

static int run_rounds(const char *path, int (*one_round)(const char *, size_t))
{
	if (!enter_namespaces())
		return CANNOT;
	for (size_t i = 0; i < ROUNDS; i++) {
		int status = one_round(path, i);

		if (status != OK) {
			print_message("# round %zu\n", i);
			return status;
		}
	}
	return OK;
}

static void run_in_child(const struct scratch *s, int (*one_round)(const char *, size_t))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_rounds(s->path, one_round));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		print_message("# needs a mount namespace: be root, or allow user namespaces\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void a_full_disk_is_said_and_leaves_nothing_half_written(void **state)
{
	run_in_child(*state, round_of_pages);
}

static void so_is_one_without_inodes(void **state)
{
	run_in_child(*state, round_of_inodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_full_disk_is_said_and_leaves_nothing_half_written),
		SCRATCH_TEST(so_is_one_without_inodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
