/* SPDX-License-Identifier: Apache-2.0
 * Users of an image: names are looked up in its own /etc/passwd and /etc/group. */
#ifndef BUILD_USER_H
#define BUILD_USER_H

#include <stdint.h>
#include "base/strv.h"

struct varve_error;

struct user {
	uint32_t uid, gid;
	struct strv groups; /* further group ids, decimal */
	char *home; /* "/root", "/" where unknown; owned */
};

void user_release(struct user *user);

/* "", "0:0", "1000", "1000:100", "app", "app:staff". passwd and group are the files' texts (may be
 * ""). -VARVE_E_STEP for a name that is not there. Pure. */
int user_parse(const char *text, const char *passwd, const char *group, struct user *ret,
	       struct varve_error *err);
/* The same with the files of the file system at root (links are not followed out of it). */
int user_find(const char *root, const char *text, struct user *ret, struct varve_error *err);

#endif
