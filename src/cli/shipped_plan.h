/* SPDX-License-Identifier: Apache-2.0
 * A plan that travels: everything that `varve step run` needs to compile the same plan elsewhere,
 * in one line of JSON. Compiling is pure and takes a millisecond, so that the recipe's text is what
 * is shipped, not a second form of the plan.
 *
 *	{"varve-plan":1,"recipe":"x.yaml","directory":"/abs","files":{"x.yaml":"text",...},
 *	 "digest":"...","lock":"text","set":["NAME=VALUE",...],"images":[...],"platform":"...",
 *	 "registry":"...","epoch":n,"local":{"HEX of the spec":"sha256:..."},
 *	 "beside":{"requirements.txt":"sha256:..."},"compression":"zstd:3","secrets":["NAME=/abs"]}
 *
 * Content of local sources is not in it: the recipe's directory has to be there, and to hold what
 *it held (source_local_copy compares). */
#ifndef CLI_SHIPPED_PLAN_H
#define CLI_SHIPPED_PLAN_H

#include "cli/session.h"

/* Of an opened session. Appends one line, without its end. */
int shipped_plan_write(const struct session *session, struct buf *ret, struct varve_error *err);
/* Reads path ("-": standard input) and fills what the command line would: cli->recipe, its path,
 * values. ret: for session->shipped; owned by the caller. -VARVE_E_FORMAT where it is none. */
int shipped_plan_read(const char *path, struct cli *cli, json_t **ret, struct varve_error *err);

/* What the session asks of it in place of the file system. */
int shipped_plan_lock(const json_t *shipped, struct lock *ret, struct varve_error *err);
int shipped_plan_digest(const json_t *shipped, const char *member, const char *key,
			struct varve_digest *ret, struct varve_error *err);

#endif
