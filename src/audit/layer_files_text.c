/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layer_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define MAGIC "varve-layer-files 2 "
enum { HEAD_HEX = 2 * LAYER_FILE_HEAD };

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
	add_digest(&f->xattrs, out);
	buf_addc(out, ' ');
	for (size_t i = 0; i < LAYER_FILE_HEAD; i++)
		buf_addf(out, "%02x", f->head[i]);
	buf_addc(out, '\0');
	buf_add(out, f->path, strlen(f->path) + 1);
	buf_add(out, f->link, strlen(f->link) + 1);
}

void layer_files_format(const struct layer_files *files, struct buf *out)
{
	char hex[VARVE_DIGEST_HEX];

	buf_addf(out, MAGIC "%s %zu\n", varve_digest_hex(&files->diff_id, hex), files->count);
	for (size_t i = 0; i < files->count; i++)
		format_file(&files->items[i], out);
}

/* The next string that ends in a NUL before end; NULL: there is none. */
static const char *take_string(const char **at, const char *end)
{
	const char *text = *at, *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

static bool parse_head(const char *hex, unsigned char head[LAYER_FILE_HEAD])
{
	unsigned byte;

	for (size_t i = 0; i < LAYER_FILE_HEAD; i++, hex += 2) {
		if (sscanf(hex, "%2x", &byte) != 1)
			return false;
		head[i] = (unsigned char)byte;
	}
	return true;
}

static bool parse_fields(const char *text, struct layer_file *f)
{
	char content[VARVE_DIGEST_HEX], xattrs[VARVE_DIGEST_HEX];
	char head[HEAD_HEX + 1];
	int is_text;

	if (sscanf(text,
		   "%c %d %o %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64
		   " %ld %" SCNu64 " %64s %64s %32s",
		   &f->type, &is_text, &f->mode, &f->uid, &f->gid, &f->size, &f->major, &f->minor,
		   &f->mtime, &f->nanoseconds, &f->order, content, xattrs, head) != 14)
		return false;
	f->text = is_text != 0;
	return varve_digest_parse_hex(content, &f->content) == 0 &&
	       varve_digest_parse_hex(xattrs, &f->xattrs) == 0 && strlen(head) == HEAD_HEX &&
	       parse_head(head, f->head);
}

static bool parse_file(const char **at, const char *end, struct layer_files *files)
{
	const char *fields = take_string(at, end), *path = take_string(at, end),
		   *link = take_string(at, end);
	struct layer_file file = {0};

	if (!fields || !path || !link || !parse_fields(fields, &file))
		return false;
	file.path = xstrdup(path);
	file.link = xstrdup(link);
	files->items = array_grow(files->items, files->count, &files->alloc, sizeof(*files->items));
	files->items[files->count++] = file;
	return true;
}

int layer_files_parse(const char *text, size_t len, struct layer_files *ret)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	const char *end = text + len, *at = memchr(text, '\n', len);
	char hex[VARVE_DIGEST_HEX];
	size_t count;

	if (!at++ || sscanf(text, MAGIC "%64s %zu", hex, &count) != 2 ||
	    varve_digest_parse_hex(hex, &files.diff_id) < 0)
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
