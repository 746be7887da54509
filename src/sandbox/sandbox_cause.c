/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_cause.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "sandbox/sandbox_surroundings.h"

enum { SETTING_SIZE = 64, STATUS_SIZE = 64 << 10 };

/* What each runtime has to be told for namespaces, mounts and a /proc in them. */
#define DOCKER_FLAGS                                                                               \
	"docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "         \
	"--security-opt systempaths=unconfined"
#define PODMAN_FLAGS "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL"
#define KUBERNETES_FLAGS                                                                           \
	"securityContext: {seccompProfile: {type: Unconfined}, procMount: Unmasked}"

static long read_setting(const char *path)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (fd_read_file(AT_FDCWD, path, SETTING_SIZE, &text, NULL) < 0)
		return -1;
	return strtol(buf_text(&text), NULL, 10);
}

static long read_seccomp(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char value[SETTING_SIZE];

	if (fd_read_file(AT_FDCWD, "/proc/self/status", STATUS_SIZE, &text, NULL) < 0 ||
	    !sandbox_status_member(buf_text(&text), "Seccomp", value, sizeof(value)))
		return -1;
	return strtol(value, NULL, 10);
}

static enum sandbox_container find_container(void)
{
	const char *told = getenv("container");

	if (getenv("KUBERNETES_SERVICE_HOST"))
		return SANDBOX_KUBERNETES;
	if (access("/run/.containerenv", F_OK) == 0 || (told && strcmp(told, "podman") == 0))
		return SANDBOX_PODMAN;
	if (access("/.dockerenv", F_OK) == 0 || (told && strcmp(told, "docker") == 0))
		return SANDBOX_DOCKER;
	return SANDBOX_NO_CONTAINER;
}

/* /proc/1/root is for root only; mountinfo shows a line for "/" only to who stands at the top. */
static bool is_chrooted(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *line;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", 8 << 20, &text, NULL) < 0)
		return false;
	/* ID PARENT MAJOR:MINOR ROOT TARGET ... */
	for (line = buf_text(&text); line && *line; line = strchr(line, '\n'), line += !!line) {
		const char *field = line;
		int i;

		for (i = 0; i < 4 && field; i++)
			field = strchr(field, ' '), field += !!field;
		if (field && field[0] == '/' && field[1] == ' ')
			return false;
	}
	return true;
}

void sandbox_settings_read(struct sandbox_settings *ret)
{
	ret->max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces");
	ret->unprivileged_userns_clone = read_setting("/proc/sys/kernel/unprivileged_userns_clone");
	ret->apparmor_restrict =
		read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	ret->seccomp = read_seccomp();
	ret->chrooted = is_chrooted();
	ret->container = find_container();
}

/* --- rules -------------------------------------------------------------------------------------
 */

static bool is_refusal(int error)
{
	return error == EPERM || error == EACCES;
}

static bool is_off(const struct sandbox_settings *s, int error)
{
	(void)error;
	return s->max_user_namespaces == 0;
}

static bool is_cloning_off(const struct sandbox_settings *s, int error)
{
	(void)error;
	return s->unprivileged_userns_clone == 0;
}

static bool is_used_up(const struct sandbox_settings *s, int error)
{
	(void)s;
	return error == ENOSPC || error == EUSERS;
}

/* The namespace comes into being, but without capabilities. */
static bool is_apparmor(const struct sandbox_settings *s, int error)
{
	return s->apparmor_restrict == 1 && is_refusal(error);
}

static bool is_chroot(const struct sandbox_settings *s, int error)
{
	return s->chrooted && error == EPERM;
}

static bool is_docker(const struct sandbox_settings *s, int error)
{
	return s->container == SANDBOX_DOCKER && is_refusal(error);
}

static bool is_podman(const struct sandbox_settings *s, int error)
{
	return s->container == SANDBOX_PODMAN && is_refusal(error);
}

static bool is_kubernetes(const struct sandbox_settings *s, int error)
{
	return s->container == SANDBOX_KUBERNETES && is_refusal(error);
}

static bool is_filter(const struct sandbox_settings *s, int error)
{
	return s->seccomp != 0 && is_refusal(error);
}

static bool is_refused(const struct sandbox_settings *s, int error)
{
	(void)s;
	return is_refusal(error);
}

static bool is_not_built(const struct sandbox_settings *s, int error)
{
	(void)s;
	return error == ENOSYS || error == EINVAL;
}

static bool is_anything(const struct sandbox_settings *s, int error)
{
	(void)s;
	(void)error;
	return true;
}

#define BY_CONTAINER "the container's seccomp profile forbids user namespaces or mounts"

/* The first that holds. */
static const struct rule {
	bool (*holds)(const struct sandbox_settings *settings, int error);
	struct sandbox_cause cause;
} rules[] = {
	{is_off,
	 {"user namespaces are switched off (user.max_user_namespaces=0)",
	  "sudo sysctl user.max_user_namespaces=15000"}},
	{is_cloning_off,
	 {"user namespaces are switched off (kernel.unprivileged_userns_clone=0)",
	  "sudo sysctl kernel.unprivileged_userns_clone=1"}},
	{is_used_up,
	 {"user namespaces are nested too deep, or none is left",
	  "raise user.max_user_namespaces, or run varve outside of the other sandbox"}},
	{is_apparmor,
	 {"AppArmor restricts user namespaces "
	  "(kernel.apparmor_restrict_unprivileged_userns=1)",
	  "varve doctor --apparmor-profile | sudo tee /etc/apparmor.d/varve && sudo "
	  "apparmor_parser -r /etc/apparmor.d/varve"}},
	{is_docker, {BY_CONTAINER, DOCKER_FLAGS}},
	{is_podman, {BY_CONTAINER, PODMAN_FLAGS}},
	{is_kubernetes, {BY_CONTAINER, KUBERNETES_FLAGS}},
	{is_filter,
	 {"a seccomp profile (of a container?) forbids user namespaces or mounts",
	  "allow unshare, clone and mount (in a container: seccomp=unconfined), or run varve as "
	  "root"}},
	{is_chroot,
	 {"the kernel makes no user namespaces in a chroot(2)",
	  "enter the directory with pivot_root (bwrap, systemd-nspawn), or run varve outside"}},
	{is_refused,
	 {"the kernel or a security module refuses user namespaces or mounts in them",
	  "allow them in the security module's policy, or run varve as root"}},
	{is_not_built,
	 {"this kernel is built without user namespaces", "a kernel with CONFIG_USER_NS"}},
	{is_anything, {"the kernel refuses a user namespace", "varve as root"}},
};

struct sandbox_cause sandbox_cause_find(const struct sandbox_settings *settings, int error,
					int is_root)
{
	size_t i = 0;

	if (is_root)
		return (struct sandbox_cause){
			"root here lacks CAP_SYS_ADMIN, or a seccomp profile forbids mounts",
			"give the container CAP_SYS_ADMIN and seccomp=unconfined"};
	while (!rules[i].holds(settings, error))
		i++;
	return rules[i].cause;
}

const char *sandbox_cause_of_bwrap(const struct sandbox_settings *settings, const char *text)
{
	/* A /proc that is partly covered, as containers have it, cannot be mounted anew. */
	if (strstr(text, "mount proc"))
		return settings->container == SANDBOX_PODMAN ? PODMAN_FLAGS
		       : settings->container == SANDBOX_KUBERNETES
			       ? KUBERNETES_FLAGS
			       : "a /proc without masks; in a container: " DOCKER_FLAGS;
	return sandbox_cause_find(settings, EPERM, 0).cure;
}
