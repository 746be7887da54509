/* SPDX-License-Identifier: Apache-2.0
 * One repository of a registry, and requests to it (distribution-spec 1.1): authorization, retries,
 * pauses and redirections are dealt with here; what an answer means is the caller's. For several
 * threads, each with an http_client of its own.
 *
 *	registry_open -> registry_call* -> registry_close */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <varve/error.h>
#include "net/http_exchange.h"
#include "registry/registry_rules.h"

struct registry;

/* How registries are talked to; all may be zero. Borrowed until the last registry is closed. */
struct registry_settings {
	const char *authfile; /* the only file with credentials that is looked at */
	const char *user, *secret; /* instead of any file's */
	const char *cert_dir; /* *.crt: authorities; *.cert with *.key: our certificate */
	const struct registry_rules *rules; /* of this machine; may be NULL */
	const struct strv *trusted_realms; /* token servers of another domain that may be used */
	bool plain_http; /* http without trying https */
	bool insecure; /* certificates are not checked, and http will do */
	unsigned stall_seconds; /* without a byte or progress: given up; 0: 60 */
	unsigned parallel; /* blobs at once per registry; 0: 4 */
	uint64_t chunk; /* bytes of a piece of an upload; 0: in one body */
	const volatile sig_atomic_t *stop; /* set: everything ends soon; may be NULL */
	/* Told from the calling thread only. done and total in bytes; notices: warnings that a
	 * registry sent. Both may be NULL. */
	void (*progress)(void *cookie, const char *what, uint64_t done, uint64_t total);
	void (*notice)(void *cookie, const char *text);
	void *cookie;
};

/* push: uploads are wanted, not only reading. Where the settings block it: -VARVE_E_HOST. Finds
 * credentials and certificates, and asks a loopback registry whether it speaks http or https;
 * others speak https unless told otherwise. */
int registry_open(const struct registry_settings *settings, const struct reference *reference,
		  bool push, struct registry **ret, struct varve_error *err);
/* The same for a mirror, or where else an image is read from. --cert-dir, --plain-http and the like
 * are meant for the registry that the user named, a mirror gets none of them; and less patience,
 * since there is another place to ask. */
int registry_open_way(const struct registry_settings *settings, const struct registry_way *way,
		      bool push, struct registry **ret, struct varve_error *err);
void registry_close(struct registry *registry);
void registry_closep(struct registry **registry);

/* One request. */
struct registry_call {
	const char *method;
	const char *path; /* below /v2/REPOSITORY/: "manifests/latest"; or an absolute URL */
	const struct strv *headers; /* may be NULL */
	const char *mount_from; /* a repository that must be readable, too; may be NULL */
	/* The body, see struct http_request; again: it will be asked for from its beginning once
	 * more; NULL: it cannot be. begin and take of the answer. */
	ssize_t (*give)(void *cookie, void *data, size_t len);
	int (*again)(void *cookie);
	int (*take)(void *cookie, const void *data, size_t len);
	int (*begin)(void *cookie, long status, const struct strv *headers);
	void *cookie;
	uint64_t size;
	const void *text; /* a body in memory of size bytes, instead of give */
	size_t limit; /* bytes of the answer's text; 0: 1 MiB */
	bool once; /* a broken connection or a failing server ends it: the caller has more to do
		    * than to repeat. Authorization is still renewed while no byte has gone out. */
	bool fresh; /* over a connection of its own */
	int64_t deadline; /* ms of clock_ms: no further try after it; 0: stall_seconds from now
			   */
};

/* 0 with an answer of any status but: 401 and 403 with our credentials refused (an error that says
 * what to do), transient failures that lasted, more redirections than anybody needs. Redirections
 * are followed (of what is no GET or HEAD 307 and 308, and with a body that can be given again),
 * without what was meant for the registry alone; the answer's url is where that led. */
int registry_call(struct registry *registry, struct http_client *client,
		  const struct registry_call *call, struct http_answer *ret,
		  struct varve_error *err);

/* Makes an error of an answer: "WHAT: HTTP status 400 (MANIFEST_INVALID: text)", without secrets
 * that the server repeats. Returns -VARVE_E_NETWORK. */
int registry_complain(const struct registry *registry, const struct http_answer *answer,
		      struct varve_error *err, const char *what, ...)
	__attribute__((format(printf, 4, 5)));
/* What a registry has not, or has wrongly, is no matter of this host: codes for that become
 * -VARVE_E_NETWORK, others stay. Pure. */
int registry_blame(int code);
/* True when one of the error document's codes is this. Pure. */
bool registry_said(const struct http_answer *answer, const char *code);

const struct registry_settings *registry_settings(const struct registry *registry);
const char *registry_name(const struct registry *registry); /* HOST/REPOSITORY, for messages */
const char *registry_repository(const struct registry *registry);
const char *registry_host(const struct registry *registry);
const char *registry_origin(const struct registry *registry); /* scheme://host[:port] */
bool registry_is_mirror(const struct registry *registry);
bool registry_is_own(const struct registry *registry, const char *url); /* of the same origin */
unsigned registry_stall_seconds(const struct registry *registry);
void registry_wait(const struct registry *registry, unsigned ms); /* ends early on stop */
bool registry_stopped(const struct registry *registry);
/* From now on a stop of the others: a transfer failed, and this one makes no sense any more. */
void registry_abandon(struct registry *registry);

#endif
