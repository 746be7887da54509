/* SPDX-License-Identifier: Apache-2.0
 * The seccomp program of a step. */
#ifndef SANDBOX_SANDBOX_FILTER_H
#define SANDBOX_SANDBOX_FILTER_H

struct varve_error;

/* A file with the BPF program, for bwrap's --seccomp: mknod and mknodat of a device return 0 and do
 * nothing (no mode of ownership can make devices, and archives hold some); all else is allowed. The
 * ABIs of 32 bits are covered, others kill the caller. */
int sandbox_filter_open(int *ret_fd, struct varve_error *err);

#endif
