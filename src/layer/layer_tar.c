/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_xattr.h"

#define PAX_NAME "././@PaxHeader"

enum { NAME_SIZE = 100, PREFIX_SIZE = 155 };
#define ID_MAX 07777777ULL
#define SIZE_MAX_OCTAL 077777777777ULL

/* POSIX.1-2017, pax, "ustar Header Block". */
struct ustar {
	char name[NAME_SIZE];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char link[NAME_SIZE];
	char magic[6], version[2];
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[PREFIX_SIZE];
	char unused[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

size_t tar_padding(uint64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	char digits[32];

	(void)snprintf(digits, sizeof(digits), "%0*" PRIo64, (int)size - 1, value);
	memcpy(field, digits, size);
}

/* Text that fills its field has no NUL: ustar allows that. */
static void put_text(char *field, size_t size, const char *text, size_t len)
{
	memcpy(field, text, len < size ? len : size);
}

/* Where the '/' between prefix and name is; 0: the path cannot be split. */
static size_t split_at(const char *path, size_t len)
{
	size_t limit = len - 1 < PREFIX_SIZE + 1 ? len - 1 : PREFIX_SIZE + 1;

	for (size_t i = limit; i > 1; i--)
		if (path[i - 1] == '/')
			return len - i <= NAME_SIZE ? i - 1 : 0;
	return 0;
}

static void put_checksum(struct ustar *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	put_octal(h->checksum, 7, sum);
}

/* The fields that every header has; numbers that do not fit are 0. */
static void put_numbers(struct ustar *h, const struct tar_entry *e)
{
	put_octal(h->mode, sizeof(h->mode), e->mode & 07777);
	put_octal(h->uid, sizeof(h->uid), e->uid <= ID_MAX ? e->uid : 0);
	put_octal(h->gid, sizeof(h->gid), e->gid <= ID_MAX ? e->gid : 0);
	put_octal(h->size, sizeof(h->size), e->size <= SIZE_MAX_OCTAL ? e->size : 0);
	put_octal(h->mtime, sizeof(h->mtime),
		  (uint64_t)e->mtime <= SIZE_MAX_OCTAL ? (uint64_t)e->mtime : 0);
	put_octal(h->major, sizeof(h->major), e->major);
	put_octal(h->minor, sizeof(h->minor), e->minor);
	h->type = (char)e->type;
	memcpy(h->magic, "ustar", sizeof(h->magic));
	memcpy(h->version, "00", sizeof(h->version));
}

/* One record; its length counts its own digits. */
static void add_record(struct buf *out, const char *keyword, const char *value, size_t size)
{
	size_t rest = strlen(keyword) + size + 3; /* ' ', '=', '\n' */
	size_t len = rest + 1;
	char digits[24];

	for (;;) {
		int n = snprintf(digits, sizeof(digits), "%zu", len);

		if (rest + (size_t)n == len)
			break;
		len = rest + (size_t)n;
	}
	buf_addf(out, "%s %s=", digits, keyword);
	buf_add(out, value, size);
	buf_addc(out, '\n');
}

static void add_number(struct buf *out, const char *keyword, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, value);

	add_record(out, keyword, text, (size_t)n);
}

static void add_xattrs(struct buf *out, const struct layer_xattrs *x)
{
	CLEANUP(buf_release) struct buf keyword = BUF_INIT;

	for (size_t i = 0; x && i < x->count; i++) {
		buf_reset(&keyword);
		buf_addf(&keyword, "SCHILY.xattr.%s", x->items[i].name);
		add_record(out, keyword.data, x->items[i].value, x->items[i].size);
	}
}

/* In the order of the keywords. */
static void add_records(struct buf *out, const struct tar_entry *e, const struct buf *long_path)
{
	add_xattrs(out, e->xattrs);
	if (e->gid > ID_MAX)
		add_number(out, "gid", (int64_t)e->gid);
	if (e->link && strlen(e->link) > NAME_SIZE)
		add_record(out, "linkpath", e->link, strlen(e->link));
	if ((uint64_t)e->mtime > SIZE_MAX_OCTAL)
		add_number(out, "mtime", e->mtime);
	if (long_path)
		add_record(out, "path", long_path->data, long_path->len);
	if (e->size > SIZE_MAX_OCTAL)
		add_number(out, "size", (int64_t)e->size);
	if (e->uid > ID_MAX)
		add_number(out, "uid", (int64_t)e->uid);
}

static void add_pax_header(struct buf *out, const struct buf *records)
{
	static const char zeros[TAR_BLOCK];
	const struct tar_entry e = {.type = (enum tar_type)'x', .mode = 0644, .size = records->len};
	struct ustar h = {0};

	put_text(h.name, sizeof(h.name), PAX_NAME, strlen(PAX_NAME));
	put_numbers(&h, &e);
	put_checksum(&h);
	buf_add(out, &h, sizeof(h));
	buf_add(out, records->data, records->len);
	buf_add(out, zeros, tar_padding(records->len));
}

void tar_header(const struct tar_entry *entry, struct buf *out)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT, records = BUF_INIT;
	struct ustar h = {0};
	size_t split = 0;

	buf_addstr(&path, entry->path);
	if (entry->type == TAR_DIRECTORY)
		buf_addc(&path, '/');
	if (path.len > NAME_SIZE)
		split = split_at(path.data, path.len);
	if (split) {
		put_text(h.prefix, sizeof(h.prefix), path.data, split);
		put_text(h.name, sizeof(h.name), path.data + split + 1, path.len - split - 1);
	} else {
		put_text(h.name, sizeof(h.name), path.data, path.len);
	}
	if (entry->link)
		put_text(h.link, sizeof(h.link), entry->link, strlen(entry->link));
	put_numbers(&h, entry);
	put_checksum(&h);
	add_records(&records, entry, path.len > NAME_SIZE && !split ? &path : NULL);
	if (records.len > 0)
		add_pax_header(out, &records);
	buf_add(out, &h, sizeof(h));
}
