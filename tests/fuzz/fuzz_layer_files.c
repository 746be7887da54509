/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the index of a layer: what is taken is written again as the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(layer_files_release) struct layer_files files = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf again = BUF_INIT;

	buf_add(&text, data, size);
	if (layer_files_parse(buf_text(&text), text.len, &files) < 0)
		return 0;
	layer_files_format(&files, &again);
	if (again.len != text.len || memcmp(again.data, text.data, text.len) != 0)
		abort();
	return 0;
}
