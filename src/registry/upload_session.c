/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/lock_file.h"
#include "registry/registry.h"

enum { SESSION_LIMIT = 64 << 10, OPEN_TRIES = 10 };

static void name_session(const struct registry *registry, const struct varve_digest *digest,
			 char name[80])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char hex[VARVE_DIGEST_HEX];
	struct varve_digest id;

	buf_addf(&text, "%s\n%s\n%s", registry_origin(registry), registry_repository(registry),
		 varve_digest_hex(digest, hex));
	digest_bytes(text.data, text.len, &id);
	(void)snprintf(name, 80, "push-%s", varve_digest_hex(&id, hex));
}

static int open_locked(int dirfd, const char *name)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		CLEANUP(fd_close)
		int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			return -1;
		if (lock_file_is_named(dirfd, name, fd))
			return steal_fd(&fd);
	}
	return -1;
}

static char *read_location(int fd, const struct registry *registry)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *session = NULL;
	struct varve_error unused;
	const char *location;

	if (fd_read_all(fd, SESSION_LIMIT, &text) < 0 ||
	    json_parse(buf_text(&text), text.len, "session", &session, &unused) < 0)
		return NULL;
	location = json_optional_string(session, "location", NULL);
	return location && registry_is_own(registry, location) ? xstrdup(location) : NULL;
}

void upload_session_open(int dirfd, const struct registry *registry,
			 const struct varve_digest *digest, struct upload_session *ret)
{
	*ret = (struct upload_session){.dirfd = dirfd, .fd = -1};
	if (dirfd < 0)
		return;
	name_session(registry, digest, ret->name);
	ret->fd = open_locked(dirfd, ret->name);
	if (ret->fd >= 0)
		ret->location = read_location(ret->fd, registry);
}

void upload_session_save(struct upload_session *session, const struct registry *registry,
			 const char *location)
{
	CLEANUP(json_decrefp) json_t *object = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	struct stat st;

	if (session->fd < 0 || fstat(session->fd, &st) < 0)
		return;
	if (!location || !registry_is_own(registry, location)) {
		(void)ftruncate(session->fd, 0);
		return;
	}
	object = json_object();
	json_set(object, "location", json_text(location));
	json_canonical(object, &text);
	/* One write over what was there, blanks over its end: a process that is killed here leaves
	 * the old session or the new one, never none. */
	while (text.len < (size_t)st.st_size)
		buf_addf(&text, " ");
	if (pwrite(session->fd, text.data, text.len, 0) < 0)
		(void)ftruncate(session->fd, 0);
}

void upload_session_close(struct upload_session *session)
{
	struct stat st;

	/* An empty one is of no use to anybody. */
	if (session->fd >= 0 && fstat(session->fd, &st) == 0 && st.st_size == 0)
		(void)unlinkat(session->dirfd, session->name, 0);
	fd_close(&session->fd);
	free(session->location);
	session->location = NULL;
}

void upload_session_end(struct upload_session *session)
{
	if (session->fd >= 0)
		(void)unlinkat(session->dirfd, session->name, 0);
	fd_close(&session->fd);
}
