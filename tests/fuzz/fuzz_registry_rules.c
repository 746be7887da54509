/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as registries.conf: read as TOML, its rules taken, and a name's ways found by them. */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/toml.h"
#include "registry/registry_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(registry_rules_release) struct registry_rules rules = {0};
	CLEANUP(registry_ways_release) struct registry_ways ways = {0};
	CLEANUP(reference_release) struct reference reference = {0};
	struct varve_error err;

	if (toml_parse((const char *)data, size, "fuzz.conf", &document, &err) < 0 ||
	    registry_rules_add(&rules, json_object_get(document, "registry"), "fuzz.conf", &err) <
		    0 ||
	    reference_parse("a.example/b/c:1", &reference, &err) < 0)
		return 0;
	(void)registry_ways_find(&rules, &reference, &ways, &err);
	return 0;
}
