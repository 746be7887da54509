/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner.h"
#include "base/path.h"

enum { DEB_BLOCK = 256 << 10, DEB_CONTROL = 1 << 20 };

/* The two archives, one inside the other; the inner one reads from the member of the outer. */
struct deb {
	struct archive *outer, *inner;
	char *block;
};

static void deb_release(struct deb *deb)
{
	if (deb->inner)
		archive_read_free(deb->inner);
	if (deb->outer)
		archive_read_free(deb->outer);
	free(deb->block);
}

static int failed(struct archive *archive, const char *what, struct varve_error *err)
{
	const char *text = archive ? archive_error_string(archive) : NULL;

	return varve_error_set(err, -VARVE_E_FORMAT, "%s: %s", what,
			       text ? text : "cannot be read");
}

/* Never NULL: libarchive gives no text for a name that it cannot convert. */
static const char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : "";
}

static la_ssize_t read_member(struct archive *inner, void *cookie, const void **block)
{
	struct deb *deb = cookie;
	la_ssize_t len = archive_read_data(deb->outer, deb->block, DEB_BLOCK);
	const char *text = len < 0 ? archive_error_string(deb->outer) : NULL;

	if (len < 0)
		archive_set_error(inner, EIO, "%s", text ? text : "the package ends early");
	*block = deb->block;
	return len < 0 ? -1 : len;
}

/* What dpkg and the archives use. Not "all": libarchive would start programs for some others. */
static void support_compression(struct archive *archive)
{
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
}

/* Opens the tar whose member name starts so ("data.tar"). */
static int open_member(int fd, const char *prefix, struct deb *deb, struct varve_error *err)
{
	struct archive_entry *entry;

	*deb = (struct deb){.outer = archive_read_new(), .inner = archive_read_new()};
	deb->block = xmalloc(DEB_BLOCK);
	archive_read_support_format_ar(deb->outer);
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    archive_read_open_fd(deb->outer, fd, DEB_BLOCK) != ARCHIVE_OK)
		return failed(deb->outer, "package", err);
	do {
		if (archive_read_next_header(deb->outer, &entry) != ARCHIVE_OK)
			return varve_error_set(err, -VARVE_E_FORMAT,
					       "not a Debian package: no %s in it", prefix);
	} while (!str_starts(name_of(entry), prefix));
	archive_read_support_format_tar(deb->inner);
	support_compression(deb->inner);
	if (archive_read_open(deb->inner, deb, NULL, read_member, NULL) != ARCHIVE_OK)
		return failed(deb->inner, prefix, err);
	return 0;
}

/* --- unpacking ---------------------------------------------------------------------------------
 */

struct unpack {
	struct archive *archive;
	const struct owners *owners;
	int root;
};

static int write_file(struct archive *archive, struct archive_entry *entry, int directory,
		      const char *name)
{
	CLEANUP(fd_close) int fd = -1;

	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (archive_read_data_into_fd(archive, fd) != ARCHIVE_OK)
		return -EIO;
	/* libarchive leaves out what comes after the last byte that is not in a hole. */
	return ftruncate(fd, archive_entry_size(entry)) < 0 ? -errno : 0;
}

static int make_link(int root, const char *target, int directory, const char *name)
{
	CLEANUP(free_ptr) char *clean = path_clean(target);
	CLEANUP(free_ptr) char *parent = NULL;
	CLEANUP(fd_close) int from = -1;

	if (!clean || !*clean)
		return -EINVAL;
	parent = xstrndup(clean, path_dir_len(clean));
	from = path_open_dir_in(root, parent, false);
	if (from < 0)
		return from;
	return linkat(from, path_base(clean), directory, name, 0) < 0 ? -errno : 0;
}

/* 1 when it is a directory of its own, whose attributes are ours to set; 0 for a link to a
 * directory inside the root, which stays as it is (/bin). Anything else in the way is an error. */
static int make_directory(int root, const char *path, int directory)
{
	CLEANUP(fd_close) int there = -1;
	struct stat st;

	if (mkdirat(directory, path_base(path), 0755) == 0)
		return 1;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(directory, path_base(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return 1;
	there = path_open_dir_in(root, path, false);
	return there < 0 ? there : 0;
}

/* Owner before mode: chown clears the set-id bits. */
static int set_attributes(const struct unpack *u, struct archive_entry *entry, int directory,
			  const char *name)
{
	struct timespec times[2] = {{.tv_sec = archive_entry_mtime(entry)},
				    {.tv_sec = archive_entry_mtime(entry)}};

	int r = owner_write(u->owners, directory, name, (uid_t)archive_entry_uid(entry),
			    (gid_t)archive_entry_gid(entry));

	if (r < 0)
		return r;
	if (archive_entry_filetype(entry) != AE_IFLNK &&
	    fchmodat(directory, name, archive_entry_perm(entry), 0) < 0)
		return -errno;
	return utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int unpack_other(const struct unpack *u, struct archive_entry *entry, int directory,
			const char *name)
{
	int r;

	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return -errno;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		r = write_file(u->archive, entry, directory, name);
		break;
	case AE_IFLNK:
		r = symlinkat(archive_entry_symlink(entry), directory, name) < 0 ? -errno : 0;
		break;
	case AE_IFIFO:
		r = mkfifoat(directory, name, 0600) < 0 ? -errno : 0;
		break;
	default:
		return -EPERM; /* packages bring no devices */
	}
	return r < 0 ? r : set_attributes(u, entry, directory, name);
}

static int unpack_entry(const struct unpack *u, struct archive_entry *entry)
{
	const char *link = archive_entry_hardlink(entry);
	CLEANUP(free_ptr) char *clean = path_clean(name_of(entry));
	CLEANUP(free_ptr) char *parent = NULL;
	CLEANUP(fd_close) int directory = -1;
	int r;

	if (!clean || *name_of(entry) == '\0')
		return -EINVAL;
	if (*clean == '\0')
		return 0;
	parent = xstrndup(clean, path_dir_len(clean));
	directory = path_open_dir_in(u->root, parent, true);
	if (directory < 0)
		return directory;
	if (link) {
		if (unlinkat(directory, path_base(clean), 0) < 0 && errno != ENOENT)
			return -errno;
		return make_link(u->root, link, directory, path_base(clean));
	}
	if (archive_entry_filetype(entry) != AE_IFDIR)
		return unpack_other(u, entry, directory, path_base(clean));
	r = make_directory(u->root, clean, directory);
	return r <= 0 ? r : set_attributes(u, entry, directory, path_base(clean));
}

int deb_unpack(int fd, int root, const struct owners *owners, struct varve_error *err)
{
	CLEANUP(deb_release) struct deb deb = {0};
	struct archive_entry *entry;
	struct unpack u;
	int r;

	r = open_member(fd, "data.tar", &deb, err);
	u = (struct unpack){deb.inner, owners, root};
	while (r == 0) {
		int status = archive_read_next_header(deb.inner, &entry);

		if (status == ARCHIVE_EOF)
			return 0;
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return failed(deb.inner, "data.tar", err);
		r = unpack_entry(&u, entry);
		if (r < 0)
			(void)varve_error_set(err, r, "unpack %s", name_of(entry));
	}
	return r;
}

/* --- control -----------------------------------------------------------------------------------
 */

int deb_control(int fd, struct buf *ret, struct varve_error *err)
{
	CLEANUP(deb_release) struct deb deb = {0};
	struct archive_entry *entry;
	la_ssize_t len;
	int r;

	r = open_member(fd, "control.tar", &deb, err);
	if (r < 0)
		return r;
	do {
		if (archive_read_next_header(deb.inner, &entry) != ARCHIVE_OK)
			return failed(deb.inner, "control.tar", err);
	} while (strcmp(path_base(name_of(entry)), "control") != 0);
	if (archive_entry_size(entry) > DEB_CONTROL)
		return varve_error_set(err, -VARVE_E_LIMIT, "control file of a package: too large");
	buf_reserve(ret, (size_t)archive_entry_size(entry) + 1);
	len = archive_read_data(deb.inner, ret->data + ret->len, (size_t)archive_entry_size(entry));
	if (len < 0)
		return failed(deb.inner, "control.tar", err);
	ret->len += (size_t)len;
	ret->data[ret->len] = '\0';
	return 0;
}

bool deb_stanza_field(const char *stanza, const char *field, struct buf *ret)
{
	size_t len = strlen(field);
	const char *line = stanza, *end;
	bool found = false;

	for (; *line && *line != '\n'; line = *end ? end + 1 : end) {
		bool continues = *line == ' ' || *line == '\t';

		end = line + strcspn(line, "\n");
		if (found && !continues)
			break;
		if (!found && !continues && strncasecmp(line, field, len) == 0 &&
		    line[len] == ':') {
			found = true;
			line += len + 1;
			line += strspn(line, " \t");
		}
		if (found)
			buf_add(ret, line, end > line ? (size_t)(end - line) : 0);
	}
	return found;
}

int deb_control_field(int fd, const char *field, struct buf *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf control = BUF_INIT;
	int r = deb_control(fd, &control, err);

	if (r == 0)
		(void)deb_stanza_field(buf_text(&control), field, ret);
	return r;
}

int deb_decompress(int from, int to, unsigned long long limit, struct varve_error *err)
{
	struct archive *archive = archive_read_new();
	CLEANUP(deb_release) struct deb deb = {.outer = archive, .block = xmalloc(DEB_BLOCK)};
	struct archive_entry *entry;
	unsigned long long sum = 0;
	la_ssize_t len;
	int r;

	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	support_compression(archive);
	if (archive_read_open_fd(archive, from, DEB_BLOCK) != ARCHIVE_OK)
		return failed(archive, "index", err);
	if (archive_read_next_header(archive, &entry) == ARCHIVE_EOF)
		return 0;
	while ((len = archive_read_data(archive, deb.block, DEB_BLOCK)) > 0) {
		sum += (unsigned long long)len;
		if (sum > limit)
			return varve_error_set(err, -VARVE_E_LIMIT, "index: larger than %llu bytes",
					       limit);
		r = fd_write_all(to, deb.block, (size_t)len);
		if (r < 0)
			return varve_error_set(err, r, "write an index");
	}
	return len < 0 ? failed(archive, "index", err) : 0;
}
