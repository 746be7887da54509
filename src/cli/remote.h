/* SPDX-License-Identifier: Apache-2.0
 * What commands that talk to registries need: settings and options -> store -> struct copy. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/session.h"
#include "registry/copy.h"

struct remote {
	struct session session;
	struct registry_settings settings;
	struct registry_rules rules; /* of this machine */
	struct copy copy;
	int uploads; /* directory of the store */
	struct strv warned; /* what registries warned of, each once */
	bool pushes; /* progress is told as that of a push */
};

int remote_open(struct remote *remote, struct cli *cli, bool pushes, struct varve_error *err);
/* For a session that is open already. */
int remote_begin(struct remote *remote, struct cli *cli, struct varve_store *store, bool pushes,
		 struct varve_error *err);
void remote_end(struct remote *remote); /* of what remote_begin made */
void remote_release(struct remote *remote); /* of all */
/* --platform and --all-platforms; without either this host's platform is taken of an index. */
int remote_platform(struct remote *remote, struct cli *cli, struct varve_error *err);
/* Copies and prints one line "DIGEST NAME" per target, or JSON; a summary goes to stderr. */
int remote_copy(struct remote *remote, const struct endpoint *from, const struct endpoint *to,
		size_t count, struct varve_error *err);

#endif
