/* SPDX-License-Identifier: Apache-2.0
 * Proof that a step left none of its secrets: its definition, its output and its layer are searched
 * (secret_search.h), and where one is found the step fails and nothing of it is kept.
 *
 *	secret_proof_begin -> _definition -> output filter around the command -> _layer -> _verdict
 *
 * Not seen: a secret that was compressed, encrypted, cut into pieces or written in a way that is
 * not in secret_search.h; what went into a cache directory or over the network. */
#ifndef BUILD_SECRET_PROOF_H
#define BUILD_SECRET_PROOF_H

#include <sys/types.h>
#include "base/json.h"
#include "base/owner.h"
#include "base/strv.h"
#include "build/build.h"
#include "build/secret_search.h"

struct secret_proof {
	struct secret_set set;
	struct strv names; /* of the secrets, in the order of the set */
	struct strv places; /* "etc/token: \"name\" in base64"; at most SECRET_PLACES, each once */
	size_t more; /* places that are not in the list */
};
enum { SECRET_PLACES = 4 };

/* Reads the secrets called names of all that the build was given (NULL: every one). Those that are
 * too short are told as notices, where notices is not NULL. */
int secret_proof_begin(const struct build_options *options, const struct strv *names,
		       struct strv *notices, struct secret_proof *ret, struct varve_error *err);
void secret_proof_release(struct secret_proof *proof); /* usable with CLEANUP; wipes */
bool secret_proof_is_needed(const struct secret_proof *proof); /* there is something to find */

/* Each adds the places it finds. Every text and name of the document; what says which one it is. */
void secret_proof_document(struct secret_proof *proof, const char *what, const json_t *document);
/* Names, targets of links, extended attributes and contents of a tree. */
int secret_proof_tree(struct secret_proof *proof, int tree, const struct owners *owners,
		      struct varve_error *err);
/* 0: no place was found. Else -VARVE_E_SECRET, with the places. */
int secret_proof_verdict(const struct secret_proof *proof, struct varve_error *err);

/* For the searches: notes one place. */
void secret_proof_note(struct secret_proof *proof, const char *place, const struct secret_hit *hit);

/* What a command prints, on its way: lines that hold a secret are replaced. A process of its own
 * passes them on, each as soon as nothing that follows can make it part of a secret. */
struct secret_output {
	int to; /* for the command to write to */
	int report; /* JSON from the process */
	pid_t pid; /* 0: there is none */
};
int secret_output_begin(struct secret_proof *proof, int to, struct secret_output *ret,
			struct varve_error *err);
/* Once the command is gone. Adds the places. */
int secret_output_end(struct secret_output *output, struct secret_proof *proof,
		      struct varve_error *err);

#endif
