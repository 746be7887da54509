/* SPDX-License-Identifier: Apache-2.0
 * Descriptors that were opened before sandbox_spawn (and all that is opened relative to them)
 * belong to mounts of the parent's namespace. Reading and writing works; mounting from or on them
 * does not. */
#ifndef SANDBOX_SANDBOX_PLACE_H
#define SANDBOX_SANDBOX_PLACE_H

/* The path by which our own namespace reaches the directory fd. Caller frees. -ESTALE when
 * something else is there. */
int sandbox_place(int fd, char **ret);

#endif
