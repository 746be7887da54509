/* SPDX-License-Identifier: Apache-2.0 */
#include "net/credential_helper.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"

enum { ANSWER_LIMIT = 64 << 10, TIME_MS = 60000, POLL_MS = 5 };

static int check(const char *name, const char *server, struct varve_error *err)
{
	const char *c;

	for (c = name; isalnum((unsigned char)*c) || (*c && strchr("._-", *c)); c++)
		;
	if (*c != '\0' || c == name)
		return varve_error_set(
			err, -VARVE_E_USAGE,
			"credential helper \"%.100s\": a name of letters, digits and "
			"._- is needed",
			name);
	if (strpbrk(server, "\r\n"))
		return varve_error_set(err, -VARVE_E_USAGE, "the server's name has a line break");
	return 0;
}

/* Waits TIME_MS at most; what takes longer waits for a person who is not there. */
static int wait_limited(pid_t pid)
{
	int status;

	for (int waited = 0; waited < TIME_MS; waited += POLL_MS) {
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
		if (done < 0 && errno != EINTR)
			return -errno;
		(void)usleep(POLL_MS * 1000);
	}
	(void)kill(pid, SIGKILL);
	(void)process_wait(pid);
	return -ETIMEDOUT;
}

/* A file in memory: pipes could fill up while nobody reads. */
static int memory_file(const char *text)
{
	CLEANUP(fd_close) int fd = memfd_create("credentials", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (text && (fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		return -EIO;
	return steal_fd(&fd);
}

static int run(const char *name, const char *verb, const char *input, struct buf *output,
	       struct varve_error *err)
{
	CLEANUP(free_ptr) char *program = xasprintf("docker-credential-%s", name);
	CLEANUP(fd_close) int in = memory_file(input);
	CLEANUP(fd_close) int out = memory_file(NULL);
	const char *argv[] = {program, verb, NULL};
	const struct process_spec spec = {
		.argv = argv, .stdin_fd = in, .stdout_fd = out, .stderr_fd = -1};
	pid_t pid;
	int r;

	if (in < 0 || out < 0)
		return varve_error_set(err, in < 0 ? in : out, "talk to %s", program);
	r = process_start(&spec, &pid, err);
	if (r < 0) {
		varve_error_hint(err, "the file with the credentials names this helper");
		if (err)
			err->code = -VARVE_E_HOST;
		return -VARVE_E_HOST;
	}
	r = wait_limited(pid);
	if (r < 0)
		return varve_error_set(err, r, "%s %s", program, verb);
	if (lseek(out, 0, SEEK_SET) < 0 || fd_read_all(out, ANSWER_LIMIT, output) < 0)
		return varve_error_set(err, -VARVE_E_HOST, "%s %s: its answer cannot be read",
				       program, verb);
	return r;
}

/* A failed helper says why on stdout. */
static int failed(const char *name, const char *verb, const struct buf *output,
		  struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_HOST, "docker-credential-%s %s failed: %.*s", name, verb,
			(int)strcspn(buf_text(output), "\r\n"), buf_text(output));
	varve_error_hint(err, "the file with the credentials names this helper for the host");
	return -VARVE_E_HOST;
}

static int read_answer(const char *name, const struct buf *output, struct credentials *ret,
		       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	struct varve_error unused;
	const char *user, *secret;

	if (json_parse(buf_text(output), output->len, "answer", &answer, &unused) < 0 ||
	    json_get_string(answer, "Username", &user, &unused) < 0 ||
	    json_get_string(answer, "Secret", &secret, &unused) < 0)
		/* The parser's own message could show a part of the secret. */
		return varve_error_set(err, -VARVE_E_HOST,
				       "docker-credential-%s get: not the answer of a credential "
				       "helper",
				       name);
	if (str_equal(user, "<token>")) {
		ret->identity_token = xstrdup(secret);
	} else {
		ret->user = xstrdup(user);
		ret->secret = xstrdup(secret);
	}
	return 1;
}

int credential_helper_get(const char *name, const char *server, struct credentials *ret,
			  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf output = BUF_INIT;
	int r = check(name, server, err);

	if (r < 0)
		return r;
	r = run(name, "get", server, &output, err);
	if (r == 0)
		r = read_answer(name, &output, ret, err);
	else if (r > 0 && strstr(buf_text(&output), "credentials not found"))
		r = 0;
	else if (r > 0)
		r = failed(name, "get", &output, err);
	if (output.data)
		explicit_bzero(output.data, output.len);
	return r;
}

int credential_helper_store(const char *name, const char *server,
			    const struct credentials *credentials, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *object = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf output = BUF_INIT;
	int r = check(name, server, err);

	if (r < 0)
		return r;
	json_set(object, "ServerURL", json_text(server));
	json_set(object, "Username", json_text(credentials->user));
	json_set(object, "Secret", json_text(credentials->secret));
	json_canonical(object, &text);
	r = run(name, "store", buf_text(&text), &output, err);
	explicit_bzero(text.data, text.len);
	return r > 0 ? failed(name, "store", &output, err) : r;
}

int credential_helper_erase(const char *name, const char *server, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf output = BUF_INIT;
	int r = check(name, server, err);

	if (r < 0)
		return r;
	r = run(name, "erase", server, &output, err);
	return r > 0 ? failed(name, "erase", &output, err) : r;
}
