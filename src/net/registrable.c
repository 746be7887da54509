/* SPDX-License-Identifier: Apache-2.0 */
#include "net/registrable.h"

#include <ctype.h>
#include <dlfcn.h>
#include <libpsl.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/http_reach.h"

/* The list is in lower case. Caller frees. */
static char *lower(const char *host)
{
	char *text = xstrdup(host);

	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

/* Borrowed from host or static. */
static const char *domain_of(void *library, const char *host)
{
	const psl_ctx_t *(*builtin)(void) = NULL;
	const char *(*registrable)(const psl_ctx_t *, const char *) = NULL;
	void *symbols[] = {dlsym(library, "psl_builtin"), dlsym(library, "psl_registrable_domain")};

	if (!symbols[0] || !symbols[1])
		return NULL;
	/* A pointer to a function has the size of one to data here (POSIX, dlsym). */
	memcpy(&builtin, &symbols[0], sizeof(builtin));
	memcpy(&registrable, &symbols[1], sizeof(registrable));
	return builtin() ? registrable(builtin(), host) : NULL;
}

bool registrable_is_common(const char *a, const char *b)
{
	CLEANUP(free_ptr) char *one = lower(a);
	CLEANUP(free_ptr) char *other = lower(b);
	const char *domain;
	void *library;
	bool common;

	/* To the list an address is a name like any other. */
	if (http_reach_of(a) != HTTP_REACH_UNKNOWN || http_reach_of(b) != HTTP_REACH_UNKNOWN)
		return false;
	library = dlopen("libpsl.so.5", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return false;
	domain = domain_of(library, one);
	common = domain && str_equal(domain, domain_of(library, other));
	(void)dlclose(library);
	return common;
}
