/* SPDX-License-Identifier: Apache-2.0
 * Debug log: lines "varve: debug: ..." on stderr when VARVE_DEBUG is set. Not for messages to
 * users: those go through the report of the build or are errors. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
