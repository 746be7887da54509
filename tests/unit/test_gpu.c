/* SPDX-License-Identifier: Apache-2.0
 * GPUs of a host that is a directory, and CDI files. That commands can use what is found is for the
 * end-to-end tests. */
#include "cli/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/strv.h"
#include "scratch.h"

static char *told(const struct gpu *gpu, const char *root)
{
	struct buf out = BUF_INIT;
	size_t i;

	for (i = 0; i < gpu->count; i++) {
		const struct sandbox_bind *bind = &gpu->binds[i];
		const char *source = bind->source;

		source += str_starts(source, root) ? strlen(root) : 0;
		buf_addf(&out, "%s%s -> %s\n",
			 bind->device     ? "device "
			 : bind->writable ? "rw "
					  : "",
			 source, bind->target);
	}
	return buf_steal(&out);
}

static void make(const struct scratch *s, const char *name)
{
	CLEANUP(free_ptr) char *copy = xstrdup(name);
	char *slash;

	for (slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdirat(s->fd, copy, 0755);
		*slash = '/';
	}
	scratch_write(s, name, "x");
}

static void test_host(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(gpu_release) struct gpu gpu = {0};
	CLEANUP(free_ptr) char *text = NULL;
	static const char *const files[] = {"dev/nvidia1",
					    "dev/nvidia0",
					    "dev/nvidiactl",
					    "dev/nvidia-uvm",
					    "dev/nvidia-caps-imx",
					    "dev/null",
					    "dev/nvidiax",
					    "usr/lib/x86_64-linux-gnu/libcuda.so.570.1",
					    "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"};
	bool found = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		make(s, files[i]);
	assert_int_equal(
		symlinkat("libcuda.so.570.1", s->fd, "usr/lib/x86_64-linux-gnu/libcuda.so.1"), 0);
	assert_int_equal(gpu_host_find(s->path, &gpu, &found, NULL), 0);
	assert_true(found);
	text = told(&gpu, s->path);
	assert_string_equal(
		text,
		"device /dev/nvidia-uvm -> /dev/nvidia-uvm\n"
		"device /dev/nvidia0 -> /dev/nvidia0\n"
		"device /dev/nvidia1 -> /dev/nvidia1\n"
		"device /dev/nvidiactl -> /dev/nvidiactl\n"
		"/usr/lib/x86_64-linux-gnu/libcuda.so.570.1 -> /run/varve/gpu/libcuda.so.1\n"
		"/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1 -> /run/varve/gpu/libnvidia-ml.so.1\n");
	assert_string_equal(gpu.libraries.items[0], "/run/varve/gpu");
}

static void test_host_without(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(gpu_release) struct gpu none = {0};
	CLEANUP(gpu_release) struct gpu half = {0};
	struct varve_error err = {0};
	bool found = true;

	assert_int_equal(gpu_host_find(s->path, &none, &found, &err), 0);
	assert_false(found);
	make(s, "dev/nvidia0");
	make(s, "dev/nvidiactl");
	assert_int_equal(gpu_host_find(s->path, &half, &found, &err), -VARVE_E_HOST);
	assert_non_null(strstr(err.text, "libcuda.so.1"));
}

static const char yaml[] =
	"cdiVersion: 0.5.0\n"
	"kind: nvidia.com/gpu\n"
	"devices:\n"
	"- name: \"0\"\n"
	"  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}\n"
	"- name: \"1\"\n"
	"  containerEdits: {deviceNodes: [{path: /dev/nvidia1}], env: [ONE=1]}\n"
	"containerEdits:\n"
	"  env: [NVIDIA_VISIBLE_DEVICES=void]\n"
	"  deviceNodes: [{path: /dev/nvidiactl, hostPath: /dev/other}]\n"
	"  mounts:\n"
	"  - {hostPath: /l/libcuda.so.5, containerPath: /lib/libcuda.so.5, options: [ro, bind]}\n"
	"  - {hostPath: /s, containerPath: /run/s}\n";

static void test_cdi(void **state)
{
	CLEANUP(gpu_release) struct gpu gpu = {0};
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(free_ptr) char *text = NULL;

	(void)state;
	assert_int_equal(gpu_cdi_parse(yaml, strlen(yaml), "cdi.yaml", &gpu, NULL), 0);
	text = told(&gpu, "/nowhere");
	assert_string_equal(text, "device /dev/other -> /dev/nvidiactl\n"
				  "/l/libcuda.so.5 -> /lib/libcuda.so.5\n"
				  "rw /s -> /run/s\n"
				  "device /dev/nvidia0 -> /dev/nvidia0\n"
				  "device /dev/nvidia1 -> /dev/nvidia1\n");
	strv_setenv(&environment, "LD_LIBRARY_PATH", "/own");
	strv_setenv(&environment, "ONE", "0");
	gpu_environment(&gpu, &environment);
	assert_string_equal(strv_getenv(&environment, "LD_LIBRARY_PATH"), "/own:/lib");
	assert_string_equal(strv_getenv(&environment, "ONE"), "1");
	assert_string_equal(strv_getenv(&environment, "NVIDIA_VISIBLE_DEVICES"), "void");
}

static void test_links(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(gpu_release) struct gpu gpu = {0};
	CLEANUP(free_ptr) char *file = xasprintf("%s/libcuda.so.570", s->path);
	CLEANUP(free_ptr) char *text = NULL;

	scratch_write(s, "libcuda.so.570", "x");
	scratch_write(s, "libother.so.570", "x");
	assert_int_equal(symlinkat("libcuda.so.570", s->fd, "libcuda.so.1"), 0);
	assert_int_equal(symlinkat("libcuda.so.1", s->fd, "libcuda.so"), 0);
	assert_int_equal(symlinkat("libother.so.570", s->fd, "libother.so.1"), 0);
	gpu_add(&gpu, &(struct sandbox_bind){.source = file, .target = "/lib/libcuda.so.570"});
	gpu_add_links(&gpu);
	text = told(&gpu, s->path);
	assert_string_equal(text, "/libcuda.so.570 -> /lib/libcuda.so.570\n"
				  "/libcuda.so.570 -> /lib/libcuda.so\n"
				  "/libcuda.so.570 -> /lib/libcuda.so.1\n");
}

static void test_cdi_is_found(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(free_ptr) char *first = NULL;
	CLEANUP(free_ptr) char *later = NULL;

	assert_null(gpu_cdi_find(s->path));
	make(s, "etc/cdi/nvidia.yaml");
	make(s, "etc/cdi/net.json");
	first = gpu_cdi_find(s->path);
	assert_true(str_ends(first, "/etc/cdi/nvidia.yaml"));
	make(s, "var/run/cdi/nvidia.com-gpu.json");
	later = gpu_cdi_find(s->path);
	assert_true(str_ends(later, "/var/run/cdi/nvidia.com-gpu.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_host),         SCRATCH_TEST(test_host_without),
		cmocka_unit_test(test_cdi),      SCRATCH_TEST(test_links),
		SCRATCH_TEST(test_cdi_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
