/* SPDX-License-Identifier: Apache-2.0
 * libsolv's pool, filled from the text of Packages files. */
#ifndef SOURCE_DEB_POOL_H
#define SOURCE_DEB_POOL_H

#include <stddef.h>
#include <solv/pool.h>
#include <solv/repo.h>
#include <varve/error.h>

/* An empty pool with Debian's order of versions; -VARVE_E_HOST where libsolv was built without it.
 * Freed with pool_free. */
int deb_pool_new(const char *architecture, Pool **ret, struct varve_error *err);
/* Adds the stanzas of text (len bytes) as a repository of this name. */
int deb_pool_add(Pool *pool, const char *text, size_t len, const char *name, Repo **ret,
		 struct varve_error *err);

#endif
