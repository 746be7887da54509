/* SPDX-License-Identifier: Apache-2.0
 * Which of the packages that archives have may be taken: pins, and suites that are for those only
 * who ask for them. */
#ifndef SOURCE_DEB_PINS_H
#define SOURCE_DEB_PINS_H

#include <solv/pool.h>
#include <varve/error.h>

#include "base/strv.h"

/* Hides from the solver what no pin of its name allows, and what a suite has that is optional
 * (struct deb_packages, the repositories' appdata) unless a pin names it or nobody else has it. A
 * pin that matches no package is -VARVE_E_RESOLVE. To be called before pool_createwhatprovides. */
int deb_pins_apply(Pool *pool, const struct strv *pins, struct varve_error *err);

void deb_pins_release(Pool *pool); /* before pool_free */

#endif
