/* SPDX-License-Identifier: Apache-2.0
 * What tries have shown, in the words of varve doctor. */
#include "sandbox/sandbox_probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/sandbox_detect.h"
#include "sandbox/sandbox_tried.h"

static const char elsewhere[] =
	"name a directory on a local disk (--scratch or VARVE_SCRATCH), or put the store on one (--store)";
static const char no_commands[] = "commands cannot run; copies, images and pushes still work";
static const char not_tried[] = "not tried: other rows come first";

void sandbox_found(struct sandbox_finding *finding, enum sandbox_verdict verdict,
		   const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	va_start(args, format);
	(void)vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
}

void sandbox_found_cost(struct sandbox_finding *finding, const char *cost, const char *cure)
{
	(void)snprintf(finding->cost, sizeof(finding->cost), "%.*s", (int)sizeof(finding->cost) - 1,
		       cost);
	(void)snprintf(finding->cure, sizeof(finding->cure), "%.*s", (int)sizeof(finding->cure) - 1,
		       cure);
}

static bool is_root(const struct sandbox_host *host)
{
	return host->isolation != SANDBOX_NONE && host->owners.mode == OWNER_ROOT;
}

static void find_namespaces(const struct sandbox_tried *tried, const struct sandbox_host *host,
			    struct sandbox_finding *ret)
{
	struct sandbox_cause cause;

	if (tried->namespaces == 0) {
		sandbox_found(ret, SANDBOX_OK, "can be made");
		return;
	}
	cause = sandbox_cause_find(&tried->settings, tried->namespaces, false);
	if (tried->mounts == 0 && tried->root_owners == 0) {
		sandbox_found(ret, SANDBOX_OK, "not needed, varve runs as root (%s)", cause.why);
		return;
	}
	(void)host;
	sandbox_found(ret, SANDBOX_MISSING, "%s", cause.why);
	sandbox_found_cost(ret, no_commands, cause.cure);
}

static void find_no_ranges(const struct sandbox_tried *tried, struct sandbox_finding *ret)
{
	static const char cost[] = "all of an image's files get our one id, their owners are "
				   "records beside it";
	CLEANUP(free_ptr) char *cure = sandbox_subid_cure(tried->user, tried->free_ids);

	sandbox_found_cost(ret, cost, "");
	if (tried->uid == 0) {
		sandbox_found(ret, SANDBOX_DEGRADED, "root here has no other ids to give files to");
		sandbox_found_cost(ret, cost,
				   "run varve outside of this user namespace, or map a range of "
				   "ids into it");
	} else if (tried->uids.count < SANDBOX_IDS || tried->gids.count < SANDBOX_IDS) {
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "no range of %d ids for %s in /etc/subuid and /etc/subgid",
			      SANDBOX_IDS, tried->user);
		sandbox_found_cost(ret, cost, cure);
	} else if (!*tried->newuidmap || !*tried->newgidmap) {
		sandbox_found(ret, SANDBOX_DEGRADED, "newuidmap and newgidmap are not installed");
		sandbox_found_cost(ret, cost, "sudo apt-get install uidmap");
	} else if (tried->range_owners > 0) {
		sandbox_found(ret, SANDBOX_DEGRADED, "the store's files cannot be given away: %s",
			      strerror(tried->range_owners));
		sandbox_found_cost(ret, cost, elsewhere);
	} else {
		sandbox_found(ret, SANDBOX_DEGRADED, "%s",
			      *tried->ranges_refused ? tried->ranges_refused : not_tried);
		sandbox_found_cost(ret, cost,
				   "sudo apt-get install --reinstall uidmap (newuidmap wants its "
				   "setuid bit, and no no_new_privs around varve)");
	}
}

static void find_ranges(const struct sandbox_tried *tried, const struct sandbox_host *host,
			struct sandbox_finding *ret)
{
	if (is_root(host))
		sandbox_found(ret, SANDBOX_OK, "not needed, varve runs as root");
	else if (tried->range_owners == 0)
		sandbox_found(ret, SANDBOX_OK, "newuidmap gives uids %u-%u, gids %u-%u",
			      tried->uids.first, tried->uids.first + (tried->uids.count - 1),
			      tried->gids.first, tried->gids.first + (tried->gids.count - 1));
	else
		find_no_ranges(tried, ret);
}

static void find_owners(const struct sandbox_tried *tried, const struct sandbox_host *host,
			struct sandbox_finding *ret)
{
	const char *mode = owner_mode_name(host->owners.mode);

	(void)tried;
	if (host->isolation == SANDBOX_NONE) {
		sandbox_found(ret, SANDBOX_DEGRADED, "of copied files only (%s)", mode);
		sandbox_found_cost(ret, "no command makes others", "");
	} else if (host->owners.mode != OWNER_ONE) {
		sandbox_found(ret, SANDBOX_OK, "kept exactly (%s)", mode);
	} else if (host->listener) {
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "kept exactly, as records by a supervisor (%s)", mode);
		sandbox_found_cost(ret,
				   "commands that look at many files are slower; those with "
				   "\"ownership: fast\" are not",
				   "a range of ids (the row above)");
	} else {
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "not kept: what commands make belongs to root (%s)", mode);
		sandbox_found_cost(ret, "layers can differ from those of other hosts",
				   "a range of ids, or the seccomp listener (rows here)");
	}
}

static void find_overlay(const struct sandbox_tried *tried, const struct sandbox_host *host,
			 struct sandbox_finding *ret)
{
	(void)host;
	if (tried->overlay && tried->whiteouts == 0) {
		sandbox_found(ret, SANDBOX_OK,
			      "mounts in the store; whiteouts and opaque directories appear");
		return;
	}
	if (tried->overlay)
		sandbox_found(ret, SANDBOX_DEGRADED, "whiteouts (devices 0:0) cannot be made: %s",
			      strerror(tried->whiteouts));
	else
		sandbox_found(ret, SANDBOX_DEGRADED, "%s",
			      *tried->overlay_refused ? tried->overlay_refused : not_tried);
	if (tried->overlay || *tried->overlay_refused)
		sandbox_found_cost(ret, "what lies below a step is copied for it, or reflinked",
				   elsewhere);
}

static void find_bwrap(const struct sandbox_tried *tried, const struct sandbox_host *host,
		       struct sandbox_finding *ret)
{
	(void)host;
	if (*tried->bwrap == '\0') {
		sandbox_found(ret, SANDBOX_MISSING, "bwrap is not installed");
		sandbox_found_cost(ret, no_commands, "sudo apt-get install bubblewrap");
	} else if (tried->bwrap_runs) {
		sandbox_found(ret, SANDBOX_OK, "%s runs a command", tried->bwrap_version);
	} else if (*tried->bwrap_version && !tried->bwrap_new_enough) {
		sandbox_found(ret, SANDBOX_MISSING, "%s is too old: %s", tried->bwrap,
			      tried->bwrap_version);
		sandbox_found_cost(ret, no_commands, "bubblewrap 0.5.0 or later");
	} else if (*tried->bwrap_refused) {
		sandbox_found(ret, SANDBOX_MISSING, "%s: %s", tried->bwrap, tried->bwrap_refused);
		sandbox_found_cost(ret, no_commands,
				   sandbox_cause_of_bwrap(&tried->settings, tried->bwrap_refused));
	} else {
		sandbox_found(ret, SANDBOX_DEGRADED, "%s: %s", tried->bwrap, not_tried);
	}
}

static void find_listener(const struct sandbox_tried *tried, const struct sandbox_host *host,
			  struct sandbox_finding *ret)
{
	bool needed = host->owners.mode == OWNER_ONE;

	if (tried->listener == 0) {
		sandbox_found(ret, SANDBOX_OK, "can be installed");
		return;
	}
	if (tried->listener == EBUSY)
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "another one is installed around varve (by WSL, or a container's "
			      "runtime)");
	else if (tried->listener == EPERM || tried->listener == EACCES)
		sandbox_found(ret, SANDBOX_DEGRADED, "a seccomp profile forbids it: %s",
			      strerror(tried->listener));
	else if (tried->listener == EINVAL || tried->listener == ENOSYS)
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "this kernel has none (Linux 5.0 and later do)");
	else if (tried->listener == SANDBOX_UNSUPERVISED)
		sandbox_found(ret, SANDBOX_DEGRADED,
			      "it can be installed, but a supervised command fails");
	else
		sandbox_found(ret, SANDBOX_DEGRADED, "%s",
			      tried->listener < 0 ? not_tried : strerror(tried->listener));
	sandbox_found_cost(ret,
			   needed ? "commands cannot be supervised: owners and devices are lost"
				  : "devices that commands make are in no layer",
			   tried->listener == EBUSY
				   ? "varve outside of what has installed it"
				   : "in a container: --security-opt seccomp=unconfined");
}

static const struct fs_kind {
	uint32_t magic;
	const char *name;
	const char *wrong; /* NULL: good for a store */
} fs_kinds[] = {
	{0xef53, "ext4", NULL},
	{0x58465342, "xfs", NULL},
	{0x9123683e, "btrfs", NULL},
	{0x01021994, "tmpfs", NULL},
	{0xf2f52010, "f2fs", NULL},
	{0x2fc12fc1, "zfs", NULL},
	{0xca451a4e, "bcachefs", NULL},
	{0x794c7630, "overlayfs", "no overlay can be written on another one"},
	{0x6969, "nfs", "a network file system, no overlay can be written there"},
	{0xff534d42, "cifs", "a network file system, no overlay can be written there"},
	{0x01021997, "9p", "no overlay can be written there"},
	{0x65735546, "fuse", "no overlay can be written there"},
};

static struct fs_kind fs_find(uint32_t magic)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fs_kinds); i++)
		if (fs_kinds[i].magic == magic)
			return fs_kinds[i];
	return (struct fs_kind){magic, "unknown", NULL};
}

static void find_file_system(const struct sandbox_tried *tried, const struct sandbox_host *host,
			     struct sandbox_finding *ret)
{
	struct fs_kind kind = fs_find(tried->fs_type);

	(void)host;
	if (tried->files != 0) {
		sandbox_found(ret, SANDBOX_MISSING, "%s (0x%x): no file can be made: %s", kind.name,
			      kind.magic, strerror(abs(tried->files)));
		sandbox_found_cost(ret, "nothing can be built", elsewhere);
	} else if (tried->xattrs != 0) {
		sandbox_found(ret, SANDBOX_MISSING, "%s (0x%x): no user xattrs: %s", kind.name,
			      kind.magic, strerror(abs(tried->xattrs)));
		sandbox_found_cost(ret, no_commands, elsewhere);
	} else if (kind.wrong && !host->overlay) {
		sandbox_found(ret, SANDBOX_DEGRADED, "%s: %s", kind.name, kind.wrong);
		sandbox_found_cost(ret, "what lies below a step is copied for it, or reflinked",
				   elsewhere);
	} else {
		sandbox_found(ret, SANDBOX_OK, "%s (0x%x), user xattrs", kind.name, kind.magic);
	}
}

static void find_reflinks(const struct sandbox_tried *tried, const struct sandbox_host *host,
			  struct sandbox_finding *ret)
{
	(void)host;
	if (tried->reflinks) {
		sandbox_found(ret, SANDBOX_OK, "copies share their blocks");
		return;
	}
	sandbox_found(ret, SANDBOX_DEGRADED, "the store's file system has none");
	sandbox_found_cost(ret, "copied files take their space again",
			   "a store on xfs or btrfs (--store or VARVE_STORE)");
}

static void find_chroot(const struct sandbox_tried *tried, const struct sandbox_host *host,
			struct sandbox_finding *ret)
{
	bool needed = host->isolation == SANDBOX_NONE;

	if (tried->chroot == 0) {
		sandbox_found(ret, SANDBOX_OK,
			      "possible, when asked for: --isolation chroot (isolates far less)");
		return;
	}
	sandbox_found(ret, needed ? SANDBOX_DEGRADED : SANDBOX_OK, "not possible%s: %s",
		      needed ? "" : ", and not needed",
		      tried->uid != 0 ? "only root may" : strerror(abs(tried->chroot)));
	if (needed)
		sandbox_found_cost(ret, "no way around namespaces",
				   tried->uid != 0 ? "varve as root" : "");
}

static const struct row {
	const char *name;
	void (*find)(const struct sandbox_tried *tried, const struct sandbox_host *host,
		     struct sandbox_finding *ret);
} rows[] = {
	{"user namespaces", find_namespaces},
	{"id ranges", find_ranges},
	{"file owners", find_owners},
	{"overlay", find_overlay},
	{"bubblewrap", find_bwrap},
	{"seccomp listener", find_listener},
	{"store's file system", find_file_system},
	{"reflinks", find_reflinks},
	{"isolation chroot", find_chroot},
};

size_t sandbox_findings(const struct sandbox_tried *tried, const struct sandbox_host *host,
			struct sandbox_finding findings[SANDBOX_FINDINGS])
{
	size_t i;

	_Static_assert(ARRAY_SIZE(rows) <= SANDBOX_FINDINGS, "rows fit");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		findings[i] = (struct sandbox_finding){0};
		(void)snprintf(findings[i].name, sizeof(findings[i].name), "%s", rows[i].name);
		rows[i].find(tried, host, &findings[i]);
	}
	return ARRAY_SIZE(rows);
}
