/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_split.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_tar.h"

enum { TRIE_BITS = 64 };

/* A directory that the walk is in. */
struct split_directory {
	uint64_t bytes; /* of all in it, but for zones of their own */
	size_t first; /* its units begin here */
	int zone;
	bool has_zone; /* a listed directory is in it: it stays open */
};

/* A file with more than one name. */
struct split_inode {
	dev_t dev;
	ino_t ino;
	struct strv paths; /* in order */
};

/* --- the walk ----------------------------------------------------------------------------------
 */

static void push_directory(struct split *s, int zone)
{
	s->open = array_grow(s->open, s->depth, &s->depth_alloc, sizeof(*s->open));
	s->open[s->depth++] =
		(struct split_directory){.first = s->count, .zone = zone, .bytes = TAR_BLOCK};
}

void split_begin(struct split *split, const struct layer_split *how)
{
	*split = (struct split){.directories = how->directories,
				.maximum = how->maximum > 0 ? how->maximum : UINT64_MAX};
	push_directory(split, 0);
	split->open[0].bytes = 0;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct split_inode *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void free_inode(void *inode)
{
	strv_release(&((struct split_inode *)inode)->paths);
	free(inode);
}

void split_release(struct split *split)
{
	for (size_t i = 0; i < split->count; i++)
		free(split->units[i].path);
	free(split->units);
	free(split->open);
	tdestroy(split->inodes, free_inode);
	*split = (struct split){0};
}

static struct split_directory *top(struct split *s)
{
	return &s->open[s->depth - 1];
}

static void add_unit(struct split *s, const char *path, uint64_t bytes, int zone)
{
	s->units = array_grow(s->units, s->count, &s->alloc, sizeof(*s->units));
	s->units[s->count++] = (struct split_unit){
		.path = xstrdup(path), .bytes = bytes, .zone = zone, .part = SPLIT_NO_PART};
}

static int listed(const struct split *s, const char *path)
{
	for (int i = 0; s->directories && s->directories[i]; i++)
		if (str_equal(s->directories[i], path))
			return i + 1;
	return 0;
}

void split_enter(struct split *split, const char *path)
{
	int zone = listed(split, path);

	push_directory(split, zone ? zone : top(split)->zone);
}

/* False for a name whose content came with an earlier one. */
static bool note_name(struct split *s, const struct split_file *file)
{
	struct split_inode *made = xcalloc(1, sizeof(*made));
	struct split_inode *const *found;

	made->dev = file->dev;
	made->ino = file->ino;
	found = tsearch(made, &s->inodes, compare_inodes);
	if (!found)
		abort();
	if (*found != made)
		free(made);
	strv_add(&(*found)->paths, file->path);
	return (*found)->paths.count == 1;
}

/* --- sharing out -------------------------------------------------------------------------------
 */

/* Units that are shared out together, by the hash of their paths. */
struct gathered {
	struct split_unit *unit;
	uint64_t hash;
};

static uint64_t path_hash(const char *path)
{
	struct varve_digest digest;
	uint64_t hash = 0;

	digest_bytes(path, strlen(path), &digest);
	for (size_t i = 0; i < sizeof(hash); i++)
		hash = hash << 8 | digest.bytes[i];
	return hash;
}

static int by_hash(const void *a, const void *b)
{
	const struct gathered *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp(x->unit->path, y->unit->path);
}

static uint64_t sum_of(const struct gathered *units, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += units[i].unit->bytes;
	return sum;
}

static void make_part(struct split *s, const struct gathered *units, size_t count)
{
	for (size_t i = 0; i < count; i++)
		units[i].unit->part = s->part_count;
	s->part_count++;
}

/* units: sorted, all of the same first bits. Ranges that are still to be looked at wait in a stack:
 * each bit adds one at most. */
static void share_out(struct split *s, const struct gathered *units, size_t count)
{
	struct {
		size_t first, end;
		unsigned bit;
	} ranges[TRIE_BITS + 2] = {{0, count, 0}};
	size_t waiting = 1;

	while (waiting > 0) {
		const size_t first = ranges[waiting - 1].first, end = ranges[waiting - 1].end;
		const unsigned bit = ranges[waiting - 1].bit;
		size_t middle = first;

		waiting--;
		if (first == end)
			continue;
		if (bit == TRIE_BITS || end - first == 1 ||
		    sum_of(&units[first], end - first) <= s->maximum) {
			make_part(s, &units[first], end - first);
			continue;
		}
		while (middle < end && !(units[middle].hash >> (TRIE_BITS - 1 - bit) & 1))
			middle++;
		ranges[waiting].first = middle;
		ranges[waiting].end = end;
		ranges[waiting++].bit = bit + 1;
		ranges[waiting].first = first;
		ranges[waiting].end = middle;
		ranges[waiting++].bit = bit + 1;
	}
}

/* The units of an open directory: large ones leave, the others do when they are too many. */
static void settle(struct split *s, size_t first, int zone)
{
	CLEANUP(free_ptr)
	struct gathered *gathered = xcalloc(s->count - first + 1, sizeof(*gathered));
	size_t count = 0;

	for (size_t i = first; i < s->count; i++) {
		struct split_unit *unit = &s->units[i];

		if (unit->part != SPLIT_NO_PART || unit->zone != zone)
			continue;
		if (unit->bytes > s->maximum / 2)
			unit->part = s->part_count++;
		else
			gathered[count++] = (struct gathered){unit, 0};
	}
	if (sum_of(gathered, count) <= s->maximum)
		return;
	for (size_t i = 0; i < count; i++)
		gathered[i].hash = path_hash(gathered[i].unit->path);
	qsort(gathered, count, sizeof(*gathered), by_hash);
	share_out(s, gathered, count);
}

/* What is left at the top of a zone. */
static void settle_rest(struct split *s, size_t first, int zone)
{
	bool any = false;

	for (size_t i = first; i < s->count; i++)
		if (s->units[i].part == SPLIT_NO_PART && s->units[i].zone == zone) {
			s->units[i].part = s->part_count;
			any = true;
		}
	s->part_count += any;
}

/* One unit in place of all that is in it. */
static void close_directory(struct split *s, const char *path, const struct split_directory *d)
{
	while (s->count > d->first)
		free(s->units[--s->count].path);
	add_unit(s, path, d->bytes, d->zone);
}

/* A zone ends: what it holds counts nowhere else. */
static void end_zone(struct split *s, size_t first, int zone)
{
	settle_rest(s, first, zone);
	top(s)->has_zone = true;
}

void split_leave(struct split *split, const char *path)
{
	const struct split_directory left = split->open[--split->depth];
	struct split_directory *above = top(split);

	if (left.bytes > split->maximum)
		settle(split, left.first, left.zone);
	else if (!left.has_zone)
		close_directory(split, path, &left);
	if (left.zone != above->zone) {
		end_zone(split, left.first, left.zone);
		return;
	}
	above->bytes += left.bytes;
	above->has_zone |= left.has_zone;
}

void split_add(struct split *split, const struct split_file *file)
{
	bool has_content = !file->linked || note_name(split, file);
	uint64_t bytes = TAR_BLOCK + (has_content ? file->size + tar_padding(file->size) : 0);
	int zone = listed(split, file->path);

	add_unit(split, file->path, bytes, zone ? zone : top(split)->zone);
	if (zone)
		end_zone(split, split->count - 1, zone);
	else
		top(split)->bytes += bytes;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct split_unit *)a)->path, ((const struct split_unit *)b)->path);
}

static struct split_unit *find_unit(const struct split *s, const char *path)
{
	/* bsearch does not change what it is given. */
	const struct split_unit wanted = {.path = (char *)(uintptr_t)path};

	return s->count ? bsearch(&wanted, s->units, s->count, sizeof(wanted), by_path) : NULL;
}

/* A further name that is a unit goes to the first one at once. */
static void join_inode(const void *node, VISIT visit, void *cookie)
{
	const struct split_inode *inode = *(const struct split_inode *const *)node;
	const struct split *s = cookie;

	if (visit != postorder && visit != leaf)
		return;
	for (size_t i = 1; i < inode->paths.count; i++) {
		struct split_unit *unit = find_unit(s, inode->paths.items[i]);

		if (unit)
			unit->part = split_part(s, inode->paths.items[0]);
	}
}

/* Numbers those parts anew that have units: by zone, then by first path. */
static void number_parts(struct split *s)
{
	CLEANUP(free_ptr) int *numbers = xcalloc((size_t)s->part_count + 1, sizeof(*numbers));
	int next = 0, last_zone = 0;

	for (size_t i = 0; i < s->count; i++)
		last_zone = s->units[i].zone > last_zone ? s->units[i].zone : last_zone;
	for (int zone = 0; zone <= last_zone; zone++)
		for (size_t i = 0; i < s->count; i++)
			if (s->units[i].zone == zone && numbers[s->units[i].part] == 0)
				numbers[s->units[i].part] = ++next;
	for (size_t i = 0; i < s->count; i++)
		s->units[i].part = numbers[s->units[i].part] - 1;
	s->part_count = next;
}

void split_end(struct split *split)
{
	if (split->open[0].bytes > split->maximum)
		settle(split, 0, 0);
	settle_rest(split, 0, 0);
	if (split->count > 1)
		qsort(split->units, split->count, sizeof(*split->units), by_path);
	twalk_r(split->inodes, join_inode, split);
	number_parts(split);
}

int split_part(const struct split *split, const char *path)
{
	CLEANUP(free_ptr) char *name = xstrdup(path);
	const struct split_unit *found = NULL;

	for (; *name && !found; name[path_dir_len(name)] = '\0')
		found = find_unit(split, name);
	return found ? found->part : SPLIT_NO_PART;
}

struct strays {
	const struct split *split;
	split_stray stray;
	void *cookie;
	int result;
};

static void look_at_inode(const void *node, VISIT visit, void *cookie)
{
	const struct split_inode *inode = *(const struct split_inode *const *)node;
	struct strays *s = cookie;
	int part;

	if (s->result < 0 || (visit != postorder && visit != leaf))
		return;
	part = split_part(s->split, inode->paths.items[0]);
	for (size_t i = 1; i < inode->paths.count && s->result >= 0; i++)
		if (split_part(s->split, inode->paths.items[i]) != part)
			s->result = s->stray(s->cookie, inode->paths.items[i], part);
}

int split_strays(const struct split *split, split_stray stray, void *cookie)
{
	struct strays s = {split, stray, cookie, 0};

	twalk_r(split->inodes, look_at_inode, &s);
	return s.result < 0 ? s.result : 0;
}
