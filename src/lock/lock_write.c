/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/tempfile.h"

/* ,"key":value (canonical) */
static void add_member(struct buf *out, const char *key, json_t *take_value)
{
	CLEANUP(json_decrefp) json_t *value = take_value;

	buf_addf(out, ",\"%s\":", key);
	json_canonical(value, out);
}

static void add_text(struct buf *out, const char *key, const char *text)
{
	if (text && *text)
		add_member(out, key, json_text(text));
}

/* The members of the kind of source, after the others: {"a":1} becomes ,"a":1 */
static void add_extra(struct buf *out, const json_t *extra)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (json_object_size(extra) == 0)
		return;
	json_canonical(extra, &text);
	buf_addc(out, ',');
	buf_add(out, text.data + 1, text.len - 2);
}

static void format_artifact(const struct lock_artifact *artifact, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *name = json_text(artifact->name);
	char hex[VARVE_DIGEST_HEX];

	buf_addstr(out, "{\"name\":");
	json_canonical(name, out);
	add_text(out, "version", artifact->version);
	add_text(out, "architecture", artifact->architecture);
	add_member(out, "size", json_integer((json_int_t)artifact->size));
	add_member(out, "sha256", json_text(varve_digest_hex(&artifact->sha256, hex)));
	add_text(out, "from", artifact->from);
	if (artifact->date)
		add_member(out, "date", json_integer(artifact->date));
	add_extra(out, artifact->extra);
	buf_addc(out, '}');
}

static void format_source(const struct lock_source *source, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *name = json_text(source->name);

	buf_addstr(out, "{\"name\":");
	json_canonical(name, out);
	add_member(out, "spec", json_incref(source->spec));
	add_member(out, "facts", json_incref(source->facts));
	buf_addstr(out, ",\"artifacts\":[");
	for (size_t i = 0; i < source->count; i++) {
		buf_addstr(out, i ? ",\n" : "\n");
		format_artifact(&source->artifacts[i], out);
	}
	buf_addstr(out, "]}");
}

void lock_format(const struct lock *lock, struct buf *out)
{
	buf_addstr(out, "{\"varve-lock\":1,\"sources\":[");
	for (size_t i = 0; i < lock->count; i++) {
		buf_addstr(out, i ? ",\n" : "\n");
		format_source(&lock->sources[i], out);
	}
	buf_addstr(out, "]}\n");
}

static bool holds(const char *path, const struct buf *want)
{
	CLEANUP(buf_release) struct buf have = BUF_INIT;

	return fd_read_file(AT_FDCWD, path, JSON_LIMIT, &have, NULL) == 0 &&
	       have.len == want->len && memcmp(have.data, want->data, want->len) == 0;
}

int lock_write(const char *path, const struct lock *lock, struct varve_error *err)
{
	/* A symlink stays one: the file that it names is replaced. */
	CLEANUP(free_ptr) char *target = realpath(path, NULL);
	CLEANUP(free_ptr) char *dir = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (!target)
		target = xstrdup(path);
	lock_format(lock, &text);
	if (holds(target, &text))
		return 0;
	dir = path_join("", target);
	dir[path_base(target) - target] = '\0';
	fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return varve_error_set(err, -errno, "write %s", path);
	r = tempfile_write(fd, path_base(target), text.data, text.len, true, err);
	if (r < 0)
		varve_error_prefix(err, "write %s", path);
	return r;
}
