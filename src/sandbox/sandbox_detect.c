/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_detect.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/owner_links.h"
#include "sandbox/sandbox_probe.h"
#include "sandbox/sandbox_tried.h"

enum { FIRST_FREE = 100000 };

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

char *sandbox_user_name(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? xstrdup(user->pw_name) : xasprintf("%u", geteuid());
}

uint32_t sandbox_subid_free(const char *text)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line, *fields[3];
	unsigned long long first, count, end = FIRST_FREE;

	while ((line = strsep(&rest, "\n")))
		if (split_line(line, fields) && str_to_u64(fields[1], UINT32_MAX, &first) &&
		    str_to_u64(fields[2], UINT32_MAX - first, &count) && first + count > end)
			end = first + count;
	return (uint32_t)end;
}

char *sandbox_subid_cure(const char *name, uint32_t first)
{
	unsigned long long last = first + 65535ULL;

	return xasprintf("sudo usermod --add-subuids %u-%llu --add-subgids %u-%llu %s", first, last,
			 first, last, name);
}

void sandbox_detect(int store_dirfd, struct sandbox_host *ret)
{
	struct sandbox_tried tried;

	sandbox_probe(store_dirfd, &tried);
	sandbox_decide(&tried, ret);
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
