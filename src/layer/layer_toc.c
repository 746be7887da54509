/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_toc.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <zstd.h>
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "layer/layer_tar_read.h"

enum {
	LEVEL = 3,
	SLICE = 1 << 20, /* compressed at a time, so that bytes do not depend on how it comes */
	YEAR_MAX = 9999,
};

/* --- text --------------------------------------------------------------------------------------
 */

static int text_init(struct toc_text *t)
{
	*t = (struct toc_text){.cctx = ZSTD_createCCtx()};
	if (!t->cctx)
		return -ENOMEM;
	(void)ZSTD_CCtx_setParameter(t->cctx, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(t->cctx, ZSTD_c_checksumFlag, 1);
	return 0;
}

static void text_release(struct toc_text *t)
{
	(void)ZSTD_freeCCtx(t->cctx);
	t->cctx = NULL;
	buf_release(&t->plain);
	buf_release(&t->packed);
}

static void pack(struct toc_text *t, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = {buf_text(&t->plain), len, 0};
	size_t left = 1;

	while (t->error == 0 && (in.pos < in.size || (how == ZSTD_e_end && left > 0))) {
		ZSTD_outBuffer to;

		buf_reserve(&t->packed, ZSTD_CStreamOutSize());
		to = (ZSTD_outBuffer){t->packed.data + t->packed.len, ZSTD_CStreamOutSize(), 0};
		left = ZSTD_compressStream2(t->cctx, &to, &in, how);
		if (ZSTD_isError(left))
			t->error = -VARVE_E_HOST;
		t->packed.len += to.pos;
	}
	t->size += len;
	t->plain.len -= len;
	if (t->plain.len > 0)
		memmove(t->plain.data, t->plain.data + len, t->plain.len);
}

/* Compresses what there is of whole slices. */
static void text_settle(struct toc_text *t)
{
	while (t->plain.len >= SLICE)
		pack(t, SLICE, ZSTD_e_continue);
}

uint64_t toc_text_size(const struct toc_text *t)
{
	return t->size + t->plain.len;
}

void toc_text_add(struct toc_text *t, const void *more, size_t len)
{
	buf_add(&t->plain, more, len);
	text_settle(t);
}

static void text_add(struct toc_text *t, const struct buf *more)
{
	toc_text_add(t, buf_text(more), more->len);
}

/* --- entries -----------------------------------------------------------------------------------
 */

/* At least so many digits. printf would be a tenth of all that a layer of small files costs beside
 * its hashes. */
static void add_decimal(struct buf *out, uint64_t value, size_t digits)
{
	char text[20];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0 || sizeof(text) - at < digits);
	buf_add(out, text + at, sizeof(text) - at);
}

static void add_name(struct buf *out, const char *name)
{
	buf_addstr(out, ",\"");
	buf_addstr(out, name);
	buf_addstr(out, "\":");
}

static void add_number(struct buf *out, const char *name, uint64_t value)
{
	if (value == 0)
		return;
	add_name(out, name);
	add_decimal(out, value, 1);
}

static void add_digest(struct buf *out, const char *name, const struct varve_digest *digest)
{
	char text[VARVE_DIGEST_TEXT];

	add_name(out, name);
	buf_addc(out, '"');
	buf_addstr(out, varve_digest_text(digest, text));
	buf_addc(out, '"');
}

/* The number of a stretch of the tar or of a content; 0, too. */
static void add_position(struct buf *out, uint64_t position)
{
	add_name(out, "position");
	add_decimal(out, position, 1);
}

static void add_parts(struct buf *out, const struct tm *tm)
{
	const int year = tm->tm_year + 1900;
	const int parts[] = {tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec};

	add_decimal(out, (uint64_t)year, 4);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_addc(out, "--T::"[i]);
		add_decimal(out, (uint64_t)parts[i], 2);
	}
}

/* RFC 3339. False: it has no such form. */
static bool add_time(struct buf *out, const struct timespec *time)
{
	struct tm tm;

	if (!gmtime_r(&time->tv_sec, &tm) || tm.tm_year + 1900 < 0 || tm.tm_year + 1900 > YEAR_MAX)
		return false;
	add_name(out, "modtime");
	buf_addc(out, '"');
	add_parts(out, &tm);
	if (time->tv_nsec > 0) {
		buf_addc(out, '.');
		add_decimal(out, (uint64_t)time->tv_nsec, 9);
	}
	buf_addstr(out, "Z\"");
	return true;
}

/* UTF-8, and without a byte that JSON escapes: containers/storage reads strings without undoing
 * that, and would make a file of another name. */
static bool is_plain(const char *text)
{
	if (!json_can_say(text))
		return false;
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
			return false;
	return true;
}

static bool add_xattrs(struct buf *out, const struct layer_xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		const struct layer_xattr *x = &xattrs->items[i];

		if (!is_plain(x->name))
			return false;
		buf_addstr(out, i == 0 ? ",\"xattrs\":{" : ",");
		json_add_string(out, x->name);
		buf_addstr(out, ":\"");
		base64_encode(x->value, x->size, out);
		buf_addc(out, '"');
	}
	if (xattrs->count > 0)
		buf_addc(out, '}');
	return true;
}

static const char *type_name(enum tar_type type)
{
	switch (type) {
	case TAR_LINK:
		return "hardlink";
	case TAR_SYMLINK:
		return "symlink";
	case TAR_CHARACTER:
		return "char";
	case TAR_BLOCK_DEVICE:
		return "block";
	case TAR_DIRECTORY:
		return "dir";
	case TAR_FIFO:
		return "fifo";
	case TAR_FILE:
	default:
		return "reg";
	}
}

/* All but what follows from the content. False: it cannot be said. */
static bool add_item(struct buf *out, const struct tar_item *item, const struct buf *name)
{
	buf_addstr(out, "{\"type\":\"");
	buf_addstr(out, type_name(item->type));
	buf_addstr(out, "\",\"name\":");
	buf_add(out, name->data, name->len);
	if (*item->link) {
		buf_addstr(out, ",\"linkName\":");
		json_add_string(out, item->link);
	}
	add_number(out, "mode", item->mode);
	add_number(out, "size", item->size);
	add_number(out, "uid", item->uid);
	add_number(out, "gid", item->gid);
	add_number(out, "devMajor", item->major);
	add_number(out, "devMinor", item->minor);
	return is_plain(item->path) && is_plain(item->link) && add_time(out, &item->mtime) &&
	       add_xattrs(out, item->xattrs);
}

void toc_entry_release(struct toc_entry *e)
{
	buf_release(&e->contents);
	buf_release(&e->split);
	buf_release(&e->name);
}

static void add_stretch(struct toc *t, const struct buf *raw, struct buf *out)
{
	buf_addstr(out, "{\"type\":2,\"payload\":\"");
	base64_encode(buf_text(raw), raw->len, out);
	buf_addc(out, '"');
	add_position(out, t->positions++);
	buf_addstr(out, "}\n");
}

void toc_begin(struct toc *t, const struct tar_item *item, const struct buf *raw,
	       struct toc_entry *ret)
{
	json_add_string(&ret->name, item->path);
	if (t->entries++ > 0)
		buf_addc(&ret->contents, ',');
	if (!add_item(&ret->contents, item, &ret->name))
		t->unsaid = true;
	add_stretch(t, raw, &ret->split);
	buf_addstr(&ret->split, "{\"type\":1,\"name\":");
	buf_add(&ret->split, ret->name.data, ret->name.len);
	add_number(&ret->split, "size", item->size);
	add_position(&ret->split, t->positions++);
	add_name(&ret->split, "payload");
}

static void add_pieces(struct buf *out, const struct toc_entry *e, const struct toc_content *c)
{
	const struct toc_piece *p = c->pieces;

	add_digest(out, "digest", &c->file);
	add_number(out, "offset", p->offset);
	add_number(out, "endOffset", p[c->count - 1].end);
	if (c->count == 1)
		return;
	for (size_t i = 0; i < c->count; i++) {
		if (i > 0)
			buf_addf(out,
				 "},{\"type\":\"chunk\",\"name\":%s,\"offset\":%" PRIu64
				 ",\"endOffset\":%" PRIu64,
				 e->name.data, p[i].offset, p[i].end);
		add_number(out, "chunkOffset", p[i].at);
		add_number(out, "chunkSize", p[i].size);
		add_digest(out, "chunkDigest", &p[i].digest);
	}
}

void toc_end(struct toc *t, struct toc_entry *e, const struct toc_content *c)
{
	if (c->pieces) {
		uint64_t crc = htobe64(c->crc);

		add_pieces(&e->contents, e, c);
		buf_addc(&e->split, '"');
		base64_encode(&crc, sizeof(crc), &e->split);
		buf_addc(&e->split, '"');
	} else {
		buf_addstr(&e->split, "null");
	}
	buf_addc(&e->contents, '}');
	buf_addstr(&e->split, "}\n");
	text_add(&t->contents, &e->contents);
	text_add(&t->split, &e->split);
	buf_reset(&e->contents);
	buf_reset(&e->split);
	buf_reset(&e->name);
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void add_le(struct buf *out, uint64_t value, size_t bytes)
{
	uint64_t le = htole64(value);

	buf_add(out, &le, bytes);
}

static void add_header(struct buf *out, size_t len)
{
	add_le(out, ZSTD_MAGIC_SKIPPABLE_START, 4);
	add_le(out, len, 4);
}

static void add_footer(const struct toc *t, uint64_t contents, uint64_t split, struct buf *out)
{
	add_header(out, CHUNKED_FOOTER);
	add_le(out, contents, 8);
	add_le(out, t->contents.packed.len, 8);
	add_le(out, t->contents.size, 8);
	add_le(out, CHUNKED_TYPE, 8);
	add_le(out, split, 8);
	add_le(out, t->split.packed.len, 8);
	add_le(out, t->split.size, 8);
	buf_addstr(out, CHUNKED_MAGIC);
}

int toc_init(struct toc *t, struct varve_error *err)
{
	int r, other;

	*t = (struct toc){.entries = 0};
	r = text_init(&t->contents);
	other = text_init(&t->split);
	buf_addstr(&t->contents.plain, "{\"version\":1,\"entries\":[");
	return r < 0 || other < 0 ? varve_error_set(err, -ENOMEM, "zstd") : 0;
}

void toc_release(struct toc *t)
{
	text_release(&t->contents);
	text_release(&t->split);
}

int toc_finish(struct toc *t, const struct buf *raw, uint64_t offset, struct toc_end *ret,
	       struct varve_error *err)
{
	CLEANUP(buf_release) struct buf stretch = BUF_INIT;
	struct varve_digest digest;
	char text[VARVE_DIGEST_TEXT];
	uint64_t contents = offset + CHUNKED_HEADER, split;

	add_stretch(t, raw, &stretch);
	text_add(&t->split, &stretch);
	pack(&t->split, t->split.plain.len, ZSTD_e_end);
	digest_bytes(t->split.packed.data, t->split.packed.len, &digest);
	buf_addf(&t->contents.plain, "],\"tarSplitDigest\":\"%s\"}",
		 varve_digest_text(&digest, text));
	pack(&t->contents, t->contents.plain.len, ZSTD_e_end);
	if (t->contents.error < 0 || t->split.error < 0)
		return varve_error_set(err, -VARVE_E_HOST, "zstd: compression failed");
	if (t->unsaid || t->contents.packed.len > UINT32_MAX || t->split.packed.len > UINT32_MAX)
		return 0;
	split = contents + t->contents.packed.len + CHUNKED_HEADER;
	add_header(&ret->heads[0], t->contents.packed.len);
	add_header(&ret->heads[1], t->split.packed.len);
	add_footer(t, contents, split, &ret->heads[2]);
	ret->bodies[0] = &t->contents.packed;
	ret->bodies[1] = &t->split.packed;
	return 1;
}

void toc_end_release(struct toc_end *e)
{
	for (size_t i = 0; i < TOC_FRAMES; i++)
		buf_release(&e->heads[i]);
}
