/* SPDX-License-Identifier: Apache-2.0
 * Which packages dpkg gets in one call: a package whose Pre-Depends names one of the batch in hand
 * has to wait for the next, since those must be configured before it is unpacked (Debian
 * policy 7.2). Pure. */
#ifndef BUILD_INSTALL_BATCHES_H
#define BUILD_INSTALL_BATCHES_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/strv.h"
#include "lock/lock.h"

struct install_batches {
	struct strv *out; /* first the essential batch, then the others; file names in one string */
	struct buf essential; /* pending */
	struct buf batch; /* pending */
	struct strv names; /* packages of the pending batch */
	struct strv later; /* finished batches */
};

/* True for what must be there before dpkg can run: marked so by the resolver. */
bool install_is_essential(const struct lock_artifact *artifact);

void install_batches_begin(struct install_batches *b, struct strv *out);
/* In order of installation. pre_depends: the control field's text. */
void install_batches_add(struct install_batches *b, const struct lock_artifact *artifact,
			 bool essential, const char *pre_depends);
/* Appends all batches to out; the first one always, if only as "". */
void install_batches_end(struct install_batches *b);

#endif
