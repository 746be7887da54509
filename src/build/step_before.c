/* SPDX-License-Identifier: Apache-2.0
 * What a step's layer may use again of the layer that the same step had at the last build.
 *
 * Frames are compared before they are used, so any blob will do. What goes by marks is not looked
 * at: that takes a blob which is as this host wrote it.
 *
 *	facts/marks/HEX = sha256 of all that follows, look, marks (layer_marks_write)
 *	look            = store_blob_look of the blob when it was written, zeros behind
 *
 * Where it looks otherwise the blob is hashed. */
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

/* As store_blob_look, zeros behind. */
struct look {
	char text[STORE_BLOB_LOOK];
};

static const char *fact_name(const struct varve_digest *blob, char buffer[NAME])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(buffer, NAME, "marks/%s", varve_digest_hex(blob, hex));
	return buffer;
}

static bool look_at(int fd, struct look *ret)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret = (struct look){.text = ""};
	store_blob_look(&st, ret->text);
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
	struct look look;
	char name[NAME];

	if (marks->count == 0 || !look_at(fd, &look))
		return;
	buf_add(&fact, digest.bytes, VARVE_DIGEST_SIZE);
	buf_add(&fact, &look, sizeof(look));
	layer_marks_write(marks, &fact);
	digest_bytes(fact.data + VARVE_DIGEST_SIZE, fact.len - VARVE_DIGEST_SIZE, &digest);
	memcpy(fact.data, digest.bytes, VARVE_DIGEST_SIZE);
	(void)store_fact_write(store, fact_name(blob, name), fact.data, fact.len);
}

/* Facts are written without fsync: after a power failure they may hold anything. */
static bool read_fact(struct varve_store *store, const struct varve_digest *blob,
		      struct look *ret_look, struct layer_marks *ret)
{
	CLEANUP(buf_release) struct buf fact = BUF_INIT;
	const size_t before = VARVE_DIGEST_SIZE + sizeof(*ret_look);
	struct varve_digest digest;
	char name[NAME];

	if (store_fact_read(store, fact_name(blob, name), &fact) < 0 || fact.len < before)
		return false;
	digest_bytes(fact.data + VARVE_DIGEST_SIZE, fact.len - VARVE_DIGEST_SIZE, &digest);
	if (memcmp(digest.bytes, fact.data, VARVE_DIGEST_SIZE) != 0)
		return false;
	memcpy(ret_look, fact.data + VARVE_DIGEST_SIZE, sizeof(*ret_look));
	return layer_marks_parse(fact.data + before, fact.len - before, ret);
}

static bool is_same(const struct look *a, const struct look *b)
{
	return str_equal(a->text, b->text);
}

/* Whether the blob is the file that was written with these marks, or else has its digest. */
static bool is_whole(struct step *step, const struct varve_digest *blob, int fd,
		     const struct look *written)
{
	CLEANUP(fd_close) int hashed = -1;
	struct look now, sound;

	if (!look_at(fd, &now))
		return false;
	if (is_same(&now, written))
		return true;
	return store_blob_open_whole(step->build->store, blob, &hashed, NULL) == 0 &&
	       look_at(hashed, &sound) && is_same(&now, &sound);
}

/* Marks serve where digests of contents are known without reading. */
static void find_marks(struct step *step, const struct varve_digest *blob, struct step_before *b)
{
	struct look written;

	b->is_whole = step->copied.source &&
		      read_fact(step->build->store, blob, &written, &b->marks) &&
		      is_whole(step, blob, b->blob, &written);
}

void step_before_find(struct step *step, size_t number, bool frames, struct step_before *ret)
{
	const struct layer_compression *how = &step->build->options->compression;
	CLEANUP(store_record_release) struct store_record record = {0};
	const struct varve_digest *blob;

	*ret = (struct step_before){.blob = -1};
	if (how->kind != LAYER_CHUNKED || (!frames && !step->copied.source) ||
	    build_recall_record(step->build, step->name, &record) < 0 ||
	    number >= record.layers.count || !is_alike(how, &record))
		return;
	blob = &record.layers.items[number].blob.digest;
	ret->blob = open_blob(step->build->store, blob);
	if (ret->blob < 0)
		return;
	find_marks(step, blob, ret);
	if (frames && layer_frames_new(ret->blob, &ret->frames, NULL) == 0 && ret->is_whole)
		layer_frames_trust(ret->frames);
}

void step_before_release(struct step_before *b)
{
	layer_frames_freep(&b->frames);
	layer_marks_release(&b->marks);
	fd_close(&b->blob);
}
