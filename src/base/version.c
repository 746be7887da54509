/* SPDX-License-Identifier: Apache-2.0 */
#include <varve/version.h>

const char *varve_version(void)
{
	return VARVE_VERSION;
}
