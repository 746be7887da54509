/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size_text.h"

#include <stdio.h>

const char *size_text(uint64_t bytes, char buffer[16])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
	double value = (double)bytes / 1000;
	unsigned i = 0;

	if (bytes < 1000) {
		snprintf(buffer, 16, "%u B", (unsigned)bytes);
		return buffer;
	}
	while (value >= 999.95 && i + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		i++;
	}
	snprintf(buffer, 16, "%.1f %s", value, units[i]);
	return buffer;
}
