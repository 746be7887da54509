/* SPDX-License-Identifier: Apache-2.0
 * What is wrong with the entries of a layer. Pure. */
#include <string.h>
#include "audit/image_verify.h"
#include "audit/layer_files.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "layer/layer_tar.h"

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

enum { PATH_BYTES = 4095, NAME_BYTES = 255 }; /* that Linux can open */

static bool has_control(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return true;
	return false;
}

static bool is_overlong(const char *path)
{
	if (strlen(path) > PATH_BYTES)
		return true;
	for (; *path; path += path[0] == '/') {
		size_t len = strcspn(path, "/");

		if (len > NAME_BYTES)
			return true;
		path += len;
	}
	return false;
}

/* --- names ---------------------------------------------------------------------------------------
 */

static const char *name_fault(const struct layer_file *file)
{
	if (file->path[0] && !path_is_clean(file->path))
		return "an unsafe name";
	if (has_control(file->path))
		return "a name with control characters";
	return is_overlong(file->path) ? "an overlong name" : NULL;
}

/* image-spec layer.md, "Whiteouts": an empty file, named after what is gone. */
static const char *whiteout_fault(const struct layer_file *file)
{
	const char *base = path_base(file->path);

	if (!str_starts(base, WHITEOUT))
		return NULL;
	if (!base[strlen(WHITEOUT)] || str_equal(base, ".wh...") || str_equal(base, ".wh.."))
		return "a whiteout of nothing";
	if (str_starts(base, ".wh..wh.") && !str_equal(base, OPAQUE))
		return "a whiteout of a whiteout";
	return file->type != TAR_FILE || file->size > 0 ? "a whiteout that is no empty file" : NULL;
}

/* Inside overlayfs it hides what lies below; outside it is a device that nobody can make. */
static const char *device_fault(const struct layer_file *file)
{
	if (file->type == TAR_CHARACTER && file->major == 0 && file->minor == 0)
		return "overlayfs's whiteout, which means nothing in a layer";
	return NULL;
}

/* What lies below a link would land where the link leads. */
static const char *parent_fault(const struct layer_files *files, const struct layer_file *file)
{
	CLEANUP(free_ptr) char *path = xstrdup(file->path);
	const struct layer_file *parent;
	size_t len;

	while ((len = path_dir_len(path)) > 0) {
		path[len] = '\0';
		parent = layer_files_find(files, path);
		if (parent)
			return parent->type == TAR_DIRECTORY
				       ? NULL
				       : "lies below something that is no directory";
	}
	return NULL;
}

/* --- links ---------------------------------------------------------------------------------------
 */

/* A target of another layer is none of ours to judge: it may be in any below. */
static const char *hard_link_fault(const struct layer_files *files, const struct layer_file *file)
{
	CLEANUP(free_ptr) char *target = path_clean(file->link);
	const struct layer_file *there;

	if (!target)
		return "a hard link to outside of the image";
	there = layer_files_find(files, target);
	return there && there->order >= file->order ? "a hard link to a later entry" : NULL;
}

static const char *link_fault(const struct layer_files *files, const struct layer_file *file)
{
	if (has_control(file->link))
		return "a link's target with control characters";
	if (strlen(file->link) > PATH_BYTES)
		return "an overlong target of a link";
	return file->type == TAR_LINK ? hard_link_fault(files, file) : NULL;
}

/* --- all -----------------------------------------------------------------------------------------
 */

static const char *entry_fault(const struct layer_files *files, size_t i)
{
	const struct layer_file *file = &files->items[i];
	const char *fault = name_fault(file);

	if (!fault)
		fault = file->oddity;
	if (!fault && i > 0 && strcmp(file->path, files->items[i - 1].path) == 0)
		fault = "twice in one layer";
	if (!fault)
		fault = whiteout_fault(file);
	if (!fault)
		fault = device_fault(file);
	if (!fault)
		fault = parent_fault(files, file);
	return fault ? fault : link_fault(files, file);
}

char *verify_entries(const struct layer_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const char *fault = entry_fault(files, i);

		if (fault)
			return xasprintf("%.1000s: %s", files->items[i].path, fault);
	}
	return files->trailer ? xstrdup("bytes after the tar's end") : NULL;
}
