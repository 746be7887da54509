/* SPDX-License-Identifier: Apache-2.0
 * The bytes of a layer's tar. Pure: one entry in, its blocks out. The format is ours, not a
 *library's, so that diff ids do not change when a library does:
 *
 *	archive = { [pax] ustar data padding } end	padding: NULs to a multiple of 512
 *	pax     = ustar('x', name "././@PaxHeader", mode 0644, ids and time 0) records padding
 *	record  = length " " keyword "=" value "\n"	sorted by keyword, bytewise
 *	end     = 1024 NULs				no padding to a larger record
 *
 * - Names are raw bytes, whatever their encoding; a directory's ends in '/'. A name of up to 100
 *bytes is in "name"; a longer one is split at the last '/' that leaves at most 155 bytes in
 *"prefix" and 1..100 bytes in "name"; where that is impossible, "name" has its first 100 bytes and
 *pax "path" all.
 * - pax "linkpath" for a link target over 100 bytes ("linkname" has its first 100); "size" from 8
 *GiB, "uid", "gid" over 07777777, "mtime" outside 0..077777777777 (the field is then 0);
 *SCHILY.xattr.NAME.
 * - Numbers are octal with leading zeros and a NUL; no user or group names; device numbers
 * up to 07777777, those of all but devices 0.
 * - A whiteout is an empty file ".wh.NAME", mode, ids and time 0; likewise ".wh..wh..opq".
 * - A hard link repeats the attributes of its target, without extended ones. */
#ifndef LAYER_LAYER_TAR_H
#define LAYER_LAYER_TAR_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct layer_xattrs;

enum { TAR_BLOCK = 512, TAR_END = 2 * TAR_BLOCK, TAR_DEVICE_MAX = 07777777 };

enum tar_type {
	TAR_FILE = '0',
	TAR_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHARACTER = '3',
	TAR_BLOCK_DEVICE = '4',
	TAR_DIRECTORY = '5',
	TAR_FIFO = '6',
};

struct tar_entry {
	enum tar_type type;
	const char *path; /* without the '/' of a directory */
	const char *link; /* target of a link; NULL: none */
	unsigned mode; /* permission bits */
	uint64_t uid, gid;
	uint64_t size; /* 0 for everything but files */
	int64_t mtime;
	unsigned major, minor; /* of a device; 0 for all others */
	const struct layer_xattrs *xattrs; /* sorted; NULL: none */
};

/* Appends all that precedes the data. */
void tar_header(const struct tar_entry *entry, struct buf *out);
/* Bytes of NUL that follow size bytes of data. */
size_t tar_padding(uint64_t size);

#endif
