/* SPDX-License-Identifier: Apache-2.0
 * Wheels are zip archives: reading one member. */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "source/python_uv.h"

enum { WHEEL_BLOCK = 256 << 10 };

static void archive_release(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

static int failed(struct archive *archive, struct varve_error *err)
{
	const char *text = archive_error_string(archive);

	return varve_error_set(err, -VARVE_E_FORMAT, "wheel: %s", text ? text : "cannot be read");
}

static int copy_member(struct archive *archive, int to, uint64_t limit, struct varve_error *err)
{
	CLEANUP(free_ptr) char *block = xmalloc(WHEEL_BLOCK);
	la_ssize_t len;
	int r;

	while ((len = archive_read_data(archive, block, WHEEL_BLOCK)) > 0) {
		if ((uint64_t)len > limit)
			return varve_error_set(err, -VARVE_E_LIMIT, "wheel: a member is too large");
		limit -= (uint64_t)len;
		r = fd_write_all(to, block, (size_t)len);
		if (r < 0)
			return varve_error_set(err, r, "write a member of a wheel");
	}
	return len < 0 ? failed(archive, err) : 0;
}

int python_wheel_member(int wheel, const char *suffix, int to, uint64_t limit,
			struct varve_error *err)
{
	CLEANUP(archive_release) struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	int status;

	archive_read_support_format_zip(archive);
	if (lseek(wheel, 0, SEEK_SET) < 0 ||
	    archive_read_open_fd(archive, wheel, WHEEL_BLOCK) != ARCHIVE_OK)
		return failed(archive, err);
	while ((status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
	       status == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(entry);

		if (name && str_ends(name, suffix))
			return copy_member(archive, to, limit, err);
	}
	if (status != ARCHIVE_EOF)
		return failed(archive, err);
	return varve_error_set(err, -VARVE_E_FORMAT, "wheel: holds no %s", suffix);
}
