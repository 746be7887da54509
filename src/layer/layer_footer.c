/* SPDX-License-Identifier: Apache-2.0
 * The last bytes of a blob of zstd:chunked, and what a manifest says of them. */
#include "layer/layer_frames.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "layer/layer_toc.h"

/* The second is what releases before containers/storage 1.44 look for (podman 4.3, skopeo 1.9). */
static const char *const prefixes[] = {"io.github.containers.zstd-chunked.",
				       "io.containers.zstd-chunked."};

enum { TAIL = CHUNKED_HEADER + CHUNKED_FOOTER, MAGIC_AT = CHUNKED_HEADER + 56 };
/* What containers/storage takes at most, packed and not. */
#define PART_MAX (150ULL << 20)

static uint64_t get_le(const unsigned char *from, size_t bytes)
{
	uint64_t le = 0;

	memcpy(&le, from, bytes);
	return le64toh(le);
}

static bool lies_in(uint64_t at, uint64_t len, uint64_t size)
{
	return at <= size && len <= size - at && len > 0;
}

bool layer_footer_parse(const unsigned char *tail, uint64_t blob_size, struct layer_footer *ret)
{
	struct layer_footer f = {
		.contents = get_le(tail + 8, 8),
		.contents_len = get_le(tail + 16, 8),
		.contents_size = get_le(tail + 24, 8),
		.split = get_le(tail + 40, 8),
		.split_len = get_le(tail + 48, 8),
		.split_size = get_le(tail + 56, 8),
	};

	if (blob_size < TAIL || get_le(tail, 4) != ZSTD_MAGIC_SKIPPABLE_START ||
	    get_le(tail + 4, 4) != CHUNKED_FOOTER ||
	    memcmp(tail + MAGIC_AT, CHUNKED_MAGIC, 8) != 0 || get_le(tail + 32, 8) != CHUNKED_TYPE)
		return false;
	if (!lies_in(f.contents, f.contents_len, blob_size - TAIL) ||
	    !lies_in(f.split, f.split_len, blob_size - TAIL) || f.contents_size == 0 ||
	    f.split_size == 0)
		return false;
	*ret = f;
	return true;
}

int layer_footer_read(int blob, struct layer_footer *ret, struct varve_error *err)
{
	unsigned char tail[TAIL];
	struct stat st;
	ssize_t n;

	if (fstat(blob, &st) < 0)
		return varve_error_set(err, -errno, "stat blob");
	if (st.st_size < TAIL)
		return 0;
	n = pread(blob, tail, TAIL, st.st_size - TAIL);
	if (n < 0)
		return varve_error_set(err, -errno, "read blob");
	return n == TAIL && layer_footer_parse(tail, (uint64_t)st.st_size, ret);
}

int layer_footer_contents(int blob, const struct layer_footer *f, struct buf *ret,
			  struct varve_error *err)
{
	if (f->contents_len > PART_MAX || f->contents_size > PART_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "the blob's table of contents has %" PRIu64 " bytes",
				       f->contents_size);
	buf_reserve(ret, (size_t)f->contents_len);
	while (ret->len < f->contents_len) {
		ssize_t n = pread(blob, ret->data + ret->len, (size_t)f->contents_len - ret->len,
				  (off_t)(f->contents + ret->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return varve_error_set(err, -errno, "read blob");
		if (n == 0)
			return varve_error_set(err, -VARVE_E_FORMAT, "the blob ends too early");
		ret->len += (size_t)n;
	}
	return 0;
}

static void note(json_t *object, const char *name, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		CLEANUP(free_ptr) char *key = xasprintf("%s%s", prefixes[i], name);

		json_set(object, key, json_text(text));
	}
}

static void note_position(json_t *object, const char *name, char *take_text)
{
	note(object, name, take_text);
	free(take_text);
}

int layer_chunked_annotations(int blob, json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf contents = BUF_INIT;
	struct layer_footer f = {.contents = 0};
	struct varve_digest digest;
	char text[VARVE_DIGEST_TEXT];
	json_t *notes;
	int r = layer_footer_read(blob, &f, err);

	if (r <= 0)
		return r;
	if (f.contents_size > PART_MAX || f.split_size > PART_MAX)
		return 0; /* those who fetch parts would refuse it */
	r = layer_footer_contents(blob, &f, &contents, err);
	if (r < 0)
		return r;
	digest_bytes(contents.data, contents.len, &digest);
	notes = json_object();
	note(notes, "manifest-checksum", varve_digest_text(&digest, text));
	note_position(notes, "manifest-position",
		      xasprintf("%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%d", f.contents,
				f.contents_len, f.contents_size, CHUNKED_TYPE));
	note_position(
		notes, "tarsplit-position",
		xasprintf("%" PRIu64 ":%" PRIu64 ":%" PRIu64, f.split, f.split_len, f.split_size));
	*ret = notes;
	return 1;
}
