/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/difference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "audit/cure.h"
#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "layer/layer_tar.h"

struct pair {
	struct differences *all;
	int layer;
	const struct layer_file *a, *b; /* of the same path */
};

enum { NUMBER = 64, PYC_FLAGS_AT = 4 };

static void add(const struct pair *p, enum difference_class class, const char *field,
		const char *kind, const char *a, const char *b)
{
	differences_add(p->all, &(struct difference){.class = class,
						     .layer = p->layer,
						     .path = p->a ? p->a->path : p->b->path,
						     .field = field,
						     .kind = kind,
						     .a = a,
						     .b = b});
}

static void compare_numbers(const struct pair *p, enum difference_class class, const char *field,
			    uint64_t a, uint64_t b)
{
	char left[NUMBER], right[NUMBER];

	if (a == b)
		return;
	(void)snprintf(left, sizeof(left), "%" PRIu64, a);
	(void)snprintf(right, sizeof(right), "%" PRIu64, b);
	add(p, class, field, NULL, left, right);
}

/* What an umask takes away are the bits of group and others. */
static void compare_modes(const struct pair *p)
{
	char left[NUMBER], right[NUMBER];

	if (p->a->mode == p->b->mode)
		return;
	(void)snprintf(left, sizeof(left), "%04o", p->a->mode);
	(void)snprintf(right, sizeof(right), "%04o", p->b->mode);
	differences_add(p->all, &(struct difference){.class = DIFFERENCE_MODE,
						     .layer = p->layer,
						     .path = p->a->path,
						     .field = "mode",
						     .a = left,
						     .b = right,
						     .cure = (p->a->mode ^ p->b->mode) & ~0077U
								     ? NULL
								     : cure_of(CURE_UMASK)});
}

static void compare_times(const struct pair *p)
{
	char left[NUMBER], right[NUMBER];

	if (p->a->mtime == p->b->mtime && p->a->nanoseconds == p->b->nanoseconds)
		return;
	(void)snprintf(left, sizeof(left), "%" PRId64 ".%09ld", p->a->mtime, p->a->nanoseconds);
	(void)snprintf(right, sizeof(right), "%" PRId64 ".%09ld", p->b->mtime, p->b->nanoseconds);
	add(p, DIFFERENCE_TIME, "mtime", NULL, left, right);
}

/* --- content -------------------------------------------------------------------------------------
 */

/* Formats by their first bytes. */
static const struct {
	const char *magic;
	size_t len;
	const char *kind;
} magics[] = {
	{"\177ELF", 4, "ELF program or library"},
	{"!<arch>\n", 8, "ar archive"},
	{"SQLite format 3\0", 16, "SQLite database"},
	{"\037\213", 2, "gzip data"},
	{"\050\265\057\375", 4, "zstd data"},
	{"\3757zXZ", 5, "xz data"},
	{"PK\003\004", 4, "zip archive"},
};

static bool is_pyc(const struct layer_file *f)
{
	return str_ends(f->path, ".pyc") && f->head[2] == '\r' && f->head[3] == '\n';
}

/* PEP 552: magic, flags, then the source's time and size, or its hash. */
static const char *kind_of_pyc(const struct layer_file *a, const struct layer_file *b)
{
	if (!varve_digest_equal(&a->body, &b->body))
		return "Python bytecode: the code";
	if (memcmp(a->head, b->head, PYC_FLAGS_AT) != 0)
		return "Python bytecode: the version of Python in the header";
	if (memcmp(a->head + PYC_FLAGS_AT, b->head + PYC_FLAGS_AT, 4) != 0)
		return "Python bytecode: how the header says to check the source";
	if (a->head[PYC_FLAGS_AT] & 1)
		return "Python bytecode: the source's hash in the header";
	return "Python bytecode: the source's time or size in the header";
}

static const char *kind_of_text(const char *path)
{
	if (str_equal(path, "var/lib/dpkg/status") || str_starts(path, "var/lib/dpkg/status.d/"))
		return "dpkg status";
	if (str_ends(path, ".json"))
		return "JSON text";
	return "text";
}

static const char *kind_of(const struct layer_file *a, const struct layer_file *b)
{
	if (is_pyc(a) && is_pyc(b))
		return kind_of_pyc(a, b);
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (memcmp(a->head, magics[i].magic, magics[i].len) == 0 &&
		    memcmp(b->head, magics[i].magic, magics[i].len) == 0)
			return magics[i].kind;
	return a->text && b->text ? kind_of_text(a->path) : "binary data";
}

static void compare_content(const struct pair *p)
{
	char left[VARVE_DIGEST_TEXT], right[VARVE_DIGEST_TEXT];

	if (p->a->type != TAR_FILE || varve_digest_equal(&p->a->content, &p->b->content))
		return;
	add(p, DIFFERENCE_CONTENT, "content", kind_of(p->a, p->b),
	    varve_digest_text(&p->a->content, left), varve_digest_text(&p->b->content, right));
	compare_numbers(p, DIFFERENCE_CONTENT, "size", p->a->size, p->b->size);
}

/* --- entries -------------------------------------------------------------------------------------
 */

static const char *type_name(char type)
{
	switch ((enum tar_type)type) {
	case TAR_FILE:
		return "file";
	case TAR_LINK:
		return "hard link";
	case TAR_SYMLINK:
		return "symlink";
	case TAR_CHARACTER:
		return "character device";
	case TAR_BLOCK_DEVICE:
		return "block device";
	case TAR_DIRECTORY:
		return "directory";
	case TAR_FIFO:
		return "fifo";
	}
	return "unknown";
}

static void compare_entry(const struct pair *p)
{
	const struct layer_file *a = p->a, *b = p->b;

	compare_numbers(p, DIFFERENCE_OWNER, "uid", a->uid, b->uid);
	compare_numbers(p, DIFFERENCE_OWNER, "gid", a->gid, b->gid);
	compare_modes(p);
	compare_times(p);
	if (!varve_digest_equal(&a->xattrs, &b->xattrs))
		add(p, DIFFERENCE_ATTRIBUTE, "extended attributes", NULL, NULL, NULL);
	if (a->type != b->type) {
		add(p, DIFFERENCE_TYPE, "type", NULL, type_name(a->type), type_name(b->type));
		return;
	}
	if (!str_equal(a->link, b->link))
		add(p, DIFFERENCE_LINK, "link", NULL, a->link, b->link);
	compare_numbers(p, DIFFERENCE_DEVICE, "major", a->major, b->major);
	compare_numbers(p, DIFFERENCE_DEVICE, "minor", a->minor, b->minor);
	compare_content(p);
}

static void add_lonely(const struct pair *p, const struct layer_file *only)
{
	bool whiteout = str_starts(path_base(only->path), ".wh.");
	const char *what = whiteout ? "whiteout" : type_name(only->type);

	add(p, whiteout ? DIFFERENCE_WHITEOUT : DIFFERENCE_ENTRY, "entry", NULL, p->a ? what : NULL,
	    p->b ? what : NULL);
}

/* --- order ---------------------------------------------------------------------------------------
 */

/* Only the same entries can be in another order. */
static bool same_order(const struct layer_files *a, const struct layer_files *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->items[i].path, b->items[i].path))
			return true;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].order != b->items[i].order)
			return false;
	return true;
}

void difference_layers(struct differences *all, int layer, const struct layer_files *a,
		       const struct layer_files *b)
{
	size_t i = 0, k = 0, before = json_array_size(all->list) + all->left_out;
	bool ordered = same_order(a, b);

	while (i < a->count || k < b->count) {
		struct pair p = {.all = all, .layer = layer};
		int side = i == a->count   ? 1
			   : k == b->count ? -1
					   : strcmp(a->items[i].path, b->items[k].path);

		p.a = side <= 0 ? &a->items[i++] : NULL;
		p.b = side >= 0 ? &b->items[k++] : NULL;
		if (side == 0)
			compare_entry(&p);
		else
			add_lonely(&p, side < 0 ? &a->items[i - 1] : &b->items[k - 1]);
	}
	if (!ordered)
		differences_add(all, &(struct difference){.class = DIFFERENCE_ORDER,
							  .layer = layer,
							  .field = "order of entries"});
	else if (json_array_size(all->list) + all->left_out == before)
		differences_add(all, &(struct difference){.class = DIFFERENCE_ENCODING,
							  .layer = layer,
							  .field = "tar headers"});
}
