/* SPDX-License-Identifier: Apache-2.0
 * Packages of Python among what was fetched. Pure. */
#ifndef RECORD_RECORD_PYTHON_H
#define RECORD_RECORD_PYTHON_H

#include "record/record_propose.h"

/* True where the fetched file is of an index: a requirement of its own, or a page, or what says
 * something of another file. file: its name. */
bool record_python(const struct record_log *log, const struct record_exchange *exchange,
		   const char *file, const struct strv *settings, struct record_proposal *ret);

#endif
