/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the documents of a bundle and as a lock, which a bundle brings along. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "lock/lock.h"
#include "source/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_lock(const char *text, size_t size)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(buf_release) struct buf again = BUF_INIT;
	struct varve_error err;

	if (lock_parse(text, size, "fuzz.lock.json", &lock, &err) == 0)
		lock_format(&lock, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(bundle_release) struct bundle bundle = {0};
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err;

	buf_add(&text, data, size);
	read_lock(buf_text(&text), size);
	if (json_parse(buf_text(&text), size, "fuzz.json", &document, &err) < 0 ||
	    !json_is_object(document))
		return 0;
	(void)bundle_config_check(document, &err);
	(void)bundle_manifest_parse(document, &bundle, &err);
	return 0;
}
