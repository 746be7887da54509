/* SPDX-License-Identifier: Apache-2.0
 * The two halves of bwrap's argv: what may travel by --args (options), and what may not (the
 * command, which follows "--"). sandbox_arguments is both together. Pure. */
#ifndef SANDBOX_SANDBOX_ARGS_H
#define SANDBOX_SANDBOX_ARGS_H

struct sandbox_spec;
struct strv;

void sandbox_options(const struct sandbox_spec *spec, struct strv *ret);
void sandbox_command(const struct sandbox_spec *spec, struct strv *ret);

#endif
