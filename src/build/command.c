/* SPDX-License-Identifier: Apache-2.0 */
#include "build/command.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

/* A last component that is a link counts: where it leads is the kernel's business. */
static bool is_there(int root, const char *path)
{
	CLEANUP(free_ptr) char *clean = path_clean(path);
	CLEANUP(free_ptr) char *parent = NULL;
	CLEANUP(fd_close) int directory = -1;
	struct stat st;

	if (!clean || !*clean)
		return false;
	parent = xstrndup(clean, path_dir_len(clean));
	directory = path_open_dir_in(root, parent, false);
	return directory >= 0 &&
	       fstatat(directory, path_base(clean), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !S_ISDIR(st.st_mode);
}

bool command_exists(const char *root, const struct strv *environment, const char *name)
{
	CLEANUP(fd_close) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *path = strv_getenv(environment, "PATH");
	CLEANUP(free_ptr) char *copy = xstrdup(path ? path : "/usr/bin:/bin");
	char *rest = copy, *part;

	if (fd < 0 || strchr(name, '/'))
		return fd >= 0 && is_there(fd, name);
	while ((part = strsep(&rest, ":"))) {
		CLEANUP(free_ptr) char *full = path_join(part, name);

		if (is_there(fd, full))
			return true;
	}
	return false;
}

int command_explain(const struct sandbox_spec *spec, int r, struct varve_error *err)
{
	const char *name = spec->argv->items[0];
	size_t i;

	if (r != -VARVE_E_HOST)
		return r;
	if (spec->uid != 0 && !command_exists(spec->root, spec->environment, "setpriv"))
		return varve_error_set(err, -VARVE_E_STEP,
				       "the image has no setpriv(1), which is needed to run as "
				       "another user than root");
	/* What is bound from outside cannot be seen here. */
	for (i = 0; i < spec->bind_count; i++)
		if (str_starts(name, spec->binds[i].target))
			return r;
	if (command_exists(spec->root, spec->environment, name))
		return r;
	return varve_error_set(err, -VARVE_E_STEP, "command not found: %s", name);
}
