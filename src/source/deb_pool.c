/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <solv/poolarch.h>
#include <solv/repo_deb.h>

typedef __typeof__(repo_add_debpackages) add_packages;

/* libsolvext brings the libraries of rpm with it: a millisecond of the dynamic linker [measured on
 * Debian 12, where libsolv itself takes none to speak of]. Only `varve lock` has to pay for it. */
static int load_reader(add_packages **ret, struct varve_error *err)
{
	void *library = dlopen("libsolvext.so.1", RTLD_NOW | RTLD_LOCAL);
	void *symbol = library ? dlsym(library, "repo_add_debpackages") : NULL;

	if (!symbol)
		return varve_error_set(err, -VARVE_E_HOST,
				       "reading Debian's package indexes needs libsolvext: %s\n"
				       "install it (package libsolvext1 on Debian and Ubuntu)",
				       dlerror());
	/* A pointer to a function has the size of one to data here (POSIX, dlsym). */
	memcpy(ret, &symbol, sizeof(symbol));
	return 0;
}

int deb_pool_new(const char *architecture, Pool **ret, struct varve_error *err)
{
	Pool *pool = pool_create();

	if (pool_setdisttype(pool, DISTTYPE_DEB) < 0) {
		pool_free(pool);
		return varve_error_set(err, -VARVE_E_HOST,
				       "libsolv of this host does not know Debian's versions");
	}
	pool_setarch(pool, architecture);
	*ret = pool;
	return 0;
}

int deb_pool_add(Pool *pool, const char *text, size_t len, const char *name, Repo **ret,
		 struct varve_error *err)
{
	Repo *repo = repo_create(pool, name);
	add_packages *add = NULL;
	FILE *stream;
	int r = 0;

	*ret = repo;
	if (len == 0)
		return 0;
	r = load_reader(&add, err);
	if (r < 0 || !add)
		return r;
	/* fmemopen only reads; its type has no const. */
	stream = fmemopen((void *)(uintptr_t)text, len, "r");
	if (!stream)
		return varve_error_set(err, -errno, "read a package index");
	if (add(repo, stream, 0) != 0)
		r = varve_error_set(err, -VARVE_E_FORMAT, "package index of %s: %s", name,
				    pool_errstr(pool));
	(void)fclose(stream);
	return r;
}
