/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an index's page, JSON or HTML; and each file's name as that of a wheel. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_index.h"
#include "source/python_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct python_target target = {11, "x86_64", 28};
	CLEANUP(python_page_release) struct python_page page = {0};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err;

	buf_add(&text, data, size);
	if (python_page_parse(buf_text(&text), size, "https://index.example.org/simple/a/", "page",
			      &page, &err) < 0)
		return 0;
	for (size_t i = 0; i < page.count; i++) {
		CLEANUP(free_ptr) char *project = NULL;
		CLEANUP(free_ptr) char *version = NULL;

		if (python_split(page.files[i].name, &project, &version) &&
		    python_is_final(version))
			(void)python_compare_versions(version, "1.0");
		(void)python_rank(page.files[i].name, &target);
		free(python_architecture(page.files[i].name));
	}
	return 0;
}
