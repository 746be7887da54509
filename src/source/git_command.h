/* SPDX-License-Identifier: Apache-2.0
 * Running git. Two surroundings: for what goes over the network the user's own (configuration,
 * credential helpers, ssh agent, proxies) without anything that runs hooks, asks at a terminal or
 * widens the protocols; for what looks into a fetched repository none at all: no configuration but
 * ours, no attributes but the repository's, no network, no replacement of objects. What a
 * repository holds is never executed: it is only ever a bare one that we made. */
#ifndef SOURCE_GIT_COMMAND_H
#define SOURCE_GIT_COMMAND_H

#include <stddef.h>
#include <varve/error.h>

struct buf;
struct strv;

enum { GIT_TEXT_LIMIT = 256 << 20 }; /* bytes of git's output that are taken */

/* Makes an empty bare repository; hex_digits 40 (sha1) or 64 (sha256) in its object names. */
int git_init(const char *repository, size_t hex_digits, struct varve_error *err);
/* git ARGUMENTS with the network. repository may be NULL (ls-remote). out may be NULL. What git
 * reports becomes -VARVE_E_NETWORK with a hint where credentials were missing; a host without git
 * is -VARVE_E_HOST. */
int git_remote(const char *repository, const char *const *arguments, struct buf *out,
	       struct varve_error *err);
/* git ARGUMENTS in the repository, without network. stdout goes to fd, or where that is negative
 * into out. A failure is -VARVE_E_STEP. */
int git_local(const char *repository, const char *const *arguments, int fd, struct buf *out,
	      struct varve_error *err);

/* Pure: the environment of git_remote, made from the given one (NAME=VALUE, ends with NULL): git's
 * own variables that point into some repository are gone, those for transports and credentials
 * stay. has_ssh: the configuration names a command for ssh already. */
void git_remote_environment(const char *const *environment, int has_ssh, struct strv *ret);

#endif
