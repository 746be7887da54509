/* SPDX-License-Identifier: Apache-2.0
 * GPUs of a host without a CDI file: NVIDIA's device nodes, and the libraries of its driver. */
#include "cli/gpu.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

#define LIBRARIES_INSIDE "/run/varve/gpu"

/* "nvidia0" and the nodes that all of them need; the rest of /dev/nvidia* is for managing them. */
static int is_node(const struct dirent *entry)
{
	static const char *const others[] = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools",
					     "nvidia-modeset"};
	const char *number = entry->d_name + strlen("nvidia");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(entry->d_name, others[i]) == 0)
			return 1;
	return str_starts(entry->d_name, "nvidia") && *number &&
	       number[strspn(number, "0123456789")] == '\0';
}

static bool add_nodes(const char *root, struct gpu *ret)
{
	CLEANUP(free_ptr) char *directory = xasprintf("%s/dev", root);
	struct dirent **names = NULL;
	int count = scandir(directory, &names, is_node, alphasort), i;
	bool found = false;

	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *source = path_join(directory, names[i]->d_name);
		CLEANUP(free_ptr) char *target = path_join("/dev", names[i]->d_name);

		found = found || strcmp(names[i]->d_name, "nvidiactl") == 0;
		gpu_add(ret,
			&(struct sandbox_bind){.source = source, .target = target, .device = true});
		free(names[i]);
	}
	free(names);
	return found;
}

/* The file behind a name: a link of the host's would lead nowhere inside. */
static bool add_library(const char *directory, const char *name, struct gpu *ret)
{
	CLEANUP(free_ptr) char *path = path_join(directory, name);
	CLEANUP(free_ptr) char *file = realpath(path, NULL);
	CLEANUP(free_ptr) char *target = xasprintf(LIBRARIES_INSIDE "/%s", name);

	if (file)
		gpu_add(ret, &(struct sandbox_bind){.source = file, .target = target});
	return file != NULL;
}

/* What computing asks for, the first of them always. */
static const char *const libraries[] = {"libcuda.so.1", "libnvidia-ml.so.1",
					"libnvidia-ptxjitcompiler.so.1", "libnvidia-nvvm.so.4",
					"libcudadebugger.so.1"};

static bool add_libraries(const char *root, struct gpu *ret)
{
	static const char *const places[] = {"usr/lib/x86_64-linux-gnu",
					     "usr/lib/x86_64-linux-gnu/nvidia/current",
					     "usr/lib/aarch64-linux-gnu",
					     "usr/lib64",
					     "usr/lib",
					     "usr/local/nvidia/lib64",
					     "usr/lib/wsl/lib",
					     "run/opengl-driver/lib"};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		CLEANUP(free_ptr) char *directory = xasprintf("%s/%s", root, places[i]);

		if (!add_library(directory, libraries[0], ret))
			continue;
		for (k = 1; k < ARRAY_SIZE(libraries); k++)
			(void)add_library(directory, libraries[k], ret);
		strv_add(&ret->libraries, LIBRARIES_INSIDE);
		return true;
	}
	return false;
}

int gpu_host_find(const char *root, struct gpu *ret, bool *ret_found, struct varve_error *err)
{
	*ret_found = add_nodes(root, ret);
	if (!*ret_found)
		return 0;
	ret->from = xstrdup("/dev");
	if (add_libraries(root, ret))
		return 0;
	varve_error_set(err, -VARVE_E_HOST,
			"a GPU is there (/dev/nvidiactl), but not the library of its driver "
			"(libcuda.so.1)");
	varve_error_hint(err,
			 "install the driver's libraries, or name a description with --cdi FILE");
	return -VARVE_E_HOST;
}

/* --- links -------------------------------------------------------------------------------------
 */

/* The links of one directory that lead to the file, under the same names beside it inside. */
static void add_links_to(const struct sandbox_bind *file, struct gpu *ret)
{
	CLEANUP(free_ptr) char *directory = xstrndup(file->source, path_dir_len(file->source));
	CLEANUP(free_ptr) char *inside = xstrndup(file->target, path_dir_len(file->target));
	CLEANUP(free_ptr) char *real = realpath(file->source, NULL);
	struct dirent **names = NULL;
	int count = real ? scandir(directory, &names, NULL, alphasort) : 0, i;

	for (i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *path = path_join(directory, names[i]->d_name);
		CLEANUP(free_ptr) char *target = path_join(inside, names[i]->d_name);
		CLEANUP(free_ptr)
		char *leads = names[i]->d_type == DT_LNK ? realpath(path, NULL) : NULL;

		if (leads && strcmp(leads, real) == 0)
			gpu_add(ret, &(struct sandbox_bind){.source = real, .target = target});
		free(names[i]);
	}
	free(names);
}

void gpu_add_links(struct gpu *gpu)
{
	size_t count = gpu->count, i;

	for (i = 0; i < count; i++) {
		struct sandbox_bind file = gpu->binds[i];

		if (!file.device && strstr(path_base(file.target), ".so"))
			add_links_to(&file, gpu);
	}
}
