/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "layer/layer_ahead.h"
#include "layer/layer_tar_pax.h"

enum { BUFFER = 1 << 20, EXTENDED_MAX = 4 << 20 };
#define TOTAL_MAX (64ULL << 30)

/* Offset and size of a header's fields (see layer_tar.c). */
struct field {
	size_t at, size;
};
static const struct field NAME = {0, 100}, MODE = {100, 8}, UID = {108, 8}, GID = {116, 8},
			  SIZE = {124, 12}, MTIME = {136, 12}, CHECKSUM = {148, 8},
			  LINK = {157, 100}, MAJOR = {329, 8}, MINOR = {337, 8},
			  PREFIX = {345, 155}, STAR_PREFIX = {345, 131};
enum { TYPE_AT = 156, MAGIC_AT = 257, STAR_AT = 508 };

struct tar_reader {
	struct layer_ahead *ahead; /* borrowed; NULL: read */
	tar_read_fn read;
	void *cookie;
	struct hasher *hasher; /* with read, as is buffer */
	unsigned char *buffer;
	const unsigned char *data; /* where the bytes at hand are */
	size_t len, pos; /* of data */
	uint64_t total; /* bytes read */
	uint64_t data_left; /* of the item, without padding */
	size_t padding;
	bool end;
	bool trailer; /* something but zeros behind the end */
	struct tar_pax pax;
	struct buf names[2];
};

struct tar_reader *tar_reader_new(tar_read_fn read, void *cookie)
{
	struct tar_reader *t = xcalloc(1, sizeof(*t));

	t->read = read;
	t->cookie = cookie;
	t->hasher = hasher_new();
	t->buffer = xmalloc(BUFFER);
	return t;
}

void tar_reader_leave_digest(struct tar_reader *t)
{
	hasher_freep(&t->hasher);
}

struct tar_reader *tar_reader_new_ahead(struct layer_ahead *ahead)
{
	struct tar_reader *t = xcalloc(1, sizeof(*t));

	t->ahead = ahead;
	return t;
}

void tar_reader_freep(struct tar_reader **reader)
{
	struct tar_reader *t = *reader;

	*reader = NULL;
	if (!t)
		return;
	hasher_free(t->hasher);
	tar_pax_release(&t->pax);
	buf_release(&t->names[0]);
	buf_release(&t->names[1]);
	free(t->buffer);
	free(t);
}

uint64_t tar_reader_offset(const struct tar_reader *t)
{
	return t->total - (t->len - t->pos);
}

static int malformed(struct varve_error *err, const char *what)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "layer tar: %s", what);
}

static ssize_t read_more(struct tar_reader *t, const void **ret, struct varve_error *err)
{
	ssize_t n = t->read(t->cookie, t->buffer, BUFFER, err);

	if (n > 0 && t->hasher)
		hasher_update(t->hasher, t->buffer, (size_t)n);
	*ret = t->buffer;
	return n;
}

/* Bytes that can be taken from the data at hand, after reading more when there are none; 0: the
 * end. */
static ssize_t available(struct tar_reader *t, struct varve_error *err)
{
	const void *data = t->data;
	ssize_t n;

	if (t->pos < t->len)
		return (ssize_t)(t->len - t->pos);
	n = t->ahead ? layer_ahead_next(t->ahead, &data, err) : read_more(t, &data, err);
	if (n < 0)
		return n;
	t->data = data;
	t->pos = 0;
	t->len = (size_t)n;
	t->total += (uint64_t)n;
	if (t->total > TOTAL_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT, "a layer of more than 64 GiB");
	return n;
}

/* Takes len bytes; data may be NULL. Returns the count, less than len only at the end. */
static ssize_t take(struct tar_reader *t, void *data, uint64_t len, struct varve_error *err)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = available(t, err);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		if ((uint64_t)n > len - done)
			n = (ssize_t)(len - done);
		if (data)
			memcpy((unsigned char *)data + done, t->data + t->pos, (size_t)n);
		t->pos += (size_t)n;
		done += (uint64_t)n;
	}
	return (ssize_t)done;
}

static int take_all(struct tar_reader *t, void *data, uint64_t len, struct varve_error *err)
{
	ssize_t n = take(t, data, len, err);

	if (n < 0)
		return (int)n;
	return (uint64_t)n == len ? 0 : malformed(err, "it ends too early");
}

/* Octal with spaces or NULs around it, or GNU's base-256. False: neither, or too large. */
static bool get_number(const unsigned char *block, struct field f, uint64_t *ret)
{
	const unsigned char *p = block + f.at, *stop = p + f.size;
	uint64_t value = 0;

	if (*p & 0x80) { /* negative numbers (0xff) mean nothing in a layer */
		value = *p++ & 0x7f;
		for (; p < stop && value >> 55 == 0; p++)
			value = value << 8 | *p;
		*ret = value;
		return p == stop && value <= INT64_MAX;
	}
	while (p < stop && *p == ' ')
		p++;
	for (; p < stop && *p >= '0' && *p <= '7' && value >> 60 == 0; p++)
		value = value << 3 | (uint64_t)(*p - '0');
	*ret = value;
	return p == stop || *p == ' ' || *p == '\0';
}

static void add_text(struct buf *to, const unsigned char *block, struct field f)
{
	const char *text = (const char *)block + f.at;

	buf_add(to, text, strnlen(text, f.size));
}

static bool checksum_ok(const unsigned char *block)
{
	uint64_t wanted, sum = 0;
	int64_t signed_sum = 0; /* some old writers */

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool own = i >= CHECKSUM.at && i < CHECKSUM.at + CHECKSUM.size;

		sum += own ? ' ' : block[i];
		signed_sum += own ? ' ' : (signed char)block[i];
	}
	return get_number(block, CHECKSUM, &wanted) &&
	       (wanted == sum || (int64_t)wanted == signed_sum);
}

static void get_path(struct buf *path, const unsigned char *block)
{
	bool posix = memcmp(block + MAGIC_AT,
			    "ustar\0"
			    "00",
			    8) == 0;
	bool star = posix && memcmp(block + STAR_AT, "tar", 4) == 0;

	buf_reset(path);
	if (posix)
		add_text(path, block, star ? STAR_PREFIX : PREFIX);
	if (path->len > 0)
		buf_addc(path, '/');
	add_text(path, block, NAME);
}

/* Reads the data of an extended header; the padding too. */
static int take_extended(struct tar_reader *t, uint64_t size, struct buf *data,
			 struct varve_error *err)
{
	int r;

	if (size > EXTENDED_MAX)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "layer tar: an extended header of %" PRIu64 " bytes", size);
	buf_reset(data);
	buf_reserve(data, (size_t)size);
	r = take_all(t, data->data, size, err);
	if (r < 0)
		return r;
	data->len = (size_t)size;
	data->data[size] = '\0';
	return take_all(t, NULL, tar_padding(size), err);
}

static void replace_text(struct buf *buf, const char *text)
{
	buf_reset(buf);
	buf_addstr(buf, text);
}

/* Headers that say something about the next one. 1: it was one. */
static int take_prelude(struct tar_reader *t, const unsigned char *block, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf data = BUF_INIT;
	char type = (char)block[TYPE_AT];
	uint64_t size;
	int r;

	if (!strchr("xgLK", type) || type == '\0')
		return 0;
	if (!get_number(block, SIZE, &size))
		return malformed(err, "a size is malformed");
	r = take_extended(t, size, &data, err);
	if (r < 0)
		return r;
	if (type == 'x')
		r = tar_pax_parse(&t->pax, data.data, data.len, err);
	else if (type != 'g')
		replace_text(type == 'L' ? &t->pax.path : &t->pax.link, data.data);
	return r < 0 ? r : 1;
}

static bool get_numbers(const struct tar_pax *pax, const unsigned char *block,
			struct tar_item *item)
{
	bool before_1970 = block[MTIME.at] == 0xff; /* base-256, negative: as 0 */
	uint64_t mode, mtime = 0;

	if (!get_number(block, MODE, &mode) || !get_number(block, UID, &item->uid) ||
	    !get_number(block, GID, &item->gid) || !get_number(block, SIZE, &item->size) ||
	    (!before_1970 && !get_number(block, MTIME, &mtime)))
		return false;
	if ((item->type == TAR_CHARACTER || item->type == TAR_BLOCK_DEVICE) &&
	    (!get_number(block, MAJOR, &item->major) || !get_number(block, MINOR, &item->minor)))
		return false;
	item->mode = (unsigned)(mode & 07777);
	item->mtime = (struct timespec){.tv_sec = (time_t)mtime};
	if (pax->has_uid)
		item->uid = pax->uid;
	if (pax->has_gid)
		item->gid = pax->gid;
	if (pax->has_size)
		item->size = pax->size;
	if (pax->has_mtime)
		item->mtime = pax->mtime;
	return true;
}

static int get_type(const unsigned char *block, const struct buf *path, enum tar_type *ret,
		    struct varve_error *err)
{
	char type = (char)block[TYPE_AT];

	if (type == '\0' || type == '0' || type == '7')
		*ret = str_ends(buf_text(path), "/") ? TAR_DIRECTORY : TAR_FILE;
	else if (type >= '1' && type <= '6')
		*ret = (enum tar_type)type;
	else
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "layer tar: %s: entries of type 0x%02x are not supported",
				       buf_text(path), (unsigned)(unsigned char)type);
	return 0;
}

/* Sizes that readers disagree on: the one skips as much data, the other none. */
static const char *find_oddity(const struct tar_pax *pax, const unsigned char *block,
			       const struct tar_item *item)
{
	uint64_t size = 0;

	(void)get_number(block, SIZE, &size);
	if (item->type != TAR_FILE && item->size > 0)
		return "has no data, but a size";
	if (pax->has_size && size != 0 && size != pax->size)
		return "has two sizes";
	return NULL;
}

int tar_item_parse(const unsigned char block[TAR_BLOCK], const struct tar_pax *pax,
		   struct buf *names, struct tar_item *ret, struct varve_error *err)
{
	struct tar_item item = {.xattrs = &pax->xattrs};
	struct buf *path = &names[0], *link = &names[1];
	int r;

	get_path(path, block);
	buf_reset(link);
	add_text(link, block, LINK);
	r = get_type(block, pax->path.len > 0 ? &pax->path : path, &item.type, err);
	if (r < 0)
		return r;
	if (!get_numbers(pax, block, &item))
		return malformed(err, "a number is malformed");
	item.path = pax->path.len > 0 ? pax->path.data : buf_text(path);
	item.link = pax->link.len > 0 ? pax->link.data : buf_text(link);
	item.oddity = find_oddity(pax, block, &item);
	/* The size of the others says nothing about data that follows. */
	if (item.type != TAR_FILE)
		item.size = 0;
	*ret = item;
	return 0;
}

static int make_item(struct tar_reader *t, const unsigned char *block, struct tar_item *ret,
		     struct varve_error *err)
{
	int r = tar_item_parse(block, &t->pax, t->names, ret, err);

	if (r < 0)
		return r;
	t->data_left = ret->size;
	t->padding = tar_padding(ret->size);
	return 1;
}

bool tar_block_is_extended(const unsigned char block[TAR_BLOCK], uint64_t *ret_size)
{
	return block[TYPE_AT] == 'x' && get_number(block, SIZE, ret_size);
}

static bool is_all_zero(const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

/* The next header block. 0: the end (a block of NULs, or of the bytes). */
static int take_block(struct tar_reader *t, unsigned char block[TAR_BLOCK], struct varve_error *err)
{
	ssize_t n = take(t, block, TAR_BLOCK, err);

	if (n < 0)
		return (int)n;
	if (n == 0 || (n == TAR_BLOCK && is_all_zero(block, TAR_BLOCK)))
		return 0;
	if (n < TAR_BLOCK)
		return malformed(err, "it ends too early");
	return checksum_ok(block) ? 1 : malformed(err, "a header's checksum is wrong");
}

int tar_reader_next(struct tar_reader *t, struct tar_item *ret, struct varve_error *err)
{
	unsigned char block[TAR_BLOCK];
	bool prelude = false;
	int r;

	if (t->end)
		return 0;
	r = take_all(t, NULL, t->data_left + t->padding, err);
	if (r < 0)
		return r;
	t->data_left = 0;
	t->padding = 0;
	tar_pax_release(&t->pax);
	for (;;) {
		r = take_block(t, block, err);
		if (r < 0)
			return r;
		if (r == 0) {
			t->end = true;
			return prelude ? malformed(err, "it ends too early") : 0;
		}
		r = take_prelude(t, block, err);
		if (r < 0)
			return r;
		if (r == 0)
			return make_item(t, block, ret, err);
		prelude = block[TYPE_AT] != 'g';
	}
}

ssize_t tar_reader_data(struct tar_reader *t, const void **ret_data, struct varve_error *err)
{
	ssize_t n;

	if (t->data_left == 0)
		return 0;
	n = available(t, err);
	if (n < 0)
		return n;
	if (n == 0)
		return malformed(err, "it ends too early");
	if ((uint64_t)n > t->data_left)
		n = (ssize_t)t->data_left;
	*ret_data = t->data + t->pos;
	t->pos += (size_t)n;
	t->data_left -= (uint64_t)n;
	return n;
}

bool tar_reader_has_trailer(const struct tar_reader *t)
{
	return t->trailer;
}

int tar_reader_finish(struct tar_reader *t, struct varve_digest *ret_digest, uint64_t *ret_size,
		      struct varve_error *err)
{
	ssize_t n;

	while ((n = available(t, err)) > 0) {
		t->trailer = t->trailer || !is_all_zero(t->data + t->pos, (size_t)n);
		t->pos = t->len;
	}
	if (n < 0)
		return (int)n;
	if (t->ahead)
		layer_ahead_finish(t->ahead, ret_digest);
	else
		hasher_final(t->hasher, ret_digest);
	*ret_size = t->total;
	return 0;
}
