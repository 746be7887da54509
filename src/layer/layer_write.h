/* SPDX-License-Identifier: Apache-2.0
 * Tree to tar in part: from a mark on; or only to show that a mark is one of this tree's tar. */
#ifndef LAYER_LAYER_WRITE_H
#define LAYER_LAYER_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <varve/error.h>
#include "layer/layer_marks.h"
#include "layer/layer_vouch.h"

struct sink;

/* What a layer that is like another one needs besides. */
struct layer_writing {
	const struct layer_mark *from; /* what lies before is left out: the content of the last
					  entry there, not its padding; NULL: all comes */
	const struct layer_vouch *vouch; /* NULL: nobody knows anything */
	struct layer_vouched *told; /* with vouch: told of what is known */
};
/* As layer_write. ret_entries counts also what is left out. */
/* NOLINTNEXTLINE(readability-function-size): as layer_write */
int layer_write_after(int tree, const struct strv *implied, const struct owners *owners,
		      const struct layer_writing *how, struct sink *take_out, uint64_t *ret_entries,
		      struct varve_error *err);

struct layer_proof {
	const struct layer_marks *marks; /* at least one */
	const struct layer_vouch *vouch;
	struct hasher *between, *files; /* of the tar so far */
	uint64_t at; /* bytes of it */
	size_t next; /* the mark to come */
	const struct layer_mark *found; /* the last that holds */
};
void layer_proof_between(struct layer_proof *p, const void *data, size_t len);
/* A content. Returns 1 where nothing that follows can be proved, else 0. */
int layer_proof_file(struct layer_proof *p, const struct walk_entry *file, uint64_t size);
/* Gives the tree's tar to the proof, as far as that goes. */
int layer_write_proof(int tree, const struct strv *implied, const struct owners *owners,
		      struct layer_proof *proof, struct varve_error *err);

#endif
