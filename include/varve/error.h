/* SPDX-License-Identifier: Apache-2.0
 * Errors of libvarve. A caller owns a struct varve_error on its stack and passes it down; it is
 * filled once, where the failure happened. Functions return 0 (or a documented count) or a
 * negative code: -errno, or -VARVE_E_*. */
#ifndef VARVE_ERROR_H
#define VARVE_ERROR_H

#include <stdarg.h>

/* Codes that errno has no word for. They start where errno ends, so that one int holds both. */
enum varve_code {
	VARVE_E_USAGE = 1024, /* arguments that make no sense */
	VARVE_E_RECIPE, /* the recipe, or an option value for it, is wrong */
	VARVE_E_LOCK, /* the lock is malformed, stale where it must not be, or incomplete */
	VARVE_E_FORMAT, /* a document or archive from outside is malformed */
	VARVE_E_LIMIT, /* a document or archive is larger than we accept */
	VARVE_E_DIGEST, /* bytes differ from their digest or size */
	VARVE_E_RESOLVE, /* no solution: a package, version or reference does not exist */
	VARVE_E_HOST, /* this host lacks something that is needed */
	VARVE_E_NETWORK, /* a server cannot be reached, or answered with a failure */
	VARVE_E_STEP, /* a step's own command failed */
	VARVE_E_CHECK, /* a check of an image failed */
	VARVE_E_COMPARE, /* a comparison failed: --expect-cached, audit, verify */
	VARVE_E_NOT_FOUND, /* the store has no such thing */
	VARVE_E_CANCELLED, /* stopped by a signal or because another step failed */
	VARVE_E_SECRET, /* a step left one of its secrets in what it made or printed */
};

enum { VARVE_ERROR_TEXT = 1024 };

struct varve_error {
	int code; /* the negative code that was returned, 0 while unset */
	unsigned line, column; /* place in the recipe, counted from 1; 0 where there is none */
	char text[VARVE_ERROR_TEXT]; /* one to three lines, no newline at the end */
};

/* Formats the text and returns code. For code > -1024 ": <strerror>" is appended. A NULL err is
 * allowed: only the code is returned then. Text that does not fit is cut at the end. */
int varve_error_set(struct varve_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Like varve_error_set with -VARVE_E_RECIPE, for a place in a file: the text becomes
 * "FILE:LINE:COLUMN: ...". */
int varve_error_at(struct varve_error *err, const char *file, unsigned line, unsigned column,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Puts "CONTEXT: " before the text, or a further line ("what to do next") after it. */
void varve_error_prefix(struct varve_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void varve_error_hint(struct varve_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
