/* SPDX-License-Identifier: Apache-2.0
 * Registries as a session's sources see them. */
#ifndef CLI_SESSION_REGISTRIES_H
#define CLI_SESSION_REGISTRIES_H

#include "cli/session.h"

/* Made on first use; lives as long as the session. */
const struct source_registries *session_registries(struct session *session);
void session_registries_free(struct session_registries *registries);

#endif
