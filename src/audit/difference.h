/* SPDX-License-Identifier: Apache-2.0
 * Differences between two images, as data: what differs, where, and of which class. Pure. */
#ifndef AUDIT_DIFFERENCE_H
#define AUDIT_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/json.h"

struct buf;
struct cure;
struct layer_pair;

/* Classes that have no effect on what runs in the image come first: --semantic leaves them out. */
enum difference_class {
	DIFFERENCE_COMPRESSION, /* the same tar in other bytes */
	DIFFERENCE_ORDER, /* the same entries in another order */
	DIFFERENCE_ENCODING, /* the same entries, other tar headers */
	DIFFERENCE_TIME, /* a date: of a file, the config, the history */
	DIFFERENCE_HISTORY, /* the history, an annotation, a label of media type */
	DIFFERENCE_STAMP, /* a file's data, only in what says when, where and by whom it was made */
	DIFFERENCE_CONFIG, /* what the container runs with */
	DIFFERENCE_PLATFORM, /* an image of an index that only one index has */
	DIFFERENCE_LAYER, /* a layer that only one image has */
	DIFFERENCE_ENTRY, /* an entry that only one layer has */
	DIFFERENCE_WHITEOUT, /* a deletion that only one layer has */
	DIFFERENCE_TYPE, /* file, directory, link, device */
	DIFFERENCE_OWNER,
	DIFFERENCE_MODE,
	DIFFERENCE_LINK, /* target of a link */
	DIFFERENCE_DEVICE, /* numbers of a device */
	DIFFERENCE_ATTRIBUTE, /* extended attributes */
	DIFFERENCE_CONTENT, /* data of a file; "kind" says of which sort */
};

struct difference {
	enum difference_class class;
	int layer; /* from 1; 0: manifest or config */
	const char *path; /* of an entry; NULL: none */
	const char *field; /* "config.Env", "mtime", ... */
	const char *kind; /* of content, in words; NULL: none */
	const char *a, *b; /* the two values; NULL: absent there */
	json_t *inside; /* of content: array of {where, a, b, rule?}; borrowed; NULL: none */
	size_t more; /* of these, how many were left out */
	const struct cure *cure; /* NULL: what cure_for() says */
};

struct differences {
	json_t *list; /* array of objects; owned */
	bool semantic; /* leave out what has no effect */
	size_t left_out;
	const char *platform; /* that is being compared, of an index; NULL: none; borrowed */
};

void differences_init(struct differences *all, bool semantic);
void differences_release(struct differences *all); /* usable with CLEANUP */
void differences_add(struct differences *all, const struct difference *one);

/* Members of two documents, at any depth; prefix names the document ("config"). */
void difference_documents(struct differences *all, const char *prefix, const json_t *a,
			  const json_t *b);
/* Entries of two layers whose tars differ. */
void difference_layers(struct differences *all, const struct layer_pair *layers);

/* One line each (behind the member "step", where whoever knows it has set it), what is inside a
 * file below it, and last a line for each rule that was named; control characters of names are
 * escaped. */
void differences_print(const struct differences *all, struct buf *out);
/* {"differences": [...], "equal": BOOL, "leftOut": N} in canonical JSON and a newline. */
void differences_print_json(const struct differences *all, struct buf *out);

#endif
