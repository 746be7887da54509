/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_release.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "source/deb_archive.h"

enum { RELEASE_TEXT = 32 << 20, RELEASE_FILES = 100000, RELEASE_NUMBER = 16 };

static const char *const keyrings[] = {"/usr/share/keyrings/debian-archive-keyring.gpg",
				       "/usr/share/keyrings/debian-archive-keyring.pgp", NULL};

void deb_release_release(struct deb_release *release)
{
	size_t i;

	for (i = 0; i < release->count; i++)
		free(release->files[i].path);
	free(release->files);
	*release = (struct deb_release){0};
}

const struct deb_release_file *deb_release_find(const struct deb_release *release, const char *path)
{
	size_t i;

	for (i = 0; i < release->count; i++)
		if (strcmp(release->files[i].path, path) == 0)
			return &release->files[i];
	return NULL;
}

/* "Sat, 16 May 2026 09:57:12 UTC"; the program never sets a locale, so the names are English. */
static int parse_date(const char *text, int64_t *ret)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S", &tm);
	time_t t;

	if (!end ||
	    (strcmp(end, " UTC") != 0 && strcmp(end, " +0000") != 0 && strcmp(end, " GMT") != 0))
		return -VARVE_E_FORMAT;
	t = timegm(&tm);
	if (t <= 0)
		return -VARVE_E_FORMAT;
	*ret = t;
	return 0;
}

/* " DIGEST SIZE PATH" */
static int parse_file(char *line, struct deb_release *ret)
{
	struct deb_release_file file = {0};
	unsigned long long size;
	char *words[3] = {NULL}, *save = NULL;
	int i;

	for (i = 0; i < 3; i++)
		words[i] = strtok_r(i == 0 ? line : NULL, " \t", &save);
	if (!words[2] || varve_digest_parse_hex(words[0], &file.sha256) < 0 ||
	    !str_to_u64(words[1], INT64_MAX, &size) || !path_is_clean(words[2]))
		return -VARVE_E_FORMAT;
	if (ret->count >= RELEASE_FILES)
		return -VARVE_E_LIMIT;
	file.size = size;
	file.path = xstrdup(words[2]);
	ret->files = array_grow(ret->files, ret->count, &ret->alloc, sizeof(*ret->files));
	ret->files[ret->count++] = file;
	return 0;
}

static int parse_files(const char *text, struct deb_release *ret)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line;
	bool inside = false;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		if (*line != ' ')
			inside = strcmp(line, "SHA256:") == 0;
		else if (inside)
			r = parse_file(line, ret);
	}
	return r;
}

int deb_release_parse(const char *text, const char *what, struct deb_release *ret,
		      struct varve_error *err)
{
	CLEANUP(deb_release_release) struct deb_release release = {0};
	CLEANUP(buf_release) struct buf date = BUF_INIT;
	CLEANUP(buf_release) struct buf by_hash = BUF_INIT;
	CLEANUP(buf_release) struct buf optional = BUF_INIT;

	if (!deb_stanza_field(text, "Date", &date) ||
	    parse_date(buf_text(&date), &release.date) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: no date that can be read", what);
	if (parse_files(text, &release) < 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: its list of files is malformed",
				       what);
	if (release.count == 0)
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: lists no file with a SHA256",
				       what);
	(void)deb_stanza_field(text, "Acquire-By-Hash", &by_hash);
	release.by_hash = strcmp(buf_text(&by_hash), "yes") == 0;
	(void)deb_stanza_field(text, "NotAutomatic", &optional);
	release.optional = strcmp(buf_text(&optional), "yes") == 0;
	*ret = release;
	release = (struct deb_release){0};
	return 0;
}

/* An absolute path: gpgv looks for a name without a slash in the user's own directory. Caller
 * frees. */
static char *find_keyring(const char *keyring)
{
	size_t i;

	if (keyring && *keyring)
		return access(keyring, R_OK) == 0 ? realpath(keyring, NULL) : NULL;
	for (i = 0; keyrings[i]; i++)
		if (access(keyrings[i], R_OK) == 0)
			return xstrdup(keyrings[i]);
	return NULL;
}

static int no_keyring(const char *keyring, const char *what, struct varve_error *err)
{
	if (keyring && *keyring)
		return varve_error_set(err, -VARVE_E_RECIPE, "%s: keyring %s cannot be read", what,
				       keyring);
	varve_error_set(err, -VARVE_E_HOST, "%s: no keyring to check the signature with", what);
	varve_error_hint(
		err, "install the package debian-archive-keyring, or give the source a keyring");
	return -VARVE_E_HOST;
}

/* --- signatures ----------------------------------------------------------------------------------
 */

static size_t count_lines(const struct buf *text, const char *start)
{
	CLEANUP(free_ptr) char *mark = xasprintf("\n%s", start);
	size_t count = str_starts(buf_text(text), start);

	for (const char *at = strstr(buf_text(text), mark); at; at = strstr(at + 1, mark))
		count++;
	return count;
}

/* One signed text and nothing else: what comes out of a file with several need not be signed by
 * what was good in it. */
static bool is_one_message(const struct buf *text)
{
	return strlen(buf_text(text)) == text->len &&
	       str_starts(buf_text(text), "-----BEGIN PGP SIGNED MESSAGE-----\n") &&
	       count_lines(text, "-----BEGIN PGP SIGNED") == 1 &&
	       count_lines(text, "-----BEGIN PGP SIGNATURE") == 1;
}

/* A suite is signed with the keys of several releases, and a keyring need not have all of them:
 * gpgv fails then, though the others are good. What counts is what counts for apt: one good, none
 * bad. */
static bool is_signed(const struct buf *status)
{
	return count_lines(status, "[GNUPG:] PLAINTEXT ") == 1 &&
	       count_lines(status, "[GNUPG:] GOODSIG ") > 0 &&
	       count_lines(status, "[GNUPG:] VALIDSIG ") > 0 &&
	       count_lines(status, "[GNUPG:] BADSIG ") == 0;
}

/* What gpgv reads and writes: files in memory. */
struct verification {
	int text, output, status, messages;
};

static void verification_release(struct verification *v)
{
	fd_close(&v->text);
	fd_close(&v->output);
	fd_close(&v->status);
	fd_close(&v->messages);
}

static int read_back(int fd, struct buf *ret)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, RELEASE_TEXT, ret);
}

static int run_gpgv(const struct verification *v, const char *keyring, struct varve_error *err)
{
	char status_fd[RELEASE_NUMBER];
	const int keep[] = {v->status, -1};
	const char *argv[] = {
		"gpgv",          "--quiet", "--status-fd", status_fd, "--keyring", keyring,
		"--weak-digest", "SHA1",    "--output",    "-",       "-",         NULL};
	struct process_spec spec = {.argv = argv,
				    .stdin_fd = v->text,
				    .stdout_fd = v->output,
				    .stderr_fd = v->messages,
				    .keep_fds = keep};
	pid_t pid;
	int r;

	(void)snprintf(status_fd, sizeof(status_fd), "%d", v->status);
	r = process_start(&spec, &pid, err);
	if (r < 0)
		return r;
	r = process_wait(pid);
	return r < 0 ? varve_error_set(err, r, "wait for gpgv") : 0;
}

/* gpgv's last line is the one that says why. */
static const char *last_line(struct buf *text)
{
	char *end;

	while (text->len > 0 && text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
	end = strrchr(buf_text(text), '\n');
	return end ? end + 1 : buf_text(text);
}

static int refuse(const struct buf *status, struct buf *messages, const char *keyring,
		  const char *what, struct varve_error *err)
{
	if (count_lines(status, "[GNUPG:] BADSIG ") > 0)
		return varve_error_set(
			err, -VARVE_E_DIGEST,
			"%s: its signature is bad: this is not the text that was signed", what);
	return varve_error_set(err, -VARVE_E_DIGEST, "%s: not signed by a key of keyring %s: %s",
			       what, keyring, last_line(messages));
}

static int judge(const struct verification *v, const char *keyring, const char *what,
		 struct buf *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf status = BUF_INIT;
	CLEANUP(buf_release) struct buf messages = BUF_INIT;
	int r;

	r = read_back(v->status, &status);
	if (r == 0)
		r = read_back(v->messages, &messages);
	if (r == 0 && is_signed(&status))
		r = read_back(v->output, ret);
	else if (r == 0)
		r = refuse(&status, &messages, keyring, what, err);
	if (r == -VARVE_E_DIGEST)
		return r;
	return r < 0 ? varve_error_set(err, r, "%s: read what gpgv says", what) : 0;
}

int deb_release_verify(const struct buf *inrelease, const char *keyring, const char *what,
		       struct buf *ret, struct varve_error *err)
{
	CLEANUP(verification_release)
	struct verification v = {
		memfd_create("InRelease", MFD_CLOEXEC), memfd_create("Release", MFD_CLOEXEC),
		memfd_create("status", MFD_CLOEXEC), memfd_create("messages", MFD_CLOEXEC)};
	CLEANUP(free_ptr) char *program = process_find("gpgv");
	CLEANUP(free_ptr) char *found = find_keyring(keyring);
	int r;

	if (!found)
		return no_keyring(keyring, what, err);
	if (!program) {
		varve_error_set(err, -VARVE_E_HOST, "gpgv is needed to check the signature of %s",
				what);
		varve_error_hint(err, "install the package gpgv");
		return -VARVE_E_HOST;
	}
	if (!is_one_message(inrelease))
		return varve_error_set(err, -VARVE_E_FORMAT, "%s: is not one signed text", what);
	if (v.text < 0 || v.output < 0 || v.status < 0 || v.messages < 0 ||
	    fd_write_all(v.text, inrelease->data, inrelease->len) < 0 ||
	    lseek(v.text, 0, SEEK_SET) < 0)
		return varve_error_set(err, -errno, "%s: make a copy for gpgv", what);
	r = run_gpgv(&v, found, err);
	return r < 0 ? r : judge(&v, found, what, ret, err);
}
