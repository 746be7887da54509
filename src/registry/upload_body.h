/* SPDX-License-Identifier: Apache-2.0
 * The bytes of an upload: read from the blob's file, hashed on the way out. The last of them are
 * given only when the digest of all is right. */
#ifndef REGISTRY_UPLOAD_BODY_H
#define REGISTRY_UPLOAD_BODY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <varve/descriptor.h>
#include <varve/error.h>

struct hash_beside;

struct upload_body {
	const struct varve_descriptor *blob; /* borrowed */
	int fd; /* owned; -1: not open yet */
	struct hash_beside *hasher;
	uint64_t hashed; /* bytes from the start that are in it */
	uint64_t begin, at, end; /* of the body under way */
	_Atomic uint64_t *done; /* borrowed */
	struct varve_digest actual; /* where wrong */
	bool wrong; /* the file is not the blob, or cannot be read */
	int error; /* -errno of reading */
};

void upload_body_init(struct upload_body *body, const struct varve_descriptor *blob,
		      _Atomic uint64_t *done);
/* The blob's file, opened. */
void upload_body_file(struct upload_body *body, int take_fd);
/* The next body begins at offset; what lies before it is hashed where it was not. */
int upload_body_seek(struct upload_body *body, uint64_t offset, uint64_t len,
		     struct varve_error *err);
/* For struct registry_call; cookie: the body. */
ssize_t upload_body_give(void *cookie, void *data, size_t len);
/* For struct registry_call: the same body once more. */
int upload_body_again(void *cookie);
/* The error of a body that is wrong. */
int upload_body_complain(const struct upload_body *body, struct varve_error *err);
void upload_body_release(struct upload_body *body);

#endif
