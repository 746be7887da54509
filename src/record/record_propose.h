/* SPDX-License-Identifier: Apache-2.0
 * What a recording proposes: sources for what was fetched, and a reason for all else. Pure. */
#ifndef RECORD_RECORD_PROPOSE_H
#define RECORD_RECORD_PROPOSE_H

#include "record/record.h"

struct buf;

struct record_file {
	char *name; /* of the source */
	char *filename;
	const struct record_exchange *from; /* borrowed from the log */
};
struct record_proposal {
	struct record_file *files; /* by URL */
	size_t count, alloc;
	struct strv requirements; /* "NAME==VERSION" of wheels, sorted */
	struct strv sdists; /* the same of source distributions */
	struct strv indexes; /* names of further indexes, sorted */
	char *python; /* version that the wheels are for; NULL: unknown */
	bool pythons; /* several were seen */
	struct strv notes; /* what is not recorded, and why; sorted */
};
void record_proposal_release(struct record_proposal *proposal);
/* settings: the machine's mirrors and indexes, "NAME=URL": what lies there is named by NAME only.
 * Sorts the log by URL. */
void record_propose(struct record_log *log, const struct strv *settings,
		    struct record_proposal *ret);
/* Adds to notes why there is no source for the exchange. */
void record_note(struct record_proposal *ret, const struct record_exchange *exchange,
		 const struct strv *settings, const char *why);
/* YAML for the recipe. */
void record_print(const struct record_proposal *proposal, struct buf *out);
json_t *record_proposal_to_json(const struct record_proposal *proposal);

#endif
