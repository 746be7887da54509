/* SPDX-License-Identifier: Apache-2.0
 * Commands of an image, looked up in its own file system. */
#ifndef BUILD_COMMAND_H
#define BUILD_COMMAND_H

#include <stdbool.h>

#include "sandbox/sandbox.h"

/* True when name (a path, or looked up in the environment's PATH) is a file below root. Symlinks
 * are followed inside root only. */
bool command_exists(const char *root, const struct strv *environment, const char *name);

/* bubblewrap cannot tell a command that is not there from a sandbox that cannot be made. Called
 * after sandbox_run failed so: returns r, or -VARVE_E_STEP with a text that names the missing
 * command. */
int command_explain(const struct sandbox_spec *spec, int r, struct varve_error *err);

#endif
