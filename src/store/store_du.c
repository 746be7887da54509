/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_state.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/strv.h"

enum { BLOCK = 512 }; /* the unit of st_blocks */

void store_seen_release(struct store_seen *seen)
{
	digest_set_release(&seen->inodes);
}

/* Adds the sighting of one more name of the file; its number, from 1. */
static uint64_t sighting(struct store_seen *seen, const struct stat *st)
{
	for (uint64_t number = 1;; number++) {
		struct varve_digest id = {{0}};
		/* The set's hash is the first bytes: the inode number, spread. */
		uint64_t words[4] = {(st->st_ino + number) * UINT64_C(0x9e3779b97f4a7c15),
				     st->st_ino, st->st_dev, number};

		memcpy(id.bytes, words, sizeof(words));
		if (digest_set_add(&seen->inodes, &id))
			return number;
	}
}

/* Whether this name is the one under which the file counts. */
static bool counts(struct store_seen *seen, enum store_counting way, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return true;
	return sighting(seen, st) == (way == STORE_COUNT_USED ? 1 : st->st_nlink);
}

void store_count_tree(const struct varve_store *store, const char *path, enum store_counting way,
		      struct store_seen *seen, uint64_t *bytes)
{
	CLEANUP(free_ptr) char *full = path_join(store->path, path);
	char *roots[] = {full, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	for (FTSENT *entry = fts ? fts_read(fts) : NULL; entry; entry = fts_read(fts)) {
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS ||
		    entry->fts_info == FTS_ERR || !counts(seen, way, entry->fts_statp))
			continue;
		*bytes += (uint64_t)entry->fts_statp->st_blocks * BLOCK;
	}
	if (fts)
		(void)fts_close(fts);
}

/* Entries of DIR that are no temporary names. */
static uint64_t count_entries(const struct varve_store *store, const char *path)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	uint64_t count = 0;

	(void)store_list(store, path, &names);
	for (size_t i = 0; i < names.count; i++)
		count += names.items[i][0] != '.';
	return count;
}

static uint64_t count_trees(const struct varve_store *store)
{
	CLEANUP(strv_release) struct strv modes = STRV_INIT;
	uint64_t count = 0;

	(void)store_list(store, "trees", &modes);
	for (size_t i = 0; i < modes.count; i++) {
		CLEANUP(free_ptr) char *path = path_join("trees", modes.items[i]);

		count += count_entries(store, path);
	}
	return count;
}

/* Where in the usage a name at the store's top belongs. */
static uint64_t *part_of(struct store_usage *usage, const char *name)
{
	const struct {
		const char *name;
		uint64_t *bytes;
	} parts[] = {
		{"blobs", &usage->blobs},      {"trees", &usage->trees},
		{"steps", &usage->records},    {"roots", &usage->records},
		{"facts", &usage->facts},      {"caches", &usage->caches},
		{"logs", &usage->logs},        {"tmp", &usage->temporary},
		{"failed", &usage->temporary}, {"uploads", &usage->temporary},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (str_equal(parts[i].name, name))
			return parts[i].bytes;
	return &usage->other;
}

int store_du(struct varve_store *store, struct store_usage *ret, struct varve_error *err)
{
	CLEANUP(store_seen_release) struct store_seen seen = {DIGEST_SET_INIT};
	struct store_usage usage = {0};
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	struct stat st;
	int r = store_list(store, ".", &names);

	if (r < 0)
		return varve_error_set(err, r, "list %s", store->path);
	if (fstat(store->dirfd, &st) == 0)
		usage.other = (uint64_t)st.st_blocks * BLOCK;
	for (size_t i = 0; i < names.count; i++)
		store_count_tree(store, names.items[i], STORE_COUNT_USED, &seen,
				 part_of(&usage, names.items[i]));
	if (store->work != store)
		store_count_tree(store->work, ".", STORE_COUNT_USED, &seen, &usage.scratch);
	usage.blob_count = count_entries(store, "blobs/sha256");
	usage.tree_count = count_trees(store);
	usage.record_count = count_entries(store, "steps");
	*ret = usage;
	return 0;
}
