/* SPDX-License-Identifier: Apache-2.0
 * A list of strings that ends with NULL: argv, environment, names. */
#ifndef BASE_STRV_H
#define BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **items; /* count strings and a NULL; NULL while empty */
	size_t count;
	size_t alloc;
};

#define STRV_INIT                                                                                  \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void strv_release(struct strv *v); /* usable with CLEANUP */
void strv_add(struct strv *v, const char *text);
void strv_take(struct strv *v, char *take_text);
void strv_addf(struct strv *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strv_extend(struct strv *v, const struct strv *other);
bool strv_contains(const struct strv *v, const char *text);
void strv_sort(struct strv *v); /* bytewise */
/* Sets NAME=VALUE in a list of such: replaces where NAME is there, else adds. */
void strv_setenv(struct strv *v, const char *name, const char *value);
const char *strv_getenv(const struct strv *v, const char *name);
char *strv_join(const struct strv *v, const char *separator); /* caller frees */

#endif
