/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/written_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/tempfile.h"

int written_file(const char *path, const struct buf *text, struct varve_error *err)
{
	size_t len = path_dir_len(path);
	CLEANUP(free_ptr)
	char *above = len > 0 ? xstrndup(path, len) : xstrdup(path[0] == '/' ? "/" : ".");
	CLEANUP(fd_close) int directory = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (directory < 0)
		return varve_error_set(err, -errno, "open directory %s", above);
	r = tempfile_write(directory, path_base(path), text->data, text->len, true, err);
	if (r < 0)
		varve_error_prefix(err, "write %s", path);
	return r;
}
