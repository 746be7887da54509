/* SPDX-License-Identifier: Apache-2.0
 * The host's GPUs for a command in an image: which device nodes, driver libraries and variables it
 * gets. Either a CDI file says so (Container Device Interface, as the vendors' toolkits write it),
 *or the usual places of NVIDIA's driver are looked at:
 *
 *	gpu_find (CDI file named, CDI directories, /dev and library directories) -> struct gpu
 */
#ifndef CLI_GPU_H
#define CLI_GPU_H

#include "base/strv.h"
#include "sandbox/sandbox.h"

struct gpu {
	struct sandbox_bind *binds; /* strings owned */
	size_t count, alloc;
	struct strv environment; /* NAME=VALUE */
	struct strv libraries; /* directories inside that the dynamic linker has to look into */
	char *from; /* the CDI file, or "/dev": for messages */
};
void gpu_release(struct gpu *gpu);

/* cdi: a CDI file, or NULL to look for one and then at the host itself. *ret_found is false where
 * there is none at all. -VARVE_E_HOST for a GPU that is only half there, -VARVE_E_USAGE for a CDI
 * file that is wrong. */
int gpu_find(const char *cdi, struct gpu *ret, bool *ret_found, struct varve_error *err);
/* Adds what a command needs to its environment. */
void gpu_environment(const struct gpu *gpu, struct strv *environment);

/* --- the parts of it --- */
void gpu_add(struct gpu *gpu, const struct sandbox_bind *bind); /* copies the strings */
/* A CDI document: the edits of all its devices ("all", where there is one of that name) and those
 * that all have in common. Hooks are not run: what NVIDIA's do is done by gpu_add_links and
 * gpu_environment. Pure. */
int gpu_cdi_parse(const char *text, size_t len, const char *name, struct gpu *ret,
		  struct varve_error *err);
/* Beside each library that is bound, the names that links of the host's directory give it
 * (libcuda.so.1), since programs ask for those. */
void gpu_add_links(struct gpu *gpu);
/* The first CDI file of a GPU in root/etc/cdi and root/var/run/cdi, where the later wins; NULL:
 * none. Caller frees. */
char *gpu_cdi_find(const char *root);
/* NVIDIA's device nodes and libraries below root ("" is the host itself). false: no GPU. */
int gpu_host_find(const char *root, struct gpu *ret, bool *ret_found, struct varve_error *err);

#endif
