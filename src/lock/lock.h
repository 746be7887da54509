/* SPDX-License-Identifier: Apache-2.0
 * The lock: which bytes each source of a recipe stands for. A JSON file beside the recipe,
 *canonical members, one line per artifact, made for diffs in review:
 *
 *	{"varve-lock":1,"sources":[
 *	{"name":"system","spec":{...},"facts":{...},"artifacts":[
 *	{"name":"bash","version":"5.2.15-2","architecture":"amd64","size":1,"sha256":"...","from":"debian:pool/..."},
 *	...]},
 *	...]}
 *
 * "version", "architecture" and "date" are left out where there is none; further members of an
 *artifact, sorted, come after "from" and "date". Sources are ordered by name, then by spec digest;
 *artifacts keep the order of the resolver, which is meaningful (the order of installation). "from"
 *is symbolic: mirror name, ":", relative path. */
#ifndef LOCK_LOCK_H
#define LOCK_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/json.h"

struct buf;
struct strv;

struct lock_artifact {
	char *name; /* package or file name */
	char *version; /* "" where there is none */
	char *architecture; /* "" where there is none */
	uint64_t size; /* bytes */
	struct varve_digest sha256;
	char *from; /* symbolic location: "debian:pool/main/b/bash/bash_5.2_amd64.deb", or a URL
		       that the recipe itself states */
	int64_t date; /* seconds since 1970 of its publication, 0: unknown */
	json_t *extra; /* further members by source kind ({"essential":true}); NULL: none; owned */
};

struct lock_source {
	char *name; /* of the source in the recipe */
	json_t *spec; /* resolved spec; owned */
	struct varve_digest digest; /* of the canonical spec: how an entry is found */
	json_t *facts; /* {"date":n,...}: what resolving found out; owned, never NULL */
	struct lock_artifact *artifacts;
	size_t count, alloc;
};

struct lock {
	struct lock_source *sources;
	size_t count, alloc;
};

#define LOCK_INIT                                                                                  \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void lock_release(struct lock *lock); /* for CLEANUP */
void lock_source_release(struct lock_source *source);
void lock_artifact_release(struct lock_artifact *artifact);

/* Text -> lock. name: the file's, for errors (-VARVE_E_LOCK). Checks everything: types, digests,
 * sizes, clean names, duplicate entries. */
int lock_parse(const char *text, size_t len, const char *name, struct lock *ret,
	       struct varve_error *err);
void lock_format(const struct lock *lock,
		 struct buf *out); /* parse o format = identity, byte for byte */
/* The file; an absent file is an empty lock. */
int lock_read(const char *path, struct lock *ret, struct varve_error *err);
int lock_write(const char *path, const struct lock *lock, struct varve_error *err); /* atomic */

/* A python source also lists the program that installs its wheels: the member "tool" is "only"
 * where that is all it is there for, "also" where the recipe wants it as a package too. */
bool lock_artifact_is_tool(const struct lock_artifact *artifact);
bool lock_artifact_is_content(const struct lock_artifact *artifact);

/* Borrowed, or NULL. */
const struct lock_source *lock_find(const struct lock *lock, const char *name,
				    const struct varve_digest *spec_digest);
struct lock_artifact *lock_source_add(
	struct lock_source *source); /* a zeroed artifact at the end */
/* Puts the source in its place; replaces an entry of equal name and spec. */
void lock_put(struct lock *lock, struct lock_source *take_source);
/* Says the difference in words, a line each, sources and artifacts in order: "system: bash 5.2-1 ->
 * 5.2-2", "system: + curl 7.88", "system: - jq 1.6", "system: +1 package, -1, 1 changed; 3.1 MB ->
 * 3.3 MB", "app: main 1a2b3c4d5e6f -> 9f8e7d6c5b4a". Nothing where there is none. */
void lock_diff(const struct lock *before, const struct lock *after, struct strv *ret_lines);

#endif
