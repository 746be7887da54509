/* SPDX-License-Identifier: Apache-2.0
 * What the values of a lock must be beyond their types. Texts of errors are without a place. */
#ifndef LOCK_LOCK_CHECK_H
#define LOCK_LOCK_CHECK_H

#include "lock/lock.h"

/* Names of a source and of an artifact, which become names of files. */
int lock_check_name(const char *what, const char *name, struct varve_error *err);
/* "MIRROR:clean/path" or a URL. */
int lock_check_from(const char *from, struct varve_error *err);
/* Refuses text with control characters. */
int lock_check_text(const char *what, const char *text, struct varve_error *err);
/* Refuses two artifacts of equal name, version, architecture and place. ret_index: of the second.
 */
int lock_check_duplicates(const struct lock_source *source, long *ret_index,
			  struct varve_error *err);

#endif
