/* SPDX-License-Identifier: Apache-2.0
 * Which part of a split tree each of its files belongs to. Pure: names and sizes in, parts out.
 *
 * The answer depends on the tree alone, never on an earlier build, and is stable: a file that
 *grows, appears or goes changes the part that it is in, and others only where a bound is crossed.
 *
 *	zone	a listed directory and what is in it (the innermost counts); the rest is one, too
 *	bytes	512 for each name, and the content of files in whole blocks of 512: about the tar
 *	open	a directory of more than maximum bytes, and those above it
 *	unit	what stays together: a file in an open directory, or a whole directory in one
 *	large	a unit of more than half of maximum: a part of its own
 *
 * The units of an open directory that are not large gather in it, with what the open directories in
 * it passed up. Are they more than maximum together, a trie shares them out: by the bits of the
 * first 8 bytes of the sha256 of their paths, highest first, until no leaf has more than maximum;
 * each leaf is a part. Else they go up to the directory above; what arrives at the top of the zone
 * is a part. So no unit's place depends on the size or the name of another, only on whether sums of
 * its own leaf exceed maximum: a leaf that overflows is two, the others stay. No part has more than
 * maximum but for a single file; a number of parts over LAYER_PARTS_MAX doubles maximum.
 *
 * Names of one inode are one part's: that of the first name. Each part has all directories that
 * lead to its units, with their attributes: whoever unpacks all parts, in whatever way he makes
 * parents, ends with the right owners and times. Parts come in the order of zones, then of their
 * first paths. A whiteout is a unit like a file: nothing is at its path in any part. */
#ifndef LAYER_LAYER_SPLIT_H
#define LAYER_LAYER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Runtimes stop at about 127 layers. */
enum { LAYER_PARTS_MAX = 60, SPLIT_NO_PART = -1 };

struct layer_split {
	const char *const *directories; /* clean paths, each once; ends with NULL; may be NULL */
	uint64_t maximum; /* bytes of a part; 0: no bound */
};

/* A file or a whole directory. */
struct split_unit {
	char *path;
	uint64_t bytes;
	int zone; /* 0: the rest; then the number of the directory, from 1 */
	int part; /* SPLIT_NO_PART until it is known */
};

struct split_directory;
struct split_links;

/* A tree on its way into parts: enter and leave directories and add all else, in the order of
 * layer_walk; then split_end. */
struct split {
	const char *const *directories;
	uint64_t maximum; /* 0 became UINT64_MAX */
	struct split_unit *units; /* in order; after split_end by path, bytewise */
	size_t count, alloc;
	struct split_directory *open; /* those that the walk is in; the first is the root */
	size_t depth, depth_alloc;
	void *inodes; /* tsearch(3) tree of struct split_inode: files with more than one name */
	int part_count;
};

void split_begin(struct split *split, const struct layer_split *how);
void split_release(struct split *split);
void split_enter(struct split *split, const char *path);
void split_leave(struct split *split, const char *path);
/* size: of a file's content; nlink over 1: ino of dev may come again. */
struct split_file {
	const char *path;
	uint64_t size;
	dev_t dev;
	ino_t ino;
	bool linked;
};
void split_add(struct split *split, const struct split_file *file);
/* Settles the parts; split->part_count of them. */
void split_end(struct split *split);
/* The part of a path: that of its unit. */
int split_part(const struct split *split, const char *path);

/* A name of an inode whose first name is in another part; it goes there. */
typedef int (*split_stray)(void *cookie, const char *path, int part);
/* Calls for each of them, until one is negative. */
int split_strays(const struct split *split, split_stray stray, void *cookie);

#endif
