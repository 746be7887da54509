/* SPDX-License-Identifier: Apache-2.0
 * A document that the user wants in a file of his own. */
#ifndef CLI_WRITTEN_FILE_H
#define CLI_WRITTEN_FILE_H

#include <varve/error.h>

struct buf;

/* Written whole or not at all; what is there is replaced. */
int written_file(const char *path, const struct buf *text, struct varve_error *err);

#endif
