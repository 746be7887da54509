/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_detect.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner_links.h"
#include "base/process.h"
#include "sandbox/sandbox.h"

enum { ID_TABLE = 8 << 20 }; /* bytes of /etc/subuid that we read */

static bool is_owner(const char *owner, const char *name, uid_t uid)
{
	unsigned long long number;

	return str_equal(owner, name) || (str_to_u64(owner, UINT32_MAX, &number) && number == uid);
}

/* Splits "a:b:c" in place. */
static bool split_line(char *line, char *fields[3])
{
	size_t i;

	for (i = 0; i < 3; i++)
		fields[i] = strsep(&line, ":");
	return fields[2] && !line;
}

bool sandbox_subid_find(const char *text, const char *name, uid_t uid, struct sandbox_range *ret)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line, *fields[3];
	unsigned long long first, count;
	struct sandbox_range best = {0, 0};

	while ((line = strsep(&rest, "\n"))) {
		if (!split_line(line, fields) || !is_owner(fields[0], name, uid) ||
		    !str_to_u64(fields[1], UINT32_MAX, &first) ||
		    !str_to_u64(fields[2], UINT32_MAX - first, &count))
			continue;
		if (count > best.count)
			best = (struct sandbox_range){(uint32_t)first, (uint32_t)count};
	}
	if (best.count == 0)
		return false;
	*ret = best;
	return true;
}

uint64_t sandbox_map_size(const char *text)
{
	unsigned long inside, outside, count;
	uint64_t sum = 0;

	for (; text && *text; text = strchr(text, '\n'), text += text ? 1 : 0) {
		// NOLINTNEXTLINE(cert-err34-c): the kernel wrote it
		if (sscanf(text, "%lu %lu %lu", &inside, &outside, &count) == 3)
			sum += count;
	}
	return sum;
}

char *sandbox_user_name(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? xstrdup(user->pw_name) : xasprintf("%u", geteuid());
}

char *sandbox_subid_cure(const char *name)
{
	return xasprintf("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
			 name);
}

static int find_program(const char *name, const char *package, char **ret, struct varve_error *err)
{
	char *path = process_find(name);

	if (path) {
		*ret = path;
		return 0;
	}
	(void)varve_error_set(err, -VARVE_E_HOST,
			      "%s is not installed; steps cannot run without it", name);
	varve_error_hint(err, "try: sudo apt-get install %s", package);
	return -VARVE_E_HOST;
}

static int find_range(const char *path, const char *name, struct sandbox_range *ret,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(free_ptr) char *cure = NULL;
	struct sandbox_range range = {0, 0};
	int r;

	r = fd_read_file(AT_FDCWD, path, ID_TABLE, &text, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (sandbox_subid_find(buf_text(&text), name, geteuid(), &range) &&
	    range.count >= SANDBOX_IDS) {
		*ret = range;
		return 0;
	}
	cure = sandbox_subid_cure(name);
	(void)varve_error_set(
		err, -VARVE_E_HOST,
		"%s gives %s %u ids; files of an image need %d (this version of varve "
		"cannot do without)",
		path, name, range.count, SANDBOX_IDS);
	varve_error_hint(err, "try: %s", cure);
	return -VARVE_E_HOST;
}

/* uid 0 may be that of a namespace with hardly any ids. */
static int check_root_ids(struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	uint64_t size;

	if (fd_read_file(AT_FDCWD, "/proc/self/uid_map", ID_TABLE, &text, NULL) < 0)
		return 0; /* without /proc later steps say so */
	size = sandbox_map_size(buf_text(&text));
	if (size > SANDBOX_IDS)
		return 0;
	return varve_error_set(
		err, -VARVE_E_HOST,
		"root here is root of a user namespace with %llu ids; files of an image "
		"need %d\nrun varve outside of it, or map a range of ids into it",
		(unsigned long long)size, SANDBOX_IDS + 1);
}

static int detect_subuid(struct sandbox_host *host, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = sandbox_user_name();
	int r;

	r = find_program("newuidmap", "uidmap", &host->newuidmap, err);
	if (r == 0)
		r = find_program("newgidmap", "uidmap", &host->newgidmap, err);
	if (r == 0)
		r = find_range("/etc/subuid", name, &host->uids, err);
	if (r == 0)
		r = find_range("/etc/subgid", name, &host->gids, err);
	return r;
}

int sandbox_detect(struct sandbox_host *ret, struct varve_error *err)
{
	struct sandbox_host host = {
		.owners = {.mode = OWNER_SUBUID}, .uid = geteuid(), .gid = getegid()};
	int r;

	if (host.uid == 0)
		host.owners.mode = OWNER_ROOT;
	r = find_program("bwrap", "bubblewrap", &host.bwrap, err);
	if (r == 0)
		r = host.owners.mode == OWNER_ROOT ? check_root_ids(err) : 0;
	if (r == 0 && host.owners.mode != OWNER_ROOT && detect_subuid(&host, NULL) < 0)
		host.owners.mode = OWNER_ONE;
	host.overlay = host.listener = true;
	host.owners.links = owner_links_new();
	if (r < 0) {
		sandbox_host_release(&host);
		return r;
	}
	*ret = host;
	return 0;
}

void sandbox_host_release(struct sandbox_host *host)
{
	if (!host)
		return;
	owner_links_free(host->owners.links);
	free(host->bwrap);
	free(host->newuidmap);
	free(host->newgidmap);
	*host = (struct sandbox_host){0};
}
