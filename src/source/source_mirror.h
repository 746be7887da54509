/* SPDX-License-Identifier: Apache-2.0
 * apt's own configuration, as far as it says where archives lie. Pure, but for apt_sources_read. */
#ifndef SOURCE_SOURCE_MIRROR_H
#define SOURCE_SOURCE_MIRROR_H

#include <stddef.h>

#include "base/strv.h"

/* One archive: a URI with the suites that apt uses of it. */
struct apt_archive {
	char *uri;
	struct strv suites;
};
struct apt_archives {
	struct apt_archive *items;
	size_t count, alloc;
};
void apt_archives_release(struct apt_archives *archives);

/* Adds what a one-line file (sources.list) or a deb822 file (*.sources) names; deb-src and disabled
 * stanzas are left out. Lines that make no sense are passed over: apt complains of them itself. */
void apt_parse_list(const char *text, struct apt_archives *ret);
void apt_parse_deb822(const char *text, struct apt_archives *ret);

/* Reads sources.list and sources.list.d below directory ("/etc/apt"), in apt's order. */
void apt_sources_read(const char *directory, struct apt_archives *ret);

/* The URI for a mirror name and suite: best an archive that has the suite and ends in "/NAME"; else
 * one that ends so; else one that has the suite; NULL where there is none. Borrowed. */
const char *apt_choose(const struct apt_archives *archives, const char *name, const char *suite);

#endif
