/* SPDX-License-Identifier: Apache-2.0
 * What mounts would put into a root, without mounts: private directories and caches are renamed
 * into their places, sources are copied, and what was there waits aside. Afterwards all of it is
 * taken away again and what was there comes back. */
#ifndef SANDBOX_SANDBOX_FURNISH_H
#define SANDBOX_SANDBOX_FURNISH_H

#include <stddef.h>
#include "sandbox/sandbox.h"

/* One place that was furnished. */
struct sandbox_piece {
	int parent; /* descriptor of the directory that the name is in */
	char *name;
	char *aside; /* name, in the directory aside, of what was there; NULL: nothing */
	char *home; /* path that it goes back to; NULL: it is removed */
};

struct sandbox_furniture {
	int root; /* descriptor */
	int aside; /* descriptor of ROOT.aside, in the same file system */
	char *aside_path;
	int caches; /* lock of the directory that caches come from; -1: none was needed */
	struct sandbox_piece *pieces; /* in order of placement */
	size_t count, alloc;
};
#define SANDBOX_FURNITURE_INIT                                                                     \
	{                                                                                          \
		-1, -1, NULL, -1, NULL, 0, 0                                                       \
	}
void sandbox_furniture_release(struct sandbox_furniture *f);

/* Furnishes spec->root with an empty /proc, /dev, /tmp, /run and the binds. Devices that this
 * process may not make are left out, and said on notice_fd in a line. A writable bind has to lie in
 * the root's file system; while it is in use it is not at home, and others that want one from the
 * same directory wait. sandbox_clear is due also after a failure. */
int sandbox_furnish(const struct sandbox_host *host, const struct sandbox_spec *spec, int notice_fd,
		    struct sandbox_furniture *ret, struct varve_error *err);
/* Takes all of it away, in reverse. What the command removed itself is passed over. */
int sandbox_clear(struct sandbox_furniture *f, struct varve_error *err);

#endif
