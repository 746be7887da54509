/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as two files of one name whose differences are looked for:
 *
 *	input = format[1] length[2] file file	the first has that length, low byte first */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/findings.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Names say which format text is; the others are told by their first bytes. */
static const char *const names[] = {"x",        "x.pyc",     "x.json", "var/lib/dpkg/status",
				    "x.tar.gz", "etc/shadow"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(findings_release) struct findings f = {0};
	CLEANUP(free_ptr) unsigned char *left = NULL;
	CLEANUP(free_ptr) unsigned char *right = NULL;
	struct content a = {0}, b = {0};

	if (size < 3)
		return 0;
	a.name = b.name = names[data[0] % ARRAY_SIZE(names)];
	a.len = (size_t)data[1] | (size_t)data[2] << 8;
	if (a.len > size - 3)
		a.len = size - 3;
	b.len = size - 3 - a.len;
	/* Copies of their own, so that a byte too many is seen. */
	left = xmalloc(a.len ? a.len : 1);
	right = xmalloc(b.len ? b.len : 1);
	memcpy(left, data + 3, a.len);
	memcpy(right, data + 3 + a.len, b.len);
	a.data = left;
	b.data = right;
	if (a.len == b.len && memcmp(left, right, a.len) == 0)
		return 0;
	findings_init(&f);
	content_compare(&f, &a, &b);
	if (f.count == 0 || !f.kind)
		abort();
	return 0;
}
