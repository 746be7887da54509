/* SPDX-License-Identifier: Apache-2.0 */
#include "build/interpreter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "build/step.h"

/* Opens the regular file that the view has at path, whose parents are no links: the topmost tree
 * that says anything of it decides. -ENOENT where there is none. */
static int open_file(const struct step_stack *stack, const char *path)
{
	CLEANUP(free_ptr) char *parent = xstrndup(path, path_dir_len(path));
	struct stat st;
	size_t i;

	for (i = stack->count; i-- > 0;) {
		CLEANUP(fd_close) int fd = -1;

		if (fstatat(stack->trees[i].tree, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (!S_ISREG(st.st_mode))
				return -ENOENT;
			fd = openat(stack->trees[i].tree, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
			return fd < 0 ? -errno : steal_fd(&fd);
		}
		/* A parent that is no directory here hides what is below. */
		if (errno == ENOTDIR ||
		    (fstatat(stack->trees[i].tree, parent, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		     !S_ISDIR(st.st_mode)))
			return -ENOENT;
	}
	return -ENOENT;
}

/* 1 when directory has the program, 0 when not. */
static int look_in(const struct step_stack *stack, const char *directory, const char *name,
		   char **ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *clean = path_clean(directory);
	CLEANUP(free_ptr) char *path = clean ? path_join(clean, name) : NULL;
	CLEANUP(free_ptr) char *file = NULL;
	CLEANUP(fd_close) int fd = -1;
	struct layer_resolved found;
	char text[VARVE_DIGEST_TEXT];
	struct varve_digest digest;
	int r;

	if (!path)
		return 0;
	r = layer_resolve(stack->trees, stack->count, path, NULL, &found, err);
	if (r < 0)
		return r;
	file = found.path;
	fd = open_file(stack, file);
	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : digest_fd(fd, &digest, NULL);
	if (r < 0)
		return varve_error_set(err, r, "read /%s of the layers below", file);
	*ret = xasprintf("%s %s", path, varve_digest_text(&digest, text));
	return 1;
}

static int not_found(const struct plan_step *step, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_STEP, "there is no %s below to install wheels for",
			step->interpreter);
	varve_error_hint(err,
			 "install it in a step before this one (Debian: package %s or python3)",
			 step->interpreter);
	return -VARVE_E_STEP;
}

int interpreter_find(const struct step_stack *stack, const struct plan_step *step, const char *into,
		     char **ret, struct varve_error *err)
{
	const char *setting = strv_getenv(&step->environment, "PATH");
	CLEANUP(free_ptr) char *copy = xstrdup(setting ? setting : "/usr/bin:/bin");
	CLEANUP(free_ptr) char *inside = xasprintf("%s/", into);
	CLEANUP(free_ptr) char *found = NULL;
	char *rest = copy, *part;
	int r = 0;

	while (r == 0 && (part = strsep(&rest, ":")))
		r = look_in(stack, part, step->interpreter, &found, err);
	if (r == 0)
		return not_found(step, err);
	if (r > 0 && str_starts(found, inside)) {
		varve_error_set(err, -VARVE_E_STEP, "%s lies in /%s, where the wheels are to go",
				step->interpreter, into);
		varve_error_hint(err, "wheels get a directory of their own, as /opt/venv");
		return -VARVE_E_STEP;
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&found);
	return 0;
}
