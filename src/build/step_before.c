/* SPDX-License-Identifier: Apache-2.0
 * What a step's layer may use again of the layer that the same step had at the last build.
 *
 * Frames are compared before they are used, so any blob will do. What goes by marks is not looked
 * at: that takes a blob which is as this host wrote it.
 *
 *	facts/marks/HEX = sha256 of all that follows, file, marks (layer_marks_write)
 *	file            = dev ino size mtime-ns of the blob when it was written, 8 bytes each
 *
 * The ctime is left out, since each hard link changes it: where the rest differs the blob is
 * hashed. */
#include "build/step.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "layer/layer_frames.h"

/* Frames keep a blob's bytes what they are only where the same compressor made them. */
static bool is_alike(const struct layer_compression *how, const struct store_record *record)
{
	char name[16];

	return str_equal(record->compression, layer_compression_name(how, name)) &&
	       str_equal(record->compressor, layer_compressor_version(how->kind));
}

/* --- facts/marks -------------------------------------------------------------------------------
 */

enum { NAME = 8 + VARVE_DIGEST_HEX };

struct file {
	uint64_t dev, ino, size;
	int64_t mtime; /* nanoseconds */
};

static const char *fact_name(const struct varve_digest *blob, char buffer[NAME])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(buffer, NAME, "marks/%s", varve_digest_hex(blob, hex));
	return buffer;
}

static bool describe(int fd, struct file *ret)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret = (struct file){st.st_dev, st.st_ino, (uint64_t)st.st_size,
			     (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
	return true;
}

static int open_blob(struct varve_store *store, const struct varve_digest *blob)
{
	char hex[VARVE_DIGEST_HEX];

	return openat(store_blobs_fd(store), varve_digest_hex(blob, hex),
		      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void step_before_keep(struct varve_store *store, const struct varve_digest *blob,
		      const struct layer_marks *marks)
{
	CLEANUP(fd_close) int fd = open_blob(store, blob);
	CLEANUP(buf_release) struct buf fact = BUF_INIT;
	struct varve_digest digest = {.bytes = {0}};
	struct file file;
	char name[NAME];

	if (marks->count == 0 || !describe(fd, &file))
		return;
	buf_add(&fact, digest.bytes, VARVE_DIGEST_SIZE);
	buf_add(&fact, &file, sizeof(file));
	layer_marks_write(marks, &fact);
	digest_bytes(fact.data + VARVE_DIGEST_SIZE, fact.len - VARVE_DIGEST_SIZE, &digest);
	memcpy(fact.data, digest.bytes, VARVE_DIGEST_SIZE);
	(void)store_fact_write(store, fact_name(blob, name), fact.data, fact.len);
}

/* Facts are written without fsync: after a power failure they may hold anything. */
static bool read_fact(struct varve_store *store, const struct varve_digest *blob,
		      struct file *ret_file, struct layer_marks *ret)
{
	CLEANUP(buf_release) struct buf fact = BUF_INIT;
	const size_t before = VARVE_DIGEST_SIZE + sizeof(*ret_file);
	struct varve_digest digest;
	char name[NAME];

	if (store_fact_read(store, fact_name(blob, name), &fact) < 0 || fact.len < before)
		return false;
	digest_bytes(fact.data + VARVE_DIGEST_SIZE, fact.len - VARVE_DIGEST_SIZE, &digest);
	if (memcmp(digest.bytes, fact.data, VARVE_DIGEST_SIZE) != 0)
		return false;
	memcpy(ret_file, fact.data + VARVE_DIGEST_SIZE, sizeof(*ret_file));
	return layer_marks_parse(fact.data + before, fact.len - before, ret);
}

/* Whether the blob is the file that was written with these marks, or else has its digest. */
static bool is_whole(struct step *step, const struct varve_digest *blob, int fd,
		     const struct file *written)
{
	CLEANUP(fd_close) int hashed = -1;
	struct file now, sound;

	if (!describe(fd, &now))
		return false;
	if (memcmp(&now, written, sizeof(now)) == 0)
		return true;
	return step->copied.source &&
	       store_blob_open_whole(step->build->store, blob, &hashed, NULL) == 0 &&
	       describe(hashed, &sound) && memcmp(&now, &sound, sizeof(now)) == 0;
}

static void find_marks(struct step *step, const struct varve_digest *blob, struct step_before *b)
{
	struct file written;

	if (!read_fact(step->build->store, blob, &written, &b->marks) ||
	    !is_whole(step, blob, b->blob, &written))
		return;
	layer_frames_trust(b->frames);
	b->is_whole = true;
}

void step_before_find(struct step *step, size_t number, struct step_before *ret)
{
	const struct layer_compression *how = &step->build->options->compression;
	CLEANUP(store_record_release) struct store_record record = {0};
	const struct varve_digest *blob;

	*ret = (struct step_before){.blob = -1};
	if (how->kind != LAYER_CHUNKED ||
	    build_recall_record(step->build, step->name, &record) < 0 ||
	    number >= record.layers.count || !is_alike(how, &record))
		return;
	blob = &record.layers.items[number].blob.digest;
	ret->blob = open_blob(step->build->store, blob);
	if (ret->blob < 0 || layer_frames_new(ret->blob, &ret->frames, NULL) < 0)
		return;
	find_marks(step, blob, ret);
}

void step_before_release(struct step_before *b)
{
	layer_frames_freep(&b->frames);
	layer_marks_release(&b->marks);
	fd_close(&b->blob);
}
