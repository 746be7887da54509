/* SPDX-License-Identifier: Apache-2.0
 * Where the files with credentials lie. */
#ifndef NET_CREDENTIALS_FILE_H
#define NET_CREDENTIALS_FILE_H

#include "base/json.h"
#include "base/strv.h"

/* All that are looked at, in order. */
void credentials_files(const char *authfile, struct strv *ret);
/* An object, empty where there is no file. Its secrets never come into the error's text. */
int credentials_file_read(const char *path, json_t **ret, struct varve_error *err);

#endif
