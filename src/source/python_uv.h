/* SPDX-License-Identifier: Apache-2.0
 * uv, which resolves and installs: found on the main index as a wheel, locked, fetched, unpacked
 * beside the store's caches and run from there. */
#ifndef SOURCE_PYTHON_UV_H
#define SOURCE_PYTHON_UV_H

#include "base/buf.h"
#include "source/source_kind.h"

/* Adds the wheel of the newest uv for platform ("linux/amd64") as an artifact, marked as a tool. */
int python_uv_lock(struct source_context *context, const char *platform, struct lock_source *ret,
		   struct varve_error *err);
/* The tool among the artifacts, or NULL. */
const struct lock_artifact *python_uv_artifact(const struct lock_source *source);
/* Path of the program, unpacked from the wheel, whose blob the store has; unpacked once per wheel.
 * Caller frees. */
int python_uv_program(struct source_context *context, const struct lock_artifact *wheel, char **ret,
		      struct varve_error *err);

/* What uv printed. */
struct python_uv_output {
	struct buf out, messages;
	int status;
};
void python_uv_output_release(struct python_uv_output *output);
/* Runs it on the host with the network: program, then arguments. Of the environment only what
 * leads to servers is handed on; indexes are those named, in order of preference. */
int python_uv_run(struct source_context *context, const char *program, const struct strv *arguments,
		  const struct strv *indexes, struct python_uv_output *ret,
		  struct varve_error *err);

/* python_wheel.c: writes the member of a wheel (a zip archive) whose name ends so to a descriptor;
 * at most limit bytes. */
int python_wheel_member(int wheel, const char *suffix, int to, uint64_t limit,
			struct varve_error *err);

#endif
