/* SPDX-License-Identifier: Apache-2.0
 * What to do next while a blob is uploaded, as data: each reply of the registry moves a struct
 * upload on. Pure; upload.c acts.
 *
 *	LOOK -> done | MOUNT* -> done | OPEN -> SEND -> done		(one streamed PUT)
 *	                              | OPEN -> CHUNK* -> CLOSE -> done	(PATCH, in order)
 *	a saved session: LOOK -> ASK -> SEND | CHUNK
 *	a 202 that reports less than was sent: from there on, and where that is refused (416) it was
 *			 the report that is wrong, and what was sent counts
 *	a session gone:  CONFIRM, since who wrote to it may have been killed, but his last bytes
 *not: then the registry finishes it while we ask; else OPEN a broken body:   ASK (until two reports
 *agree) -> SEND | CHUNK, or OPEN where the session is gone; CONFIRM first where all bytes had gone
 *out, since often only the reply is lost
 *
 * One streamed body is what most registries take, and distribution keeps what it has got of it when
 * it breaks. Two sessions lost in a row: pieces, each over a connection of its own, as then none
 * is long enough to break. A digest mismatch at the end means that a session went wrong (an offset
 * that was not true, a late write of a connection that we gave up): one new session is tried. */
#ifndef REGISTRY_UPLOAD_PLAN_H
#define REGISTRY_UPLOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum upload_action {
	UPLOAD_LOOK, /* HEAD blobs/DIGEST */
	UPLOAD_MOUNT, /* POST uploads/?mount=DIGEST&from=REPOSITORY */
	UPLOAD_OPEN, /* POST uploads/ */
	UPLOAD_ASK, /* GET the session: how much is there? */
	UPLOAD_SEND, /* PUT the session with all bytes from offset on */
	UPLOAD_CHUNK, /* PATCH the session with the next piece */
	UPLOAD_CLOSE, /* PUT the session, empty */
	UPLOAD_CONFIRM, /* HEAD blobs/DIGEST: was it taken after all? */
	UPLOAD_DONE,
	UPLOAD_FAILED, /* the reply says why */
};

enum {
	UPLOAD_CHUNK_SIZE = 4 << 20, /* GHCR takes no more in a piece */
	UPLOAD_CHUNK_MINIMUM = 64 << 10,
	UPLOAD_LOST_LIMIT = 6, /* sessions in a row that came no further */
};

struct upload {
	enum upload_action next;
	unsigned wait_ms; /* before it */
	uint64_t size; /* of the blob */
	uint64_t offset; /* bytes that the session has, as far as we know */
	char *location; /* of the session, newest; NULL: none; owned */
	uint64_t chunk; /* bytes of a piece; 0: all in one body */
	size_t mounts; /* candidates that were not tried yet */
	bool used; /* the session was given bytes, by us or before */
	bool fresh; /* a connection of its own for each body */
	uint64_t sent; /* what was taken by its status, though the report said less; 0: none is
			* open */
	bool distrusted; /* the session's reports were seen not to be true */
	bool mounted; /* done without a byte sent */
	uint64_t asked; /* offset of the last report while asking */
	unsigned agreed; /* reports in a row that said the same */
	unsigned failures; /* in a row, without progress */
	unsigned lost; /* sessions without progress, in a row */
	unsigned lost_ever;
	unsigned mismatches;
	uint64_t best; /* the furthest that any session came */
	uint64_t best_before; /* the same when the last session was lost */
};

/* A reply, or its absence. */
struct upload_reply {
	long status; /* 0: the connection broke */
	int64_t range_end; /* of "Range: [bytes=]0-END"; -1: none */
	uint64_t chunk_minimum; /* OCI-Chunk-Min-Length, 0: none */
	const char *location; /* absolute, NULL: none */
	uint64_t given; /* bytes of the body that had gone out */
};

/* location: of a saved session, NULL: none. chunk: 0, or a size that the user wants. */
void upload_begin(struct upload *upload, uint64_t size, const char *location, uint64_t chunk,
		  size_t mounts);
/* Moves on after the reply to upload->next. */
void upload_step(struct upload *upload, const struct upload_reply *reply);
void upload_release(struct upload *upload);
/* How many bytes the next SEND or CHUNK carries. */
uint64_t upload_body(const struct upload *upload);

#endif
