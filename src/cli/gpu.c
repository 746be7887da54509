/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gpu.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { CDI_LIMIT = 1 << 20 };

void gpu_release(struct gpu *gpu)
{
	size_t i;

	for (i = 0; i < gpu->count; i++) {
		free((void *)(uintptr_t)gpu->binds[i].source);
		free((void *)(uintptr_t)gpu->binds[i].target);
	}
	free(gpu->binds);
	strv_release(&gpu->environment);
	strv_release(&gpu->libraries);
	free(gpu->from);
	*gpu = (struct gpu){0};
}

void gpu_add(struct gpu *gpu, const struct sandbox_bind *bind)
{
	size_t i;

	for (i = 0; i < gpu->count; i++)
		if (strcmp(gpu->binds[i].target, bind->target) == 0)
			return;
	gpu->binds = array_grow(gpu->binds, gpu->count, &gpu->alloc, sizeof(*gpu->binds));
	gpu->binds[gpu->count] = *bind;
	gpu->binds[gpu->count].source = xstrdup(bind->source);
	gpu->binds[gpu->count++].target = xstrdup(bind->target);
}

void gpu_environment(const struct gpu *gpu, struct strv *environment)
{
	static const char path[] = "LD_LIBRARY_PATH";
	CLEANUP(strv_release) struct strv list = STRV_INIT;
	CLEANUP(free_ptr) char *joined = NULL;
	const char *before;
	size_t i;

	for (i = 0; i < gpu->environment.count; i++) {
		const char *item = gpu->environment.items[i];
		CLEANUP(free_ptr) char *name = xstrndup(item, strcspn(item, "="));

		strv_setenv(environment, name, item + strlen(name) + (item[strlen(name)] == '='));
	}
	before = strv_getenv(environment, path);
	if (before && *before)
		strv_add(&list, before);
	strv_extend(&list, &gpu->libraries);
	if (gpu->libraries.count == 0)
		return;
	joined = strv_join(&list, ":");
	strv_setenv(environment, path, joined);
}

/* A name that does not exist here would only show as bubblewrap's own error. */
static int check_binds(const struct gpu *gpu, struct varve_error *err)
{
	size_t i;

	for (i = 0; i < gpu->count; i++)
		if (access(gpu->binds[i].source, F_OK) < 0)
			return varve_error_set(err, -VARVE_E_HOST,
					       "%s names %s, which is not on this host: it was "
					       "written for another driver",
					       gpu->from, gpu->binds[i].source);
	return 0;
}

static int read_cdi(const char *path, struct gpu *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_file(AT_FDCWD, path, CDI_LIMIT, &text, err);

	if (r == 0)
		r = gpu_cdi_parse(buf_text(&text), text.len, path, ret, err);
	if (r < 0) {
		if (err)
			err->code = -VARVE_E_USAGE;
		return -VARVE_E_USAGE;
	}
	ret->from = xstrdup(path);
	r = check_binds(ret, err);
	if (r == 0)
		gpu_add_links(ret);
	return r;
}

int gpu_find(const char *cdi, struct gpu *ret, bool *ret_found, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = cdi ? xstrdup(cdi) : gpu_cdi_find("");

	if (!path)
		return gpu_host_find("", ret, ret_found, err);
	*ret_found = true;
	return read_cdi(path, ret, err);
}
