/* SPDX-License-Identifier: Apache-2.0
 * debian sources: suites -> indexes -> solver -> artifacts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "source/deb_archive.h"
#include "source/deb_index.h"
#include "source/deb_solve.h"
#include "source/source_kind.h"

/* A resolution in work. */
struct debian {
	struct source_context *context;
	const struct lock *lock;
	struct lock_source *ret;
	struct deb_index *indexes;
	size_t count, alloc;
	json_t *releases; /* suite -> {"date","sha256"} */
	int64_t date;
};

static void debian_release(struct debian *d)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		deb_index_release(&d->indexes[i]);
	free(d->indexes);
	json_decref(d->releases);
}

static const char *text_of(const struct debian *d, const char *member)
{
	return json_optional_string(d->ret->spec, member, "");
}

static void list_of(const struct debian *d, const char *member, struct strv *ret)
{
	const json_t *list = json_object_get(d->ret->spec, member);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		strv_add(ret, json_string_value(json_array_get(list, i)));
}

/* Security updates lie on a mirror of their own, by Debian's convention for suite names. */
static char *mirror_of(const struct debian *d, const char *suite)
{
	const char *name = text_of(d, "mirror");

	if (*name == '\0')
		name = "debian";
	return str_ends(suite, "-security") ? xasprintf("%s-security", name) : xstrdup(name);
}

/* Two archives may call a suite the same. */
static void note_release(struct debian *d, const struct deb_suite *where,
			 const struct deb_release *release, const struct varve_digest *digest)
{
	CLEANUP(free_ptr) char *both = xasprintf("%s %s", where->mirror, where->name);
	const char *key = json_object_get(d->releases, where->name) ? both : where->name;
	json_t *row = json_object();

	json_set(row, "date", json_integer(release->date));
	json_set(row, "sha256", json_of_digest(digest));
	json_set(d->releases, key, row);
	if (release->date > d->date)
		d->date = release->date;
}

/* "" where it is the host's; caller frees. */
static char *keyring_path(const struct debian *d, const char *keyring)
{
	return *keyring == '\0' || *keyring == '/' ? xstrdup(keyring)
						   : path_join(d->context->directory, keyring);
}

static int add_index(struct debian *d, const struct deb_suite *where,
		     const struct deb_release *release, const char *component,
		     struct varve_error *err)
{
	int r;

	d->indexes = array_grow(d->indexes, d->count, &d->alloc, sizeof(*d->indexes));
	r = deb_index_open(d->context, where, release, component, &d->indexes[d->count], err);
	d->count += r == 0;
	return r;
}

/* where: all but its URL. A flat archive has no components. */
static int add_suite(struct debian *d, struct deb_suite *where, const json_t *components,
		     struct varve_error *err)
{
	CLEANUP(deb_release_release) struct deb_release release = {0};
	CLEANUP(free_ptr) char *url = NULL;
	struct varve_digest digest;
	size_t i;
	int r;

	r = source_archive_url(d->context, d->ret->spec, where->mirror, where->name, &url, err);
	if (r < 0)
		return r;
	where->url = url;
	r = deb_index_suite(d->context, where, &release, &digest, err);
	if (r < 0)
		return r;
	note_release(d, where, &release, &digest);
	if (str_ends(where->name, "/"))
		return add_index(d, where, &release, NULL, err);
	for (i = 0; i < json_array_size(components) && r == 0; i++)
		r = add_index(d, where, &release, json_string_value(json_array_get(components, i)),
			      err);
	return r;
}

static int add_own_suite(struct debian *d, const char *suite, struct varve_error *err)
{
	CLEANUP(free_ptr) char *mirror = mirror_of(d, suite);
	CLEANUP(free_ptr) char *keyring = keyring_path(d, text_of(d, "keyring"));
	struct deb_suite where = {.name = suite,
				  .mirror = mirror,
				  .keyring = keyring,
				  .architecture = text_of(d, "architecture")};

	return add_suite(d, &where, json_object_get(d->ret->spec, "components"), err);
}

static int add_repository(struct debian *d, const json_t *repository, struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *keyring = keyring_path(d, json_optional_string(repository, "keyring", ""));
	struct deb_suite where = {.name = json_optional_string(repository, "suite", ""),
				  .mirror = json_optional_string(repository, "mirror", ""),
				  .keyring = keyring,
				  .architecture = text_of(d, "architecture")};
	int r = add_suite(d, &where, json_object_get(repository, "components"), err);

	if (r < 0)
		varve_error_prefix(err, "repository \"%s\"", where.mirror);
	return r;
}

static int add_all(struct debian *d, struct varve_error *err)
{
	const json_t *repositories = json_object_get(d->ret->spec, "repositories");
	CLEANUP(strv_release) struct strv suites = STRV_INIT;
	size_t i;
	int r = 0;

	list_of(d, "suites", &suites);
	for (i = 0; i < suites.count && r == 0; i++)
		r = add_own_suite(d, suites.items[i], err);
	for (i = 0; i < json_array_size(repositories) && r == 0; i++)
		r = add_repository(d, json_array_get(repositories, i), err);
	return r;
}

/* --- what is installed below -------------------------------------------------------------------
 */

static bool is_stanza_of(const char *stanza, const struct lock_artifact *artifact)
{
	CLEANUP(buf_release) struct buf version = BUF_INIT;
	CLEANUP(buf_release) struct buf architecture = BUF_INIT;

	return deb_stanza_field(stanza, "Version", &version) &&
	       deb_stanza_field(stanza, "Architecture", &architecture) &&
	       str_equal(buf_text(&version), artifact->version) &&
	       str_equal(buf_text(&architecture), artifact->architecture);
}

static bool find_stanza(const struct debian *d, const struct lock_artifact *artifact,
			struct buf *ret)
{
	CLEANUP(free_ptr) char *start = xasprintf("\nPackage: %s\n", artifact->name);
	size_t i;

	for (i = 0; i < d->count; i++) {
		const char *at = d->indexes[i].text;

		/* The first stanza has no line before it. */
		if (strncmp(at, start + 1, strlen(start) - 1) != 0)
			at = strstr(at, start);
		for (; at; at = strstr(at + 1, start)) {
			const char *end = strstr(at + 1, "\n\n");
			size_t len = end ? (size_t)(end - at) + 1 : strlen(at);
			CLEANUP(free_ptr) char *stanza = xstrndup(at, len);

			if (!is_stanza_of(stanza + (*stanza == '\n'), artifact))
				continue;
			buf_addf(ret, "%s\n", stanza + (*stanza == '\n'));
			return true;
		}
	}
	return false;
}

/* A version that the archive has moved on from: its .deb says what it provides and needs. */
static int read_stanza(struct debian *d, const struct lock_source *source,
		       const struct lock_artifact *artifact, struct buf *ret,
		       struct varve_error *err)
{
	CLEANUP(fd_close) int deb = -1;
	int r = 0;

	if (!varve_store_has_blob(d->context->store, &artifact->sha256, NULL))
		r = source_fetch(d->context, &source, 1, err);
	if (r >= 0)
		r = varve_store_open_blob(d->context->store, &artifact->sha256, &deb, err);
	if (r >= 0)
		r = deb_control(deb, ret, err);
	buf_addc(ret, '\n');
	return r < 0 ? r : 0;
}

static int add_image(struct debian *d, const struct lock_source *source, struct buf *ret,
		     struct varve_error *err)
{
	int r = source_fetch(d->context, &source, 1, err);

	if (r >= 0)
		r = source_image_status(d->context, source, ret, err);
	if (r >= 0 && ret->len == 0)
		r = varve_error_set(err, -VARVE_E_RESOLVE,
				    "image \"%s\" has no dpkg: Debian packages cannot be installed "
				    "on it",
				    source->name);
	buf_addc(ret, '\n');
	return r < 0 ? r : 0;
}

static int add_installed(struct debian *d, const json_t *below, struct buf *ret,
			 struct varve_error *err)
{
	const char *name = json_optional_string(below, "name", "");
	const struct lock_source *source;
	struct varve_digest spec;
	size_t i;
	int r;

	r = json_get_digest(below, "spec", &spec, err);
	if (r < 0)
		return r;
	source = lock_find(d->lock, name, &spec);
	if (!source)
		return varve_error_set(err, -VARVE_E_LOCK, "source \"%s\" below is not locked",
				       name);
	if (str_equal(json_optional_string(source->spec, "kind", ""), "image"))
		return add_image(d, source, ret, err);
	for (i = 0; i < source->count && r == 0; i++)
		if (!find_stanza(d, &source->artifacts[i], ret))
			r = read_stanza(d, source, &source->artifacts[i], ret, err);
	return r;
}

static int collect_installed(struct debian *d, struct buf *ret, struct varve_error *err)
{
	const json_t *list = json_object_get(d->ret->spec, "installed");
	size_t i;
	int r = 0;

	for (i = 0; i < json_array_size(list) && r == 0; i++)
		r = add_installed(d, json_array_get(list, i), ret, err);
	return r;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static int solve(struct debian *d, struct varve_error *err)
{
	CLEANUP(free_ptr) struct deb_packages *packages = xcalloc(d->count + 1, sizeof(*packages));
	CLEANUP(buf_release) struct buf installed = BUF_INIT;
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;
	CLEANUP(strv_release) struct strv pins = STRV_INIT;
	struct deb_question question;
	size_t i;
	int r;

	for (i = 0; i < d->count; i++)
		packages[i] = (struct deb_packages){.text = d->indexes[i].text,
						    .len = d->indexes[i].len,
						    .mirror = d->indexes[i].mirror,
						    .suite = d->indexes[i].suite,
						    .optional = d->indexes[i].optional};
	r = collect_installed(d, &installed, err);
	if (r < 0)
		return r;
	list_of(d, "packages", &wanted);
	list_of(d, "pins", &pins);
	question = (struct deb_question){
		.architecture = text_of(d, "architecture"),
		.indexes = packages,
		.index_count = d->count,
		.installed = buf_text(&installed),
		.packages = &wanted,
		.pins = &pins,
		.bootstrap = json_is_true(json_object_get(d->ret->spec, "bootstrap")) &&
			     !json_is_false(json_object_get(d->ret->spec, "dependencies")),
		.recommends = json_is_true(json_object_get(d->ret->spec, "recommends")),
		.alone = json_is_false(json_object_get(d->ret->spec, "dependencies")),
	};
	return deb_solve(&question, d->ret, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct lock_artifact *const *)a)->name,
		      (*(const struct lock_artifact *const *)b)->name);
}

static void take_size(struct lock_artifact **sorted, size_t count, const char *stanza)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT;
	CLEANUP(buf_release) struct buf size = BUF_INIT;
	struct lock_artifact key = {0}, *key_pointer = &key, **found;
	unsigned long long value;

	buf_add(&name, stanza, strcspn(stanza, "\n"));
	key.name = name.data;
	found = name.len == 0 ? NULL
			      : bsearch(&key_pointer, sorted, count, sizeof(struct lock_artifact *),
					by_name);
	if (found && is_stanza_of(stanza - strlen("Package: "), *found) &&
	    deb_stanza_field(stanza, "Size", &size) &&
	    str_to_u64(buf_text(&size), INT64_MAX, &value))
		(*found)->size = value;
}

/* libsolv does not keep the Size of what it reads from Packages files: one pass over the text does.
 */
static void take_sizes(struct debian *d)
{
	CLEANUP(free_ptr)
	struct lock_artifact **sorted = xcalloc(d->ret->count + 1, sizeof(struct lock_artifact *));
	static const char mark[] = "\nPackage: ";
	size_t i;

	for (i = 0; i < d->ret->count; i++)
		sorted[i] = &d->ret->artifacts[i];
	qsort(sorted, d->ret->count, sizeof(struct lock_artifact *), by_name);
	for (i = 0; i < d->count; i++) {
		const char *at = d->indexes[i].text;

		if (str_starts(at, mark + 1))
			take_size(sorted, d->ret->count, at + sizeof(mark) - 2);
		while ((at = strstr(at, mark))) {
			at += sizeof(mark) - 1;
			take_size(sorted, d->ret->count, at);
		}
	}
}

int source_debian_resolve(struct source_context *context, const struct lock *lock,
			  struct lock_source *ret, struct varve_error *err)
{
	CLEANUP(debian_release)
	struct debian d = {.context = context, .lock = lock, .ret = ret, .releases = json_object()};
	int r = add_all(&d, err);

	if (r == 0)
		r = solve(&d, err);
	if (r < 0)
		return r;
	take_sizes(&d);
	json_set(ret->facts, "date", json_integer(d.date));
	json_set(ret->facts, "releases", json_incref(d.releases));
	return 0;
}
