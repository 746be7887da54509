/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "source/deb_archive.h"
#include "store/store.h"

enum { INDEX_RELEASE = 32 << 20 };
#define INDEX_LIMIT (1ULL << 30)

void deb_index_release(struct deb_index *index)
{
	if (index->text)
		munmap(index->text, index->mapped);
	free(index->mirror);
	free(index->suite);
	*index = (struct deb_index){0};
}

/* The directory with the suite's files, below the mirror; "" or ending with "/". Caller frees. */
static char *directory_of(const struct deb_suite *suite)
{
	if (!str_ends(suite->name, "/"))
		return xasprintf("dists/%s/", suite->name);
	return xstrdup(
		strcmp(suite->name, "/") == 0 || strcmp(suite->name, "./") == 0 ? "" : suite->name);
}

int deb_index_suite(struct source_context *context, const struct deb_suite *suite,
		    struct deb_release *ret, struct varve_digest *ret_digest,
		    struct varve_error *err)
{
	CLEANUP(free_ptr) char *directory = directory_of(suite);
	CLEANUP(free_ptr) char *url = xasprintf("%s/%sInRelease", suite->url, directory);
	CLEANUP(free_ptr) char *what = xasprintf("release file of %s", suite->name);
	CLEANUP(buf_release) struct buf signed_text = BUF_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r;

	r = source_download_text(context, url, INDEX_RELEASE, &signed_text, err);
	if (r == -VARVE_E_NOT_FOUND)
		varve_error_hint(err, "mirror \"%s\" has no suite \"%s\"", suite->mirror,
				 suite->name);
	if (r < 0)
		return r;
	digest_bytes(buf_text(&signed_text), signed_text.len, ret_digest);
	r = deb_release_verify(&signed_text, suite->keyring, what, &text, err);
	return r < 0 ? r : deb_release_parse(buf_text(&text), what, ret, err);
}

/* The smallest form that the suite lists. component NULL: of a flat archive. */
static const struct deb_release_file *choose(const struct deb_release *release,
					     const char *component, const char *architecture)
{
	static const char *const suffixes[] = {".xz", ".gz", ""};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		CLEANUP(free_ptr)
		char *path = component ? xasprintf("%s/binary-%s/Packages%s", component,
						   architecture, suffixes[i])
				       : xasprintf("Packages%s", suffixes[i]);
		const struct deb_release_file *file = deb_release_find(release, path);

		if (file)
			return file;
	}
	return NULL;
}

/* Names by digest stay right while the mirror is updated. Caller frees. */
static char *url_of(const struct deb_suite *suite, const struct deb_release_file *file,
		    bool by_hash)
{
	CLEANUP(free_ptr) char *directory = directory_of(suite);
	int len = (int)path_dir_len(file->path);
	char hex[VARVE_DIGEST_HEX];

	if (!by_hash)
		return xasprintf("%s/%s%s", suite->url, directory, file->path);
	return xasprintf("%s/%s%.*s%sby-hash/SHA256/%s", suite->url, directory, len, file->path,
			 len > 0 ? "/" : "", varve_digest_hex(&file->sha256, hex));
}

static int fetch(struct source_context *context, const struct deb_suite *suite,
		 const struct deb_release *release, const struct deb_release_file *file,
		 struct varve_error *err)
{
	struct source_download download = {.want = &file->sha256, .size = file->size};
	CLEANUP(free_ptr) char *what = xasprintf("index of %s", suite->name);
	CLEANUP(free_ptr) char *plain = url_of(suite, file, false);
	CLEANUP(free_ptr) char *by_hash = url_of(suite, file, true);
	int r;

	if (varve_store_has_blob(context->store, &file->sha256, NULL))
		return 0;
	download.url = release->by_hash ? by_hash : plain;
	r = source_download(context, &download, 1, what, err);
	if (r != -VARVE_E_NOT_FOUND || !release->by_hash)
		return r;
	/* Copies of an archive that were made file by file have no such names. */
	if (err)
		*err = (struct varve_error){0};
	download.url = plain;
	return source_download(context, &download, 1, what, err);
}

/* Maps one byte more than there is: the rest of the last page is zero, or one more page is. */
static int map_text(int fd, struct deb_index *ret, struct varve_error *err)
{
	struct stat st;
	void *text;

	if (fstat(fd, &st) < 0 || ftruncate(fd, st.st_size + 1) < 0)
		return varve_error_set(err, -errno, "read an index");
	text = mmap(NULL, (size_t)st.st_size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return varve_error_set(err, -errno, "map an index");
	ret->text = text;
	ret->len = (size_t)st.st_size;
	ret->mapped = ret->len + 1;
	return 0;
}

int deb_index_open(struct source_context *context, const struct deb_suite *suite,
		   const struct deb_release *release, const char *component, struct deb_index *ret,
		   struct varve_error *err)
{
	const struct deb_release_file *file = choose(release, component, suite->architecture);
	CLEANUP(fd_close) int blob = -1;
	CLEANUP(fd_close) int text = memfd_create("Packages", MFD_CLOEXEC);
	int r;

	if (!file && !component)
		return varve_error_set(err, -VARVE_E_RESOLVE, "suite %s lists no Packages file",
				       suite->name);
	if (!file)
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "suite %s has no component \"%s\" for %s", suite->name,
				       component, suite->architecture);
	r = fetch(context, suite, release, file, err);
	if (r == 0)
		r = varve_store_open_blob(context->store, &file->sha256, &blob, err);
	if (r == 0)
		r = text < 0 ? varve_error_set(err, -errno, "make a buffer")
			     : deb_decompress(blob, text, INDEX_LIMIT, err);
	if (r == 0)
		r = map_text(text, ret, err);
	if (r < 0)
		return r;
	ret->mirror = xstrdup(suite->mirror);
	ret->suite = xstrdup(suite->name);
	ret->optional = release->optional;
	return 0;
}
