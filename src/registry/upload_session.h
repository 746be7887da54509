/* SPDX-License-Identifier: Apache-2.0
 * An open upload on disk, so that another process can go on with it:
 * uploads/push-HEX, HEX = sha256 of "ORIGIN\nREPOSITORY\nDIGEST", {"location":URL}, mode 0600.
 * Only addresses of the registry itself are kept: others may be signed for whoever has them. */
#ifndef REGISTRY_UPLOAD_SESSION_H
#define REGISTRY_UPLOAD_SESSION_H

#include <varve/digest.h>

struct registry;

struct upload_session {
	int dirfd; /* of uploads/; borrowed */
	int fd; /* locked; -1: another process has it, or it cannot be kept */
	char name[80];
	char *location; /* as it was found; NULL: none; owned */
};

/* Never fails: without a session the upload begins anew. dirfd -1: none is kept. */
void upload_session_open(int dirfd, const struct registry *registry,
			 const struct varve_digest *digest, struct upload_session *ret);
/* NULL: there is none any more. */
void upload_session_save(struct upload_session *session, const struct registry *registry,
			 const char *location);
/* For CLEANUP: keeps what is there. */
void upload_session_close(struct upload_session *session);
/* After success: removes it. */
void upload_session_end(struct upload_session *session);

#endif
