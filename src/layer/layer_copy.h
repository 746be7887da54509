/* SPDX-License-Identifier: Apache-2.0
 * Copies of single files: content (reflinked where the file system can, holes kept), owner, mode,
 * time and extended attributes. */
#ifndef LAYER_LAYER_COPY_H
#define LAYER_LAYER_COPY_H

#include <sys/stat.h>
#include "base/owner.h"
#include "layer/layer_xattr.h"

struct layer_copy {
	const struct owners *owners;
	enum layer_xattr_form from_form, to_form;
	int from, to; /* directories */
	const char *name, *to_name; /* in them; to_name is not there yet */
};

/* Copies what is no directory; st is what owner_read says of it. A socket is passed over: no layer
 * has any. Functions return 0 or -errno. */
int layer_copy_file(const struct layer_copy *copy, const struct stat *st);
/* Gives the directory to/to_name, already made and filled, the attributes of from/name. */
int layer_copy_directory(const struct layer_copy *copy, const struct stat *st);

#endif
