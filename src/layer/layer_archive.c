/* SPDX-License-Identifier: Apache-2.0
 * Archives of url sources: made by anyone for people to unpack, so libarchive reads them. */
#include "layer/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_place.h"
#include "layer/layer_walk.h"

enum { ENTRIES_MAX = 4000000, BLOCK = 1 << 20 };
#define TOTAL_MAX (64LL << 30)

struct unpack {
	struct archive *archive;
	struct layer_place *place;
	unsigned strip;
	int64_t total;
	struct varve_error *err;
};

static void unpack_release(struct unpack *u)
{
	(void)archive_read_free(u->archive);
	layer_place_freep(&u->place);
}

static int failed(struct unpack *u)
{
	const char *text = archive_error_string(u->archive);

	return varve_error_set(u->err, -VARVE_E_FORMAT, "archive: %s", text ? text : "malformed");
}

/* The clean path after dropping leading components; NULL in ret: nothing is left of it. */
static int strip_path(const struct unpack *u, const char *name, char **ret)
{
	CLEANUP(free_ptr) char *path = NULL;
	const char *rest;

	if (!name || strlen(name) >= LAYER_PATH_MAX)
		return varve_error_set(u->err, -VARVE_E_FORMAT,
				       "archive: an entry without a name, or with a too long one");
	path = path_clean(name);
	if (!path)
		return varve_error_set(u->err, -VARVE_E_FORMAT, "archive: \"%s\" has \"..\"", name);
	rest = path;
	for (unsigned i = 0; i < u->strip && rest; i++) {
		rest = strchr(rest, '/');
		if (rest)
			rest++;
	}
	*ret = rest && *rest ? xstrdup(rest) : NULL;
	return 0;
}

static struct place_attributes attributes_of(struct archive_entry *e)
{
	bool program = archive_entry_filetype(e) == AE_IFDIR || (archive_entry_perm(e) & 0111);

	return (struct place_attributes){
		.mode = program ? 0755 : 0644,
		.mtime = {.tv_sec = archive_entry_mtime(e)},
	};
}

/* Blocks may leave holes between them. */
static int write_data(struct unpack *u, int fd, const char *path)
{
	const void *data;
	size_t len;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(u->archive, &data, &len, &offset)) == ARCHIVE_OK) {
		u->total += (int64_t)len;
		if (u->total > TOTAL_MAX || offset > TOTAL_MAX)
			return varve_error_set(u->err, -VARVE_E_LIMIT,
					       "an archive of more than 64 GiB");
		if (lseek(fd, offset, SEEK_SET) < 0)
			return varve_error_set(u->err, -errno, "seek in %s", path);
		r = fd_write_all(fd, data, len);
		if (r < 0)
			return varve_error_set(u->err, r, "write %s", path);
	}
	return r == ARCHIVE_EOF ? 0 : failed(u);
}

static int unpack_file(struct unpack *u, struct archive_entry *e, const char *path)
{
	const struct place_attributes a = attributes_of(e);
	CLEANUP(fd_close) int fd = -1;
	int r = layer_place_file(u->place, path, &fd, u->err);

	if (r == 0)
		r = write_data(u, fd, path);
	if (r == 0 && archive_entry_size_is_set(e) && ftruncate(fd, archive_entry_size(e)) < 0)
		r = varve_error_set(u->err, -errno, "write %s", path);
	return r < 0 ? r : layer_place_attributes(u->place, path, fd, &a, u->err);
}

static int unpack_link(struct unpack *u, struct archive_entry *e, const char *path)
{
	CLEANUP(free_ptr) char *target = NULL;
	int r = strip_path(u, archive_entry_hardlink(e), &target);

	if (r < 0)
		return r;
	if (!target)
		return varve_error_set(u->err, -VARVE_E_FORMAT,
				       "archive: %s is a link to something outside", path);
	return layer_place_link(u->place, path, target, u->err);
}

static int unpack_symlink(struct unpack *u, struct archive_entry *e, const char *path)
{
	const struct place_attributes a = attributes_of(e);
	const char *target = archive_entry_symlink(e);

	if (!target || !*target)
		return varve_error_set(u->err, -VARVE_E_FORMAT, "archive: %s is a link to nothing",
				       path);
	return layer_place_symlink(u->place, path, target, &a, u->err);
}

static int unpack_directory(struct unpack *u, struct archive_entry *e, const char *path)
{
	const struct place_attributes a = attributes_of(e);

	return layer_place_directory(u->place, path, &a, u->err);
}

static int unpack_entry(struct unpack *u, struct archive_entry *e)
{
	CLEANUP(free_ptr) char *path = NULL;
	int r = strip_path(u, archive_entry_pathname(e), &path);

	if (r < 0 || !path)
		return r;
	if (archive_entry_is_encrypted(e))
		return varve_error_set(u->err, -VARVE_E_FORMAT, "archive: %s is encrypted", path);
	if (archive_entry_hardlink(e))
		return unpack_link(u, e, path);
	switch (archive_entry_filetype(e)) {
	case AE_IFREG:
		return unpack_file(u, e, path);
	case AE_IFDIR:
		return unpack_directory(u, e, path);
	case AE_IFLNK:
		return unpack_symlink(u, e, path);
	default:
		return varve_error_set(u->err, -VARVE_E_FORMAT,
				       "archive: %s is neither a file, a directory nor a link",
				       path);
	}
}

static int unpack_entries(struct unpack *u)
{
	struct archive_entry *e;
	int r;

	for (unsigned count = 0; count < ENTRIES_MAX; count++) {
		r = archive_read_next_header(u->archive, &e);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return failed(u);
		r = unpack_entry(u, e);
		if (r < 0)
			return r;
	}
	return varve_error_set(u->err, -VARVE_E_LIMIT, "an archive of more than %d entries",
			       ENTRIES_MAX);
}

static int open_archive(struct unpack *u, int fd)
{
	u->archive = archive_read_new();
	if (!u->archive || archive_read_support_format_tar(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_format_zip(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_gzip(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_bzip2(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_xz(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_zstd(u->archive) < ARCHIVE_WARN)
		return varve_error_set(u->err, -VARVE_E_HOST, "libarchive lacks a format");
	return archive_read_open_fd(u->archive, fd, BLOCK) == ARCHIVE_OK ? 0 : failed(u);
}

static int unpack(struct unpack *u, int fd)
{
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	int r = open_archive(u, fd);

	if (r == 0)
		r = unpack_entries(u);
	return r < 0 ? r : layer_place_finish(u->place, &implied, u->err);
}

int layer_unpack_archive(int archive_fd, int directory, unsigned strip, struct varve_error *err)
{
	const struct owners plain = {.mode = OWNER_ROOT}; /* asked, and never given */
	CLEANUP(unpack_release) struct unpack u = {.strip = strip, .err = err};
	/* libarchive converts names to the thread's locale: they shall be UTF-8 whatever ours is.
	 */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
	int r;

	if (!utf8)
		return varve_error_set(err, -VARVE_E_HOST, "there is no locale C.UTF-8");
	before = uselocale(utf8);
	u.place = layer_place_new(directory, &plain, false);
	r = unpack(&u, archive_fd);
	(void)uselocale(before);
	freelocale(utf8);
	return r;
}
