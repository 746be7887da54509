/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_probe.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/owner_links.h"
#include "sandbox/sandbox_tried.h"

bool sandbox_choose(const struct sandbox_tried *tried, enum owner_mode *ret)
{
	if (tried->mounts == 0 && tried->root_owners == 0)
		*ret = OWNER_ROOT;
	else if (tried->range_owners == 0)
		*ret = OWNER_SUBUID;
	else if (tried->namespaces == 0)
		*ret = OWNER_ONE;
	else
		return false;
	return true;
}

static void set_cause(struct varve_error *cause, const char *cure, const char *what,
		      const char *why)
{
	(void)varve_error_set(cause, -VARVE_E_HOST, "%s: %s", what, why);
	if (*cure)
		varve_error_hint(cause, "try: %s", cure);
}

static void no_namespaces(const struct sandbox_tried *tried, struct varve_error *cause)
{
	struct sandbox_cause found = sandbox_cause_find(&tried->settings, tried->namespaces, false);

	set_cause(cause, found.cure, "commands cannot run on this host", found.why);
}

static void no_bwrap(const struct sandbox_tried *tried, struct varve_error *cause)
{
	static const char what[] = "commands cannot run on this host";

	if (*tried->bwrap == '\0')
		set_cause(cause, "sudo apt-get install bubblewrap", what,
			  "bwrap (bubblewrap) is not installed");
	else if (!tried->bwrap_new_enough)
		set_cause(cause, "bubblewrap 0.5.0 or later", what, "bubblewrap is too old");
	else
		set_cause(cause, sandbox_cause_of_bwrap(&tried->settings, tried->bwrap_refused),
			  what, *tried->bwrap_refused ? tried->bwrap_refused : "bwrap fails");
}

/* The first thing that commands want for. false: nothing. */
static bool find_cause(const struct sandbox_tried *tried, bool namespaces,
		       struct varve_error *cause)
{
	if (!namespaces)
		no_namespaces(tried, cause);
	else if (tried->xattrs != 0)
		set_cause(cause, "--scratch DIR (or VARVE_SCRATCH), a directory on a local disk",
			  "commands cannot run with this store",
			  "its file system keeps no user xattrs");
	else if (!tried->bwrap_runs)
		no_bwrap(tried, cause);
	else
		return false;
	return true;
}

static char *copy_path(const char *path)
{
	return *path ? xstrdup(path) : NULL;
}

static void set_ranges(const struct sandbox_tried *tried, struct sandbox_host *host)
{
	host->uids = tried->uids;
	host->gids = tried->gids;
	host->newuidmap = copy_path(tried->newuidmap);
	host->newgidmap = copy_path(tried->newgidmap);
}

void sandbox_decide(const struct sandbox_tried *tried, struct sandbox_host *ret)
{
	struct sandbox_host host = {
		.uid = tried->uid, .gid = tried->gid, .listener = tried->listener == 0};
	bool namespaces = sandbox_choose(tried, &host.owners.mode);

	host.owners.file_whiteouts = tried->whiteouts != 0;
	if (find_cause(tried, namespaces, &host.cause)) {
		host.isolation = SANDBOX_NONE;
		host.owners.mode = tried->root_owners == 0 ? OWNER_ROOT : OWNER_ONE;
	} else {
		host.isolation = SANDBOX_BWRAP;
		host.bwrap = copy_path(tried->bwrap);
		/* The layers below hold whiteouts that we make ourselves. */
		host.overlay = tried->overlay && tried->whiteouts == 0;
		if (host.owners.mode == OWNER_SUBUID)
			set_ranges(tried, &host);
	}
	host.owners.links = owner_links_new();
	*ret = host;
}
