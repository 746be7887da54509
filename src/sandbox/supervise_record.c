/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/supervise_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/owner_links.h"

const char *call_fd_path(int fd, char text[CALL_FD_PATH])
{
	(void)snprintf(text, CALL_FD_PATH, "self/fd/%d", fd);
	return text;
}

int call_may_have_record(const struct supervisor *s, const struct call_path *path)
{
	struct owner_record record;

	if (owner_record_get(path->text, path->follow, &record) < 0)
		return 0;
	return record.owned || record.device || owner_links_count(s->owners->links) > 0;
}

int call_record(const struct supervisor *s, int fd, struct owner_record *ret)
{
	char path[CALL_FD_PATH];
	int r = owner_record_get(call_fd_path(fd, path), true, ret);

	if (r == 0 && (ret->owned || ret->device))
		return 1;
	/* What holds no attributes says so in several ways. */
	if (s->owners->mode == OWNER_ONE &&
	    owner_links_get(s->owners->links, fd, "", &ret->uid, &ret->gid))
		ret->owned = true;
	return ret->owned;
}

bool call_holds_no_record(int r)
{
	return r == -ENOTSUP || r == -EPERM || r == -EACCES;
}

/* On files that the layer does not hold (a tmpfs without attributes, /dev) the table serves too: it
 * goes with the process. */
int call_set_owner(struct supervisor *s, int fd, uint32_t uid, uint32_t gid)
{
	char path[CALL_FD_PATH];
	struct owner_record record;
	int r = owner_record_get(call_fd_path(fd, path), true, &record);

	if (r == 0) {
		record.owned = uid != 0 || gid != 0;
		record.uid = uid;
		record.gid = gid;
		r = owner_record_set(path, true, &record);
	}
	if (call_holds_no_record(r) && s->owners->links)
		r = owner_links_set(s->owners->links, fd, "", uid, gid);
	return r;
}
