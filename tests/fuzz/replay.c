/* SPDX-License-Identifier: Apache-2.0
 * Gives each file that is named to a fuzz target, whole: what was found once stays tried, also
 * where there is no fuzzer. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <varve/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { FILE_LIMIT = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;
		struct varve_error err;

		if (fd_read_file(AT_FDCWD, argv[i], FILE_LIMIT, &text, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&text), text.len);
		printf("ok %d - %s\n", i, path_base(argv[i]));
	}
	return argc > 1 ? 0 : 1;
}
