/* SPDX-License-Identifier: Apache-2.0
 * Python package indexes, by the JSON form of the simple API (PEP 691, 700, 592), or else its HTML
 * form (PEP 503): INDEX/PROJECT/ lists a project's files. An index is known by a name; "pypi" is
 * the main one. */
#ifndef SOURCE_PYTHON_INDEX_H
#define SOURCE_PYTHON_INDEX_H

#include "source/source_kind.h"

#define PYTHON_MAIN_INDEX "pypi"

struct python_file {
	char *name; /* file name */
	char *url; /* absolute */
	struct varve_digest sha256;
	bool has_sha256;
	uint64_t size; /* bytes, 0: the index does not say */
	int64_t date; /* of upload, seconds since 1970, 0: the index does not say */
	char *yanked; /* why its publisher withdrew it; "" without a reason; NULL: not withdrawn */
};
/* What an index says of a project. */
struct python_page {
	bool found; /* false: the index does not have the project */
	struct python_file *files;
	size_t count, alloc;
};
void python_page_release(struct python_page *page);
const struct python_file *python_page_find(const struct python_page *page, const char *name);

/* Text -> page. url: of the page, relative links start there. what: for errors. Pure. A file whose
 * entry makes no sense is an error; unknown members are passed over. */
int python_page_parse(const char *text, size_t len, const char *url, const char *what,
		      struct python_page *ret, struct varve_error *err);

/* Digest and size of a file. What the index does not hash is brought into the store and measured:
 * as with a url source, the first lock trusts. */
int python_file_identity(struct source_context *context, const struct python_file *file,
			 struct varve_digest *ret_sha256, uint64_t *ret_size,
			 struct varve_error *err);

/* URL of an index, without slash at the end: --mirror and the like; uv's UV_INDEX ("NAME=URL"); for
 * the main index also what uv and pip are set to by environment, and what pip says that it uses. A
 * name that stands for nothing here is -VARVE_E_HOST saying how to set it. Caller frees. */
int python_index_url(struct source_context *context, const char *index, char **ret,
		     struct varve_error *err);
/* Pages of projects (normalised names), several at once; each of ret is the caller's to release. */
int python_pages(struct source_context *context, const char *index, const struct strv *projects,
		 struct python_page *ret, struct varve_error *err);

/* An absolute URL -> what a lock says of it: "pypi:packages/..." where the index keeps its files in
 * such a place, whose beginning is learnt; else "pypi:FILE". Caller frees. */
char *python_from(struct source_context *context, const char *index,
		  const struct python_file *file);

#endif
