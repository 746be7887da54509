/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_cause.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { SETTING_SIZE = 64 };

static long read_setting(const char *path)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (fd_read_file(AT_FDCWD, path, SETTING_SIZE, &text, NULL) < 0)
		return -1;
	return strtol(buf_text(&text), NULL, 10);
}

void sandbox_settings_read(struct sandbox_settings *ret)
{
	ret->max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces");
	ret->unprivileged_userns_clone = read_setting("/proc/sys/kernel/unprivileged_userns_clone");
	ret->apparmor_restrict =
		read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
}

struct sandbox_cause sandbox_cause_find(const struct sandbox_settings *settings, int error,
					int is_root)
{
	if (is_root)
		return (struct sandbox_cause){
			"root here lacks CAP_SYS_ADMIN, or a seccomp profile forbids mounts",
			"give the container CAP_SYS_ADMIN and seccomp=unconfined"};
	if (settings->max_user_namespaces == 0)
		return (struct sandbox_cause){"user namespaces are switched off "
					      "(user.max_user_namespaces=0)",
					      "sudo sysctl user.max_user_namespaces=15000"};
	if (settings->unprivileged_userns_clone == 0)
		return (struct sandbox_cause){"user namespaces are switched off "
					      "(kernel.unprivileged_userns_clone=0)",
					      "sudo sysctl kernel.unprivileged_userns_clone=1"};
	if (error == ENOSPC || error == EUSERS)
		return (struct sandbox_cause){
			"user namespaces are nested too deep, or none is left",
			"raise user.max_user_namespaces, or run varve outside "
			"of the other sandbox"};
	/* The namespace comes into being, but without capabilities. */
	if (settings->apparmor_restrict == 1)
		return (struct sandbox_cause){
			"AppArmor restricts user namespaces "
			"(kernel.apparmor_restrict_unprivileged_userns=1)",
			"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor "
			"profile with 'userns,' for varve"};
	if (error == EPERM || error == EACCES)
		return (struct sandbox_cause){
			"a seccomp profile (of a container?) forbids user namespaces or mounts",
			"allow unshare, clone and mount (seccomp=unconfined), or run varve as root"};
	if (error == ENOSYS || error == EINVAL)
		return (struct sandbox_cause){"this kernel is built without user namespaces",
					      "a kernel with CONFIG_USER_NS"};
	return (struct sandbox_cause){"the kernel refuses a user namespace", "varve as root"};
}
