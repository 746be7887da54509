/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VARVE_VERSION_H
#define VARVE_VERSION_H

/* "0.1.0"; static. */
const char *varve_version(void);

#endif
