/* SPDX-License-Identifier: Apache-2.0
 * What makes bytes differ, and what cures it: the rules of varve-reproducible(7) as data. Pure.
 *
 *	difference (class, path, content) -> enum cure_rule -> struct cure
 *
 * A rule's id stands in each difference of varve diff --json ("rule") and never changes its
 * meaning. */
#ifndef AUDIT_CURE_H
#define AUDIT_CURE_H

#include <stddef.h>
#include "audit/difference.h"

enum cure_rule {
	CURE_NONE,
	/* Layers and images. */
	CURE_COMPRESSOR,
	CURE_ENTRY_ORDER,
	CURE_TAR_HEADERS,
	CURE_WHITEOUT_FORM,
	CURE_FILE_TIME,
	CURE_IMAGE_DATE,
	CURE_OWNER,
	CURE_UMASK,
	/* Words inside files. */
	CURE_TIMESTAMP,
	CURE_BUILD_PATH,
	CURE_TEMPORARY_NAME,
	CURE_HOST_NAME,
	CURE_RANDOM,
	CURE_PROCESS_ID,
	CURE_LINE_ORDER,
	CURE_LOCALE_SORT,
	CURE_LINE_ENDS,
	CURE_JSON_ORDER,
	/* Compilers and archives. */
	CURE_GCC_DATE,
	CURE_GCC_PATH,
	CURE_GCC_SEED,
	CURE_BUILD_ID,
	CURE_COMPILER_VERSION,
	CURE_DEBUG_LINK,
	CURE_NVCC,
	CURE_AR_STAMP,
	CURE_AR_ORDER,
	CURE_GZIP_STAMP,
	CURE_ZIP_STAMP,
	CURE_TAR_STAMP,
	CURE_MEMBER_ORDER,
	/* Python, git, Debian, databases. */
	CURE_PYC_TIME,
	CURE_PYC_PATH,
	CURE_PYC_VERSION,
	CURE_PYC_FLAGS,
	CURE_GIT_STATE,
	CURE_GIT_PACK,
	CURE_NINJA_LOG,
	CURE_DPKG_LOG,
	CURE_DPKG_STATUS_ORDER,
	CURE_APT_CACHE,
	CURE_LDCONFIG_CACHE,
	CURE_ALTERNATIVES,
	CURE_MACHINE_ID,
	CURE_SHADOW_DAY,
	CURE_SQLITE_STAMP,
	CURE_COUNT
};

struct cure {
	const char *id; /* "pyc-time": the name in JSON and in the man page */
	const char *why; /* what makes the bytes differ, a few words */
	const char *cure; /* what to do, one line */
};

/* NULL for CURE_NONE. */
const struct cure *cure_of(enum cure_rule rule);
/* NULL where no rule has the id (or id is NULL). */
const struct cure *cure_find(const char *id);
/* What the place alone tells: class, path and field; CURE_NONE where only the content can. */
enum cure_rule cure_for(enum difference_class class, const char *path, const char *field);

#endif
