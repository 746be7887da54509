/* SPDX-License-Identifier: Apache-2.0 */
#include "lock/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "lock/lock_check.h"
#include "lock/lock_place.h"

enum { LOCK_VERSION = 1 };

/* One text being read, and where in it. */
struct reading {
	struct lock lock;
	long source, artifact;
	struct varve_error *err;
};

static const char *const artifact_members[] = {
	"name", "version", "architecture", "size", "sha256", "from", "date", NULL,
};

static bool is_member(const char *const *members, const char *name)
{
	for (; *members; members++)
		if (str_equal(*members, name))
			return true;
	return false;
}

static int refuse_unknown(const json_t *object, const char *const *members, struct varve_error *err)
{
	json_t *borrowed = (json_t *)(uintptr_t)object; /* jansson's iterators lack the const */

	for (void *at = json_object_iter(borrowed); at; at = json_object_iter_next(borrowed, at)) {
		const char *name = json_object_iter_key(at);
		const char *nearest = str_nearest(name, members);

		if (is_member(members, name))
			continue;
		varve_error_set(err, -VARVE_E_LOCK, "unknown member \"%.100s\"", name);
		if (nearest)
			varve_error_hint(err, "did you mean \"%s\"?", nearest);
		return -VARVE_E_LOCK;
	}
	return 0;
}

/* A string member that may be left out; ret is owned. */
static int take_optional(const json_t *object, const char *key, char **ret, struct varve_error *err)
{
	const char *text = "";
	int r = json_object_get(object, key) ? json_get_string(object, key, &text, err) : 0;

	if (r == 0)
		r = lock_check_text(key, text, err);
	if (r == 0)
		*ret = xstrdup(text);
	return r;
}

static int take_sha256(const json_t *object, struct varve_digest *ret, struct varve_error *err)
{
	const char *text = NULL;
	int r = json_get_string(object, "sha256", &text, err);

	if (r == 0 && varve_digest_parse_hex(text, ret) < 0)
		r = varve_error_set(err, -VARVE_E_LOCK,
				    "\"sha256\" is not 64 lower-case hexadecimal digits");
	return r;
}

static int take_date(const json_t *object, int64_t *ret, struct varve_error *err)
{
	uint64_t date = 0;
	int r = json_object_get(object, "date") ? json_get_u64(object, "date", &date, err) : 0;

	if (r == 0)
		*ret = (int64_t)date;
	return r;
}

/* Members that are not the lock's own belong to the kind of source. */
static void take_extra(const json_t *object, struct lock_artifact *artifact)
{
	json_t *borrowed = (json_t *)(uintptr_t)object;

	for (void *at = json_object_iter(borrowed); at; at = json_object_iter_next(borrowed, at)) {
		if (is_member(artifact_members, json_object_iter_key(at)))
			continue;
		if (!artifact->extra)
			artifact->extra = json_object();
		json_set(artifact->extra, json_object_iter_key(at),
			 json_incref(json_object_iter_value(at)));
	}
}

static int take_name(const json_t *object, char **ret, struct varve_error *err)
{
	const char *name = NULL;
	int r = json_get_string(object, "name", &name, err);

	if (r == 0)
		r = lock_check_name("the artifact's name", name, err);
	if (r == 0)
		*ret = xstrdup(name);
	return r;
}

/* As in the recipe, where an image may stand for itself: TRANSPORT:... */
static int take_source_name(const json_t *object, char **ret, struct varve_error *err)
{
	const char *name = NULL;
	int r = json_get_string(object, "name", &name, err);

	if (r == 0)
		r = strchr(name, ':') ? lock_check_text("the source's name", name, err)
				      : lock_check_name("the source's name", name, err);
	if (r == 0)
		*ret = xstrdup(name);
	return r;
}

static int read_artifact(const json_t *object, struct lock_artifact *ret, struct varve_error *err)
{
	const char *from = NULL;
	int r = take_name(object, &ret->name, err);

	if (r == 0)
		r = take_optional(object, "version", &ret->version, err);
	if (r == 0)
		r = take_optional(object, "architecture", &ret->architecture, err);
	if (r == 0)
		r = json_get_u64(object, "size", &ret->size, err);
	if (r == 0)
		r = take_sha256(object, &ret->sha256, err);
	if (r == 0)
		r = json_get_string(object, "from", &from, err);
	if (r == 0)
		r = lock_check_from(from, err);
	if (r == 0)
		r = take_date(object, &ret->date, err);
	if (r < 0)
		return r;
	ret->from = xstrdup(from);
	take_extra(object, ret);
	return 0;
}

static int read_artifacts(struct reading *reading, const json_t *list, struct lock_source *source)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *object = json_array_get(list, i);
		int r;

		reading->artifact = (long)i;
		if (!json_is_object(object))
			return varve_error_set(reading->err, -VARVE_E_LOCK,
					       "an artifact is not an object");
		r = read_artifact(object, lock_source_add(source), reading->err);
		if (r < 0)
			return r;
	}
	reading->artifact = LOCK_NOWHERE;
	return lock_check_duplicates(source, &reading->artifact, reading->err);
}

static int read_source(struct reading *reading, const json_t *object, struct lock_source *source)
{
	static const char *const members[] = {"name", "spec", "facts", "artifacts", NULL};
	struct varve_error *err = reading->err;
	json_t *spec = NULL, *facts = NULL, *artifacts = NULL;
	int r;

	if (!json_is_object(object))
		return varve_error_set(err, -VARVE_E_LOCK, "a source is not an object");
	r = take_source_name(object, &source->name, err);
	if (r == 0)
		r = json_get_object(object, "spec", &spec, err);
	if (r == 0)
		r = json_get_object(object, "facts", &facts, err);
	if (r == 0)
		r = json_get_array(object, "artifacts", &artifacts, err);
	if (r == 0)
		r = refuse_unknown(object, members, err);
	if (r < 0)
		return r;
	source->spec = json_incref(spec);
	source->facts = json_incref(facts);
	json_digest(spec, &source->digest);
	return read_artifacts(reading, artifacts, source);
}

static int read_sources(struct reading *reading, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		CLEANUP(lock_source_release) struct lock_source source = {0};
		int r;

		reading->source = (long)i;
		r = read_source(reading, json_array_get(list, i), &source);
		if (r < 0)
			return r;
		if (lock_find(&reading->lock, source.name, &source.digest))
			return varve_error_set(
				reading->err, -VARVE_E_LOCK,
				"the source \"%.100s\" is there twice with this spec", source.name);
		lock_put(&reading->lock, &source);
	}
	reading->source = LOCK_NOWHERE;
	return 0;
}

static int read_document(struct reading *reading, const json_t *document)
{
	static const char *const members[] = {"varve-lock", "sources", NULL};
	struct varve_error *err = reading->err;
	json_t *sources = NULL;
	uint64_t version = 0;
	int r;

	if (!json_is_object(document))
		return varve_error_set(err, -VARVE_E_LOCK, "not an object");
	r = json_get_u64(document, "varve-lock", &version, err);
	if (r < 0)
		return r;
	if (version != LOCK_VERSION)
		return varve_error_set(err, -VARVE_E_LOCK,
				       "a lock of version %llu; this varve knows version %d",
				       (unsigned long long)version, LOCK_VERSION);
	if (json_has_real(document))
		return varve_error_set(err, -VARVE_E_LOCK, "a number is no integer");
	r = refuse_unknown(document, members, err);
	if (r == 0)
		r = json_get_array(document, "sources", &sources, err);
	return r < 0 ? r : read_sources(reading, sources);
}

static bool has_conflict(const char *text, size_t len)
{
	static const char mark[] = "<<<<<<< ";

	return (len > strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) ||
	       memmem(text, len, "\n<<<<<<< ", strlen(mark) + 1);
}

/* What is malformed in a lock is a fault of the lock. */
static int as_lock_error(int r, struct varve_error *err)
{
	if (r == -VARVE_E_FORMAT || r == -VARVE_E_LIMIT)
		r = -VARVE_E_LOCK;
	if (err)
		err->code = r;
	return r;
}

int lock_parse(const char *text, size_t len, const char *name, struct lock *ret,
	       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	struct reading reading = {LOCK_INIT, LOCK_NOWHERE, LOCK_NOWHERE, err};
	struct lock_place place;
	int r = json_parse(text, len, name, &document, err);

	if (r < 0) {
		if (has_conflict(text, len))
			varve_error_hint(err,
					 "a merge left its marks in it: keep either side, then "
					 "run varve lock");
		return as_lock_error(r, err);
	}
	r = read_document(&reading, document);
	if (r < 0) {
		lock_release(&reading.lock);
		place = lock_place_of(text, len, reading.source, reading.artifact);
		varve_error_prefix(err, "%s:%u:%u", name, place.line, place.column);
		return as_lock_error(r, err);
	}
	*ret = reading.lock;
	return 0;
}

int lock_read(const char *path, struct lock *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error first = {0}; /* that it is absent is no failure */
	int r = fd_read_file(AT_FDCWD, path, JSON_LIMIT, &text, &first);

	if (r == -ENOENT) {
		*ret = (struct lock)LOCK_INIT;
		return 0;
	}
	if (r < 0) {
		if (err)
			*err = first;
		return r;
	}
	return lock_parse(buf_text(&text), text.len, path, ret, err);
}
