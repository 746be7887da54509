/* SPDX-License-Identifier: Apache-2.0
 * Paths inside a root: checks of names from outside, and resolution that cannot leave the root. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* True for a relative path of normal components: no "", ".", "..", no NUL, no leading '/'. */
bool path_is_clean(const char *path);
/* "/a/./b//c/" -> "a/b/c", "/" -> "" ; NULL where ".." appears. Caller frees. */
char *path_clean(const char *path);
/* DIR + "/" + NAME; DIR may be "" (then NAME alone). Caller frees. */
char *path_join(const char *dir, const char *name);
/* The part after the last '/', and the length of the part before it (0 where there is none). */
const char *path_base(const char *path);
size_t path_dir_len(const char *path);

/* Opens the directory PATH (clean) below root for a change in it, following symlinks inside the
 * root only (absolute links start at root again, ".." stops there); -ELOOP after 40. With create,
 * missing components are made 0755. Returns a descriptor or -errno. Used by unpackers. */
int path_open_dir_in(int root, const char *path, bool create);

#endif
