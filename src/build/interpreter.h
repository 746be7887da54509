/* SPDX-License-Identifier: Apache-2.0
 * The Python that wheels are installed for, looked up in the layers below. */
#ifndef BUILD_INTERPRETER_H
#define BUILD_INTERPRETER_H

struct plan_step;
struct step_stack;
struct varve_error;

/* Looks for step->interpreter in the PATH of step's environment: "usr/bin/python3.11 sha256:HEX",
 * the path as PATH names it and the digest of the file that it leads to. into: where the wheels go
 * (a clean path); an interpreter inside of it is refused. -VARVE_E_STEP where there is none. */
int interpreter_find(const struct step_stack *stack, const struct plan_step *step, const char *into,
		     char **ret, struct varve_error *err);

#endif
