/* SPDX-License-Identifier: Apache-2.0
 * The parts of the store that the rest of the library uses. Layout and promises: <varve/store.h>.
 * Descriptors handed out stay valid until the store is closed and are inherited by forked workers.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stddef.h>
#include <varve/store.h>
#include "base/descriptor.h"
#include "base/json.h"
#include "base/owner.h"
#include "base/strv.h"
#include "base/sink.h"
#include "base/tempfile.h"

struct buf;

/* --- blobs -------------------------------------------------------------------------------------
 */
/* A blob being written: a sink that hashes. Commit moves it to its name; an existing blob wins. */
struct store_blob_writer {
	struct sink sink; /* write here; close = flush only */
	struct varve_store *store;
	struct tempfile file;
	struct hasher *hasher;
	uint64_t written;
	bool is_hashed; /* set by the caller who hashes what he writes: commit takes his digest */
};
int store_blob_begin(struct varve_store *store, struct store_blob_writer *ret,
		     struct varve_error *err);
/* want != NULL: refuses other bytes with -VARVE_E_DIGEST naming both digests; is_hashed: it is the
 * digest. */
int store_blob_commit(struct store_blob_writer *w, const struct varve_digest *want,
		      struct varve_digest *ret_digest, struct varve_error *err);
/* For CLEANUP; harmless after commit and on a writer that is all zero ("= {0}"). */
void store_blob_abort(struct store_blob_writer *w);
/* A finished file in the store's file system, on its way to be a blob; all borrowed. */
struct store_adoption {
	int fd, dirfd; /* the file, open; the directory that has its name */
	const char *name;
	const struct varve_digest *digest; /* computed by the caller while writing */
};
/* Starts writing a finished file to the disk, so that adopting it later waits less. */
void store_blob_hurry(int fd);
/* Takes finished files as the blobs with these digests; their names are gone afterwards. Several at
 * once cost one sync of the directory. */
int store_blobs_adopt(struct varve_store *store, const struct store_adoption *blobs, size_t count,
		      struct varve_error *err);
/* The same for one. */
int store_blob_adopt(struct varve_store *store, int fd, int dirfd, const char *name,
		     const struct varve_digest *digest, struct varve_error *err);
int store_blob_put(struct varve_store *store, const void *data, size_t len,
		   struct varve_digest *ret_digest, struct varve_error *err);
/* Reads a small blob whole (at most limit bytes). */
int store_blob_read(struct varve_store *store, const struct varve_digest *digest, size_t limit,
		    struct buf *ret, struct varve_error *err);
/* What a blob's file looks like, to know it again by: device, inode, size and mtime. The ctime is
 * left out, since each hard link and each removal of one changes it. */
enum { STORE_BLOB_LOOK = 96 };
void store_blob_look(const struct stat *st, char text[STORE_BLOB_LOOK]);
/* Opens a blob that is to be handed on as a file, unread: hashed only where it does not look as
 * when it was hashed last. Whoever reads the bytes verifies them. */
int store_blob_open_whole(struct varve_store *store, const struct varve_digest *digest, int *ret_fd,
			  struct varve_error *err);
/* Hard-links (else copies) the blob to dirfd/name; for mounting artifacts under their file names.
 */
int store_blob_link(struct varve_store *store, const struct varve_digest *digest, int dirfd,
		    const char *name, struct varve_error *err);
/* Descriptor of blobs/sha256; for exporters that link or copy. */
int store_blobs_fd(const struct varve_store *store);

/* --- records -----------------------------------------------------------------------------------
 */
/* What is known of a step's key. */
struct store_record {
	struct varve_digest key;
	json_t *input; /* the canonical JSON whose sha256 is the key; owned */
	struct layer_list layers; /* none: the step changed nothing; owned */
	char compression[16]; /* canonical name, e.g. "zstd:3" */
	char compressor[32]; /* library and version */
	char step[128]; /* "recipe/stage/step" that made it, for explain and messages */
};
void store_record_release(struct store_record *record);
/* -VARVE_E_NOT_FOUND without a text where there is none; also where its blob is gone. A record that
 * does not parse, or whose input does not hash to the key, counts as absent. */
int store_record_read(struct varve_store *store, const struct varve_digest *key,
		      struct store_record *ret, struct varve_error *err);
int store_record_write(struct varve_store *store, const struct store_record *record,
		       struct varve_error *err);
/* To be called when another machine has written records or blobs of which this process may have
 * heard before that they are not there: an NFS client remembers that for up to a minute, until the
 * directory changes under its own hands. Fails never. */
void store_refresh(struct varve_store *store);
/* The document as it lies in steps/, for those who carry records elsewhere. */
json_t *store_record_to_json(const struct store_record *record);
/* The key is that of the input: the caller compares it with the one that it wanted.
 * -VARVE_E_FORMAT without a text. */
int store_record_from_json(const json_t *object, struct store_record *ret);
/* Finds another blob of the same diff id and compression (facts/blob/DIFFID.NAME). */
int store_blob_of_layer(struct varve_store *store, const struct varve_digest *diff_id,
			const char *compression, struct varve_layer *ret);
int store_note_blob_of_layer(struct varve_store *store, const struct varve_layer *layer,
			     const char *compression, struct varve_error *err);

/* --- trees -------------------------------------------------------------------------------------
 */
/* What cannot be said inside a tree lies beside it. */
struct store_tree_lists {
	struct strv implied; /* directories that have no entry: layer.h */
	struct strv links; /* owners that inodes cannot hold: base/owner_links.h */
	bool devices; /* there are some, as records: base/owner.h */
};
#define STORE_TREE_LISTS_INIT                                                                      \
	{                                                                                          \
		STRV_INIT, STRV_INIT, false                                                        \
	}
void store_tree_lists_release(struct store_tree_lists *lists);
/* Opens trees/FORM/DIFFID: descriptor of fs/ and the lists. -VARVE_E_NOT_FOUND if absent. FORM is
 * owner_mode_name, with "-files" after it where whiteouts are files: overlayfs must never see such
 * a tree. */
int store_tree_open(struct varve_store *store, const struct owners *owners,
		    const struct varve_digest *diff_id, int *ret_fs_fd,
		    struct store_tree_lists *ret, struct varve_error *err);
bool store_tree_exists(const struct varve_store *store, const struct owners *owners,
		       const struct varve_digest *diff_id);
/* Adopts job_dirfd/name (a directory that is the tree's fs) as the tree; an existing tree wins and
 * ours is left where it is. The tree becomes visible only when whole. */
int store_tree_adopt(struct varve_store *store, const struct owners *owners,
		     const struct varve_digest *diff_id, int job_dirfd, const char *name,
		     const struct store_tree_lists *lists, struct varve_error *err);

/* --- scratch -----------------------------------------------------------------------------------
 */
/* Trees, and what steps work in, may lie in a directory of this machine: for a store that other
 * machines see, or whose file system can hold no upper directory of an overlay. path: a directory
 * that is there; what is ours in it is varve-UID, mode 0700. -VARVE_E_HOST where it cannot be used.
 * From then on the functions for trees use it, and so does what is done with store_work. */
int store_use_scratch(struct varve_store *store, const char *path, struct varve_error *err);
void store_drop_scratch(struct varve_store *store); /* back to the store itself */
/* The store itself, or its scratch directory, for: jobs of steps, locks of trees, "failed", path
 * and descriptor. */
struct varve_store *store_work(struct varve_store *store);
bool store_is_scratch(const struct varve_store *store);
/* Returns r. Where it means that there is no space, replaces the text by one that says where and
 * what to do; what: "a blob", "index.json". */
int store_failed(const struct varve_store *store, int r, const char *what, struct varve_error *err);

/* --- work in progress --------------------------------------------------------------------------
 */
/* Makes tmp/RANDOM, held by a lock until release (or death); what is left of the dead is removed by
 * store_sweep. */
struct store_job {
	int dirfd; /* the directory */
	int lock_fd;
	char name[48]; /* RANDOM */
	char *path; /* absolute path, for mounts and messages */
};
#define STORE_JOB_INIT                                                                             \
	{                                                                                          \
		-1, -1, "", NULL                                                                   \
	}
int store_job_begin(struct varve_store *store, struct store_job *ret, struct varve_error *err);
void store_job_release(struct store_job *job); /* closes; does not remove */
int store_job_remove(struct varve_store *store, struct store_job *job); /* and releases */
/* True when tmp/, of the store or its scratch directory, holds directories of dead jobs;
 * store_sweep removes them (to be called where the owners of their files can be removed: in a user
 * namespace for OWNER_SUBUID). */
bool store_needs_sweep(struct varve_store *store);
int store_sweep(struct varve_store *store, struct varve_error *err);

/* To be called once by a worker that has its own mount namespace, before it mounts anything from
 * the store: opens the store's directories anew, since the kernel builds no overlay from
 * descriptors that belong to another mount namespace. */
int store_reopen(struct varve_store *store, struct varve_error *err);

/* --- the rest ----------------------------------------------------------------------------------
 */
const char *store_path(const struct varve_store *store); /* absolute */
int store_dirfd(const struct varve_store *store);
/* Opens (and makes) a directory of the store: "caches/ccache", "logs". */
int store_open_dir(struct varve_store *store, const char *path, int *ret_fd,
		   struct varve_error *err);
/* Lock "step-HEX" and the like; wait=false: -EWOULDBLOCK when held elsewhere. */
int store_lock(struct varve_store *store, const char *name, bool exclusive, bool wait, int *ret_fd,
	       struct varve_error *err);
/* Facts: small files, no promise. */
int store_fact_read(struct varve_store *store, const char *name, struct buf *ret);
int store_fact_write(struct varve_store *store, const char *name, const void *data, size_t len);

/* --- roots -------------------------------------------------------------------------------------
 */
/* Keeps blobs that no image names (artifacts): roots/NAME.json lists them, and gc spares them while
 * the file is younger than its keep_seconds. Setting the same list again touches the file, at most
 * once a day, and writes nothing. name: one path component. */
int store_root_set(struct varve_store *store, const char *name, const struct varve_digest *digests,
		   size_t count, struct varve_error *err);

/* --- index.json --------------------------------------------------------------------------------
 */
/* Names in index.json (annotation org.opencontainers.image.ref.name). Locked read-modify-write. */
int store_index_read(struct varve_store *store, json_t **ret, struct varve_error *err);
/* Sets name -> manifest; an equal entry is left alone without a write. An older manifest of the
 * same name leaves the index. annotations: further annotations of the entry, may be NULL
 * (borrowed). */
int store_index_set(struct varve_store *store, const char *name,
		    const struct varve_descriptor *manifest, const json_t *annotations,
		    struct varve_error *err);
/* The same for several in one write; of equal names the last one. */
struct store_name {
	char *name;
	struct varve_descriptor manifest;
};
int store_index_set_all(struct varve_store *store, const struct store_name *names, size_t count,
			struct varve_error *err);
int store_index_find(struct varve_store *store, const char *name_or_digest,
		     struct varve_descriptor *ret, struct varve_error *err);
int store_index_remove(struct varve_store *store, const char *name, struct varve_error *err);

/* --- space -------------------------------------------------------------------------------------
 */
struct store_usage {
	uint64_t blobs, trees, records, facts, caches, logs, temporary,
		other; /* bytes on disk (st_blocks) */
	uint64_t scratch; /* bytes in the scratch directory, which no other member counts */
	uint64_t blob_count, tree_count, record_count;
};
int store_du(struct varve_store *store, struct store_usage *ret, struct varve_error *err);

struct store_gc_options {
	bool dry_run;
	uint64_t keep_seconds; /* records and what they name stay when read or written within this
				  time */
	bool trees, caches, logs; /* drop all trees / caches / logs, which can be made again */
};
struct store_gc_result {
	uint64_t bytes, blobs, trees, records;
};
/* Marks from index.json, kept records and locked jobs; removes the rest. The caller's store must be
 * the only one open (takes the exclusive lock; -EWOULDBLOCK with a text when builds are running).
 * Trees of OWNER_SUBUID need a user namespace around the call. */
int store_gc(struct varve_store *store, const struct store_gc_options *options,
	     struct store_gc_result *ret, struct varve_error *err);

#endif
