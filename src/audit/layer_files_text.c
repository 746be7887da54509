/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_files.h"

#include <inttypes.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_tar.h"

#define MAGIC "varve-layer-files 3 "

static void add_digest(const struct varve_digest *digest, struct buf *out)
{
	char hex[VARVE_DIGEST_HEX];

	buf_addf(out, " %s", varve_digest_hex(digest, hex));
}

static void format_file(const struct layer_file *f, struct buf *out)
{
	buf_addf(out, "%c %d %o %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, f->type,
		 f->text, f->mode, f->uid, f->gid, f->size, f->major, f->minor);
	buf_addf(out, " %" PRId64 " %ld %" PRIu64, f->mtime, f->nanoseconds, f->order);
	add_digest(&f->content, out);
	buf_addc(out, ' ');
	for (size_t i = 0; i < LAYER_FILE_HEAD; i++)
		buf_addf(out, "%02x", f->head[i]);
	buf_addc(out, '\0');
	buf_add(out, f->path, strlen(f->path) + 1);
	buf_add(out, f->link, strlen(f->link) + 1);
	buf_add(out, f->xattrs, strlen(f->xattrs) + 1);
}

void layer_files_format(const struct layer_files *files, struct buf *out)
{
	char hex[VARVE_DIGEST_HEX];

	buf_addf(out, MAGIC "%s %zu\n", varve_digest_hex(&files->diff_id, hex), files->count);
	for (size_t i = 0; i < files->count; i++)
		format_file(&files->items[i], out);
}

/* --- parsing -------------------------------------------------------------------------------------
 */

/* Up to a limit; digits only, no leading zeros: what formatting writes. */
static bool take_number(const char **at, unsigned base, uint64_t limit, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p < '0' + (char)base; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (limit - digit) / base)
			return false;
		value = value * base + digit;
	}
	*at = p;
	*ret = value;
	return true;
}

static bool take_space(const char **at)
{
	return *(*at)++ == ' ';
}

static bool take_u64(const char **at, uint64_t limit, uint64_t *ret)
{
	return take_space(at) && take_number(at, 10, limit, ret);
}

static bool take_time(const char **at, int64_t *ret)
{
	uint64_t value;
	bool negative;

	if (!take_space(at))
		return false;
	negative = **at == '-';
	*at += negative;
	if (!take_number(at, 10, INT64_MAX, &value) || (negative && value == 0))
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* count bytes as lower-case digits. */
static bool take_hex(const char **at, unsigned char *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	if (!take_space(at))
		return false;
	for (size_t i = 0; i < 2 * count; i++, (*at)++) {
		const char *digit = **at ? strchr(digits, **at) : NULL;

		if (!digit)
			return false;
		bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | (digit - digits));
	}
	return true;
}

static bool take_digest(const char **at, struct varve_digest *ret)
{
	char hex[VARVE_DIGEST_HEX];

	if (!take_space(at) || strnlen(*at, sizeof(hex) - 1) < sizeof(hex) - 1)
		return false;
	memcpy(hex, *at, sizeof(hex) - 1);
	hex[sizeof(hex) - 1] = '\0';
	*at += sizeof(hex) - 1;
	return varve_digest_parse_hex(hex, ret) == 0;
}

/*	type text mode	*/
static bool take_kind(const char **at, struct layer_file *f)
{
	uint64_t mode;
	const char *p = *at;

	if (*p < TAR_FILE || *p > TAR_FIFO || p[1] != ' ' || (p[2] != '0' && p[2] != '1') ||
	    p[3] != ' ')
		return false;
	f->type = *p;
	f->text = p[2] == '1';
	*at = p + 4;
	if (!take_number(at, 8, 07777, &mode))
		return false;
	f->mode = (unsigned)mode;
	return true;
}

static bool parse_fields(const char *at, struct layer_file *f)
{
	uint64_t nanoseconds;

	if (!take_kind(&at, f) || !take_u64(&at, UINT64_MAX, &f->uid) ||
	    !take_u64(&at, UINT64_MAX, &f->gid) || !take_u64(&at, UINT64_MAX, &f->size) ||
	    !take_u64(&at, UINT64_MAX, &f->major) || !take_u64(&at, UINT64_MAX, &f->minor) ||
	    !take_time(&at, &f->mtime) || !take_u64(&at, 999999999, &nanoseconds) ||
	    !take_u64(&at, UINT64_MAX, &f->order) || !take_digest(&at, &f->content) ||
	    !take_hex(&at, f->head, sizeof(f->head)))
		return false;
	f->nanoseconds = (long)nanoseconds;
	return *at == '\0';
}

/* The next string that ends in a NUL before end; NULL: there is none. */
static const char *take_string(const char **at, const char *end)
{
	const char *text = *at, *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

/* By path, then by order; each order once is not asked. */
static bool follows(const struct layer_files *files, const char *path, uint64_t order)
{
	const struct layer_file *last = files->count ? &files->items[files->count - 1] : NULL;
	int r = last ? strcmp(last->path, path) : -1;

	return r < 0 || (r == 0 && last->order < order);
}

static bool parse_file(const char **at, const char *end, struct layer_files *files)
{
	const char *fields = take_string(at, end), *path = take_string(at, end),
		   *link = take_string(at, end), *xattrs = take_string(at, end);
	struct layer_file file = {0};

	if (!fields || !path || !link || !xattrs || !parse_fields(fields, &file) ||
	    !follows(files, path, file.order))
		return false;
	file.path = xstrdup(path);
	file.link = xstrdup(link);
	file.xattrs = xstrdup(xattrs);
	files->items = array_grow(files->items, files->count, &files->alloc, sizeof(*files->items));
	files->items[files->count++] = file;
	return true;
}

/* The first line; its text ends in a NUL somewhere, as all that struct buf holds. */
static bool parse_head(const char *line, struct layer_files *files, uint64_t *ret_count)
{
	const char *at = line + strlen(MAGIC) - 1; /* at the space */

	return str_starts(line, MAGIC) && take_digest(&at, &files->diff_id) &&
	       take_u64(&at, SIZE_MAX, ret_count) && *at == '\n';
}

int layer_files_parse(const char *text, size_t len, struct layer_files *ret)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	const char *end = text + len, *at = len ? memchr(text, '\n', len) : NULL;
	uint64_t count;

	if (!at++ || !parse_head(text, &files, &count))
		return -VARVE_E_FORMAT;
	while (at < end)
		if (!parse_file(&at, end, &files))
			return -VARVE_E_FORMAT;
	if (files.count != count)
		return -VARVE_E_FORMAT;
	*ret = files;
	files = (struct layer_files){0};
	return 0;
}
