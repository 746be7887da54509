/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include "base/process.h"
#include "scratch.h"

#define SH(script)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		"sh", "-c", script, NULL                                                           \
	}

static void capture_of_output(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(process_capture(SH("echo hello; echo noise >&2"), 100, &out, &err), 0);
	assert_string_equal(buf_text(&out), "hello\n");
	/* stdin is /dev/null: nothing waits for a terminal. */
	buf_reset(&out);
	assert_int_equal(process_capture(SH("cat; echo end"), 100, &out, &err), 0);
	assert_string_equal(buf_text(&out), "end\n");
}

static void capture_of_failures(void **state)
{
	static const struct {
		const char *script;
		const char *text;
	} table[] = {
		{"echo broken >&2; exit 3", "sh: exit status 3\nbroken"},
		{"exit 1", "sh: exit status 1"},
		{"echo dying >&2; kill -9 $$", "sh: exit status 137\ndying"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(buf_release) struct buf out = BUF_INIT;
		struct varve_error err = {.code = 0};

		assert_int_equal(process_capture(SH(table[i].script), 100, &out, &err),
				 -VARVE_E_STEP);
		assert_string_equal(err.text, table[i].text);
	}
}

static void capture_keeps_the_end_of_stderr(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(process_capture(SH("i=0; while [ $i -lt 3000 ]; do echo line $i >&2;"
					    "i=$((i+1)); done; exit 7"),
					 100, &out, &err),
			 -VARVE_E_STEP);
	assert_true(str_starts(err.text, "sh: exit status 7\nline 29"));
	assert_true(str_ends(err.text, "\nline 2999"));
}

static void capture_has_a_limit(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(process_capture(SH("exec cat /dev/zero"), 100000, &out, &err),
			 -VARVE_E_LIMIT);
	assert_true(out.len <= 100000);
	assert_string_equal(err.text, "sh: more than 100000 bytes of output");
	buf_reset(&out);
	assert_int_equal(process_capture(SH("printf 12345"), 5, &out, &err), 0);
	assert_int_equal(process_capture(SH("printf 12345"), 4, &out, &err), -VARVE_E_LIMIT);
}

static void failed_execs_are_reported(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *file = xasprintf("%s/not-a-program", s->path);
	CLEANUP(free_ptr) char *text = xasprintf("start %s: Exec format error", file);
	const char *argv[] = {"varve-no-such-program", NULL};
	struct process_spec spec = {argv, NULL, -1, -1, -1, NULL, NULL, NULL};
	struct varve_error err = {.code = 0};
	pid_t pid = -7;

	assert_int_equal(process_start(&spec, &pid, &err), -ENOENT);
	assert_string_equal(err.text, "start varve-no-such-program: No such file or directory");
	scratch_write(s, "not-a-program", "\177ELF");
	assert_int_equal(fchmodat(s->fd, "not-a-program", 0755, 0), 0);
	argv[0] = file;
	assert_int_equal(process_start(&spec, &pid, &err), -ENOEXEC);
	assert_string_equal(err.text, text);
	assert_int_equal(pid, -7);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to wait for */
}

/* Starts sh with its stdout in the scratch file "out" and waits. */
static int run_sh(const struct scratch *s, const char *script, struct process_spec spec)
{
	CLEANUP(fd_close)
	int out = openat(s->fd, "out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct varve_error err = {.code = 0};
	pid_t pid = -1;

	spec.argv = SH(script);
	spec.stdout_fd = out;
	if (process_start(&spec, &pid, &err) < 0)
		fail_msg("%s", err.text);
	return process_wait(pid);
}

static void assert_out(const struct scratch *s, const char *expected)
{
	CLEANUP(free_ptr) char *text = scratch_read(s, "out");

	assert_string_equal(text, expected);
}

static const struct process_spec plain = {.stdin_fd = -1, .stderr_fd = -1};

static void statuses(void **state)
{
	assert_int_equal(run_sh(*state, "exit 0", plain), 0);
	assert_int_equal(run_sh(*state, "exit 42", plain), 42);
	assert_int_equal(run_sh(*state, "kill -TERM $$", plain), 128 + SIGTERM);
	assert_int_equal(process_wait(getpid()), -ECHILD);
}

static void environments(void **state)
{
	static const char *const env[] = {"A=1", NULL};
	struct process_spec spec = plain;

	assert_int_equal(setenv("VARVE_TEST", "ours", 1), 0);
	assert_int_equal(run_sh(*state, "echo $VARVE_TEST", spec), 0);
	assert_out(*state, "ours\n");
	spec.env = env;
	assert_int_equal(run_sh(*state, "echo $VARVE_TEST$A", spec), 0);
	assert_out(*state, "1\n");
}

static void descriptors(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(fd_close) int kept = -1;
	CLEANUP(fd_close) int closed = -1;
	CLEANUP(free_ptr) char *script = NULL;
	int keep[] = {-1, -1};
	struct process_spec spec = plain;

	scratch_write(s, "in", "input\n");
	kept = openat(s->fd, "in", O_RDONLY | O_CLOEXEC);
	closed = openat(s->fd, "in", O_RDONLY | O_CLOEXEC);
	script = xasprintf("cat <&%d; if [ -e /dev/fd/%d ]; then echo leak; fi", kept, closed);
	keep[0] = kept;
	spec.keep_fds = keep;
	assert_int_equal(run_sh(s, script, spec), 0);
	assert_out(s, "input\n");
	/* Ours still close on exec. */
	assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
}

/* In a child of its own: closes and swaps the standard descriptors of the process. */
static int swap_standard_fds(const struct scratch *s)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/swapped", s->path);
	const char *argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	struct process_spec spec = {.argv = argv, .stdin_fd = -1, .stdout_fd = 2, .stderr_fd = 1};
	pid_t pid;

	(void)close(0);
	(void)close(1);
	(void)close(2);
	/* 0 stays closed, so that pipes and /dev/null land on it. */
	if (open("/dev/null", O_RDONLY) != 0 || open(path, O_WRONLY | O_CREAT, 0644) != 1 ||
	    open("/dev/null", O_WRONLY) != 2 || close(0) < 0)
		return 2;
	return process_start(&spec, &pid, NULL) < 0 ? 3 : process_wait(pid);
}

static void standard_descriptors_may_be_swapped(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *text = NULL;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(swap_standard_fds(s));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	text = scratch_read(s, "swapped");
	assert_string_equal(text, "err\n");
}

static void signals_are_as_after_login(void **state)
{
	sigset_t term, before;

	(void)signal(SIGINT, SIG_IGN);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &term, &before), 0);
	assert_int_equal(run_sh(*state, "kill -TERM $$; echo blocked", plain), 128 + SIGTERM);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_int_equal(run_sh(*state, "kill -INT $$; echo ignored", plain), 128 + SIGINT);
	(void)signal(SIGINT, SIG_DFL);
}

/* Starts a grandchild that holds the pipe open, and is killed. */
static void start_and_die(int write_end)
{
	const char *argv[] = {"sleep", "60", NULL};
	int keep[] = {write_end, -1};
	struct process_spec spec = {argv, NULL, -1, -1, -1, keep, NULL, NULL};
	pid_t pid;

	if (process_start(&spec, &pid, NULL) < 0)
		_exit(1);
	(void)raise(SIGKILL);
}

static void children_die_with_us(void **state)
{
	int ends[2], status = 0;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		start_and_die(ends[1]);
	fd_close(&ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	(void)alarm(20);
	assert_int_equal(fd_read_full(ends[0], &c, 1), 0); /* closed: the sleep is gone */
	(void)alarm(0);
	fd_close(&ends[0]);
}

static void programs_are_found(void **state)
{
	CLEANUP(free_ptr) char *sh = process_find("sh");
	CLEANUP(free_ptr) char *given = process_find("/bin/sh");
	CLEANUP(free_ptr) char *path = xstrdup(getenv("PATH"));
	CLEANUP(free_ptr) char *relative = NULL;
	CLEANUP(free_ptr) char *system = NULL;

	(void)state;
	assert_non_null(sh);
	assert_true(str_ends(sh, "/sh") && sh[0] == '/');
	assert_string_equal(given, "/bin/sh");
	assert_null(process_find("varve-no-such-program"));
	assert_null(process_find("/no/such/program"));
	assert_null(process_find(""));
	assert_int_equal(setenv("PATH", ":.", 1), 0);
	relative = process_find("sh");
	system = process_find("ldconfig");
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_true(!relative || relative[0] == '/');
	assert_non_null(system);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture_of_output),
		cmocka_unit_test(capture_of_failures),
		cmocka_unit_test(capture_keeps_the_end_of_stderr),
		cmocka_unit_test(capture_has_a_limit),
		SCRATCH_TEST(failed_execs_are_reported),
		SCRATCH_TEST(statuses),
		SCRATCH_TEST(environments),
		SCRATCH_TEST(descriptors),
		SCRATCH_TEST(standard_descriptors_may_be_swapped),
		SCRATCH_TEST(signals_are_as_after_login),
		cmocka_unit_test(children_die_with_us),
		cmocka_unit_test(programs_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
