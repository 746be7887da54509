/* SPDX-License-Identifier: Apache-2.0
 * Python sources that are installed in one place: the later one keeps to the versions of the
 * earlier ones, and leaves out what they have. Pure. */
#ifndef SOURCE_PYTHON_BESIDE_H
#define SOURCE_PYTHON_BESIDE_H

#include "lock/lock.h"
#include "source/python_pins.h"

/* What the sources that a spec names in "beside" have, in order of project.
 * -VARVE_E_LOCK for one that is not in the lock. */
int python_beside_read(const json_t *spec, const struct lock *lock, struct python_pins *ret,
		       struct varve_error *err);
/* Takes each project of beside out of pins. */
void python_beside_remove(const struct python_pins *beside, struct python_pins *pins);

#endif
