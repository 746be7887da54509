/* SPDX-License-Identifier: Apache-2.0
 * The inside of struct registry, for registry*.c alone. */
#ifndef REGISTRY_REGISTRY_STATE_H
#define REGISTRY_REGISTRY_STATE_H

#include <pthread.h>
#include "net/auth.h"
#include "registry/registry.h"

struct registry {
	const struct registry_settings *settings;
	char *host, *repository, *name, *origin;
	bool push, is_mirror;
	bool plain_http, insecure; /* as in the settings, or by the rules of this machine */
	const char *cert_dir; /* borrowed from the settings; NULL: the usual places */
	unsigned stall_seconds;
	struct credentials credentials;
	struct strv looked_at; /* files with credentials */
	struct http_trust trust;
	struct auth *auth;
	volatile sig_atomic_t abandoned;
	_Atomic enum http_reach reach; /* where it lies, once it has answered */
	pthread_mutex_t mutex; /* of what follows */
	bool reached; /* it has answered once */
	struct strv warnings; /* it sent, each once; told when it is closed */
	int64_t paused_until; /* ms: it asked for a pause */
};

#endif
