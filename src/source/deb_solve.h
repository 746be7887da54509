/* SPDX-License-Identifier: Apache-2.0
 * Which packages, in which order: libsolv over the text of Packages files. No network, no store. */
#ifndef SOURCE_DEB_SOLVE_H
#define SOURCE_DEB_SOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"
#include "lock/lock.h"

/* One Packages file. */
struct deb_packages {
	const char *text; /* its stanzas */
	size_t len;
	const char *mirror; /* mirror name for locations: "debian", "debian-security" */
	const char *suite; /* for pins; a name that ends with "/" is where locations start */
	bool optional; /* taken only where a pin says so, or where no other has the package */
};

struct deb_question {
	const char *architecture;
	const struct deb_packages *indexes; /* what is to be had */
	size_t index_count;
	const char *installed; /* stanzas of the packages below; "" = none */
	const struct strv *packages; /* wanted: "NAME" or "NAME=VERSION" */
	const struct strv
		*pins; /* "NAME=VERSION", "NAME/SUITE" (or mirror) with * and ?; NULL: none */
	bool bootstrap; /* nothing is below: essential packages are wanted too */
	bool recommends;
	bool alone; /* the wanted packages, whatever they need or conflict with */
};

/* Adds the packages to install to ret, in order of installation: what a package needs comes before
 * it, cycles are broken the same way each time. With bootstrap those that must be laid out before
 * dpkg can run (essential ones and all they need) are marked {"essential":true}. A wanted package
 * that does not exist, or a set that does not fit together: -VARVE_E_RESOLVE with the solver's
 * reasons. */
int deb_solve(const struct deb_question *question, struct lock_source *ret,
	      struct varve_error *err);

#endif
