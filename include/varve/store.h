/* SPDX-License-Identifier: Apache-2.0
 * The store: a local directory that is also a valid OCI image layout. See varve-store(5).
 *
 *	oci-layout index.json blobs/sha256/HEX    images, layers, artifacts; readable by other tools
 *	steps/KEYHEX.json                         records
 *	trees/OWNERMODE/DIFFIDHEX/{fs/,implied}   unpacked layers
 *	roots/NAME.json                           lists of blobs that gc keeps: artifacts of sources
 *	facts/NAME                                caches: may be deleted at any time
 *	caches/NAME/                              cache mounts of steps
 *	logs/KEYHEX.log                           output of steps
 *	failed/KEYHEX/                            upper directories of failed steps, for `varve
 *shell` lock/NAME tmp/JOB/ uploads/               advisory locks; work in progress; push sessions
 *
 * Every file appears under its name only when it is whole: temporary name, fsync, rename, fsync of
 *the directory. Blobs are verified when read the first time in a process. A store in a process is
 *for one thread at a time. */
#ifndef VARVE_STORE_H
#define VARVE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct varve_store;

/* Where the store lies when nothing is said: VARVE_STORE, else $XDG_DATA_HOME/varve, else
 * ~/.local/share/varve. Caller frees. -VARVE_E_USAGE when none of them is set. */
int varve_store_default_path(char **ret, struct varve_error *err);
/* Opens, and makes what is missing. Takes a shared lock for as long as it is open (gc takes it
 * alone). */
int varve_store_open(const char *path, struct varve_store **ret, struct varve_error *err);
void varve_store_close(struct varve_store *store);
void varve_store_closep(struct varve_store **store);

/* True and the size (may be NULL) when the blob is there. Does not verify. */
bool varve_store_has_blob(const struct varve_store *store, const struct varve_digest *digest,
			  uint64_t *ret_size);
/* Opens a blob for reading, verified against its digest the first time in this process. */
int varve_store_open_blob(struct varve_store *store, const struct varve_digest *digest, int *ret_fd,
			  struct varve_error *err);

#endif
