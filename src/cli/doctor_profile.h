/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_PROFILE_H
#define CLI_DOCTOR_PROFILE_H

#include <varve/error.h>

struct buf;

/* Appends the AppArmor profile (apparmor.profile) for the program that runs. */
int doctor_profile(struct buf *out, struct varve_error *err);

#endif
