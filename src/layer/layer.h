/* SPDX-License-Identifier: Apache-2.0
 * Layers between their two forms: a tree (a directory, ready to be an overlay lower) and a tar
 *blob.
 *
 *	upper --layer_normalise--> tree --layer_write--> tar --compress--> blob
 *	blob --layer_apply--> tree
 *
 * A tree holds exactly what its blob unpacks to, in overlayfs's form: a whiteout is a character
 *device 0:0 (or the record of one: owners->file_whiteouts); an opaque directory (foreign layers
 *only) carries user.overlay.opaque=y. Directories that have no tar entry and exist only as parents
 *of entries are "implied": their paths are kept beside the tree as a sorted list, since their
 *attributes belong to the layers below (layer_parents). Paths are relative to the root, clean,
 *without "./". One total order everywhere: a directory before its content; in a directory whiteouts
 *first, then names bytewise. The root itself is 0755 0:0 with time 0 in every tree, has no entry
 *and is in no list; entries for it in foreign layers are passed over. Devices are records
 *(base/owner.h). All functions work on the view of one user namespace: ids are those of the image.
 */
#ifndef LAYER_LAYER_H
#define LAYER_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <varve/descriptor.h>
#include <varve/error.h>
#include "base/owner.h"

struct sink;
struct strv;

/* The version of the rules below, a member of every key: bytes of layers change only with it. */
enum { LAYER_RULES_VERSION = 2 };

/* What the recipe says about the owner of a path. Members that are -1 stay as they are. */
struct layer_ownership {
	const char *path; /* clean path or fnmatch(3) pattern (FNM_PATHNAME); a trailing "/" + "**":
			     the directory and all below it */
	int64_t uid, gid, mode;
};

/* How far the owners in an upper are to be trusted. */
enum layer_trust {
	LAYER_EXACT,
	LAYER_UNSEEN, /* all changes are there, but commands saw 0:0 only: a file of another owner
			 below that was made anew may have lost him, which is told as a notice */
	LAYER_LOST, /* no change is there: all is 0:0. A regular file that gains a set-id bit is
		       refused, unless the rules of ownership state its mode */
};

struct layer_rules {
	const struct owners *owners;
	enum layer_trust trust;
	int64_t epoch; /* seconds; later mtimes are set to it */
	const char *const *scrub; /* patterns as in layer_ownership: matching non-directories that
				     the step made are removed; ends with NULL; may be NULL */
	const char *const *mounts; /* clean paths that the runner mounted on: dropped with their
				      parents where new and empty; ends with NULL; may be NULL */
	const struct layer_ownership *ownership;
	size_t ownership_count;
};

/* Things that a user should hear of; each call may add lines. */
struct layer_notices {
	struct strv *lines; /* borrowed; NULL: dropped */
};

/* Turns an overlay's upper directory into the tree of its layer, in place: scrubs, drops what
 * equals the lower view (content compared byte by byte where type, owners, mode, xattrs and size
 * agree), makes opaque directories explicit whiteouts, drops whiteouts of nothing, strips overlay's
 * and our xattrs, applies ownership, clamps times to whole seconds <= epoch, patches the source
 * time in mtime-based .pyc files, removes sockets with a notice. Inodes are changed in
 * place: an upper must share none (hard links) with other trees. lower is a directory descriptor of
 * the merged view below, or -1 where there is none. An entry named ".wh.*" is -VARVE_E_FORMAT.
 * ret_implied: sorted; caller releases. */
int layer_normalise(int upper, int lower, const struct layer_rules *rules,
		    const struct layer_notices *notices, struct strv *ret_implied,
		    struct varve_error *err);

/* Writes the tree as a deterministic tar (ustar; pax records only where needed) into out, which is
 * closed. ret_entries counts tar entries. Files are read once. */
int layer_write(int tree, const struct strv *implied, const struct owners *owners,
		struct sink *take_out, uint64_t *ret_entries, struct varve_error *err);

/* How a blob is compressed. Bytes depend on kind, level and library version, never on threads. */
enum layer_compression_kind { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD, LAYER_CHUNKED };
struct layer_frames;
struct layer_marks;
struct layer_vouch;
struct layer_compression {
	enum layer_compression_kind kind;
	int level; /* of the kind's own scale; ignored for LAYER_PLAIN */
	/* LAYER_CHUNKED, all borrowed, all may be NULL: */
	const struct layer_frames *known; /* what may be used again, as it came from the same
					     compressor (layer_frames.h) */
	const struct layer_marks *before; /* of the blob of known, which must be what it was
					     when it was written (layer_marks.h) */
	const struct layer_vouch *vouch; /* knows digests of the tree's files (layer_vouch.h) */
	struct layer_marks *marks; /* gets the marks of this layer */
};
/* "zstd", "zstd:19", "zstd:chunked", "gzip:6", "none"; level out of range or unknown name:
 * -VARVE_E_USAGE. */
int layer_compression_parse(const char *text, struct layer_compression *ret,
			    struct varve_error *err);
/* "zstd:3" and so on: the canonical name, as recorded. */
const char *layer_compression_name(const struct layer_compression *c, char buffer[16]);
const char *layer_media_type(enum layer_compression_kind kind);
/* The compressor's library and version, for records: "zstd 1.5.4". */
const char *layer_compressor_version(enum layer_compression_kind kind);

/* Makes a sink that compresses into next (closed with it). threads: 0 = one per core, at most 16.
 */
int layer_compressor_new(const struct layer_compression *c, unsigned threads,
			 struct sink *take_next, struct sink **ret, struct varve_error *err);
void layer_compressor_free(struct sink *compressor); /* after sink_close */

/* tree -> tar -> diff id -> compressed -> digest -> blob, in one pass. blob takes the compressed
 * bytes and is closed. A tree without entries gives ret->entry_count 0 (the blob is then to be
 * dropped). */
int layer_pack(int tree, const struct strv *implied, const struct owners *owners,
	       const struct layer_compression *c, struct sink *take_blob, struct varve_layer *ret,
	       struct varve_error *err);

/* What layer_pack finds of the tar, without a blob: half of its time or less. Of c its
 * before and vouch count. */
int layer_measure(int tree, const struct strv *implied, const struct owners *owners,
		  const struct layer_compression *c, struct varve_layer *ret,
		  struct varve_error *err);

/* Decompresses a layer blob (by media type; plain, gzip, zstd) from fd into out, which is closed;
 * verifies the blob's digest and size. For transcoding and archives. */
int layer_unpack_stream(int fd, const struct varve_descriptor *blob, struct sink *take_out,
			struct varve_error *err);

/* Unpacks a blob into an empty directory as a tree; verifies blob digest, size and diff id in the
 * same pass. Nothing is ever written outside: names with "..", absolute names, links through
 * symlinks are refused (-VARVE_E_FORMAT) or resolved inside. limits: 64 GiB, 4 million entries,
 * path 4096 bytes. */
int layer_apply(int blob_fd, const struct varve_layer *layer, int tree, const struct owners *owners,
		struct strv *ret_implied, struct varve_error *err);

/* Unpacks a plain tree archive (tar, tar.gz, tar.xz, tar.zst, zip) of a url source: owners become
 * 0:0, modes 0755 or 0644, times the archive's own, no whiteouts, devices refused. strip: leading
 * components to drop. */
int layer_unpack_archive(int archive_fd, int directory, unsigned strip, struct varve_error *err);

/* One tree of a stack, bottom first. */
struct layer_stacked {
	int tree; /* directory descriptor; borrowed */
	const struct strv *implied; /* sorted */
	const struct owners *owners; /* of the tree, for its whiteouts; NULL: they are devices */
};
/* Fills the empty directory fixup with those directories whose attributes the overlay of the stack
 * would show wrongly, because the topmost tree that has them holds them as implied only. Returns
 * the number of directories made (0: no fixup needed), or a negative code. */
int layer_parents(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		  int fixup, struct varve_error *err);

/* The merged view of a stack without a mount: attributes of directories are those of the tree that
 * provides them (layer_parents), whiteouts and opaque directories are gone. */
enum layer_merge_way {
	LAYER_MERGE_COPY, /* for a command: every name is an inode of its own (reflinked where the
			     file system can), as overlayfs breaks hard links when they are written;
			     xattrs as programs in the image see them */
	LAYER_MERGE_LINKS, /* read-only: files are hard links into the trees, never to be written;
			      xattrs as in a tree. Copies only where a link is refused. */
};
/* Fills directory, whose owner, mode and time become those of a root. What is in it already stays
 * on top of the stack, as an upper's content would. */
int layer_merge(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		enum layer_merge_way way, int directory, struct varve_error *err);
/* As LAYER_MERGE_LINKS, of those names only that the directory like has too: all that
 * layer_normalise looks at below an upper without opaque directories. */
int layer_merge_like(const struct layer_stacked *stack, size_t count, const struct owners *owners,
		     int like, int directory, struct varve_error *err);

/* Resolves path in the merged view of the stack, symlinks of all components followed inside the
 * root. Missing components stay as written. memo (layer/layer_memo.h): of earlier calls; or NULL.
 * Caller frees ret->path. */
struct layer_memo;
struct layer_resolved {
	char *path; /* clean */
	bool is_directory;
};
int layer_resolve(const struct layer_stacked *stack, size_t count, const char *path,
		  struct layer_memo *memo, struct layer_resolved *ret, struct varve_error *err);

#endif
