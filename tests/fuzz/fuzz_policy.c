/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a policy of varve verify. */
#include <stddef.h>
#include <stdint.h>

#include "audit/policy.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(policy_release) struct policy policy = {0};
	struct varve_error err;

	(void)policy_parse((const char *)data, size, "fuzz.yaml", &policy, &err);
	return 0;
}
