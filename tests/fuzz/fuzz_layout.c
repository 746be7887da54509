/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the archive of a layout: its members are listed and read, and it is opened as a
 * bundle. The file is in memory; nothing is written to disk. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "source/bundle.h"

enum { READ_LIMIT = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(const struct layout *layout)
{
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	struct varve_error err;

	if (layout_list(layout, &paths, &err) < 0)
		return;
	for (size_t i = 0; i < paths.count && i < 64; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		(void)layout_read(layout, paths.items[i], READ_LIMIT, &text, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(fd_close) int fd = memfd_create("layout", MFD_CLOEXEC);
	CLEANUP(layout_release) struct layout layout = LAYOUT_INIT;
	CLEANUP(bundle_release) struct bundle bundle = {0};
	struct varve_error err;
	char path[64];

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (layout_open(path, &layout, &err) < 0)
		return 0;
	read_members(&layout);
	(void)bundle_open(&layout, &bundle, &err);
	return 0;
}
