/* SPDX-License-Identifier: Apache-2.0
 * Images of registries for the sources of a session. Settings and credentials are read when the
 * first one is asked for: most commands need none. */
#include "cli/session_registries.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/remote.h"

struct session_registries {
	struct session *session;
	struct source_registries hook;
	struct remote remote;
	bool begun;
	pid_t process; /* that may tell notices: workers share our output */
};

static void tell_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	const struct session_registries *registries = cookie;
	const struct source_context *sources = &registries->session->sources;

	if (sources->progress)
		sources->progress(sources->cookie, what, done, total);
}

static void tell_notice(void *cookie, const char *text)
{
	const struct session_registries *registries = cookie;
	const struct varve_report *report;

	if (!registries->session->progress || registries->process != getpid())
		return;
	report = progress_report(registries->session->progress);
	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_NOTICE,
							    .step = "registry",
							    .text = text});
}

static int begin(struct session_registries *registries, struct varve_error *err)
{
	struct registry_settings *settings = &registries->remote.settings;
	int r;

	if (registries->begun)
		return 0;
	r = remote_begin(&registries->remote, registries->session->cli, registries->session->store,
			 false, err);
	if (r < 0)
		return r;
	settings->progress = tell_progress;
	settings->notice = tell_notice;
	settings->cookie = registries;
	registries->begun = true;
	return 0;
}

static int parse(struct session_registries *registries, const char *reference, struct endpoint *ret,
		 struct varve_error *err)
{
	int r = endpoint_parse(reference, ret, err);

	return r < 0 ? r : begin(registries, err);
}

static int look(void *cookie, const char *reference, const char *platform,
		struct varve_descriptor *ret, struct varve_error *err)
{
	struct session_registries *registries = cookie;
	CLEANUP(endpoint_release) struct endpoint from = {0};
	int r = parse(registries, reference, &from, err);

	registries->remote.copy.platform = platform;
	return r < 0 ? r : copy_look(&registries->remote.copy, &from, ret, err);
}

static int fetch(void *cookie, const char *reference, const struct varve_descriptor *blobs,
		 size_t count, struct varve_error *err)
{
	struct session_registries *registries = cookie;
	CLEANUP(endpoint_release) struct endpoint from = {0};
	int r = parse(registries, reference, &from, err);

	registries->remote.copy.platform = NULL;
	return r < 0 ? r : copy_layers(&registries->remote.copy, &from, blobs, count, err);
}

const struct source_registries *session_registries(struct session *session)
{
	struct session_registries *registries = session->registries;

	if (!registries) {
		registries = session->registries = xcalloc(1, sizeof(*registries));
		*registries = (struct session_registries){.session = session,
							  .hook = {registries, look, fetch},
							  .remote = {.uploads = -1},
							  .process = getpid()};
	}
	return &registries->hook;
}

static int check_layers(struct session *session, const struct varve_descriptor *image,
			struct varve_error *err)
{
	CLEANUP(image_release) struct image opened = {0};
	char digest[VARVE_DIGEST_TEXT];
	int r = image_open_manifest(session->store, image, &opened, err);

	for (size_t i = 0; i < opened.layer_count && r == 0; i++) {
		const struct varve_digest *blob = &opened.layers[i].blob.digest;

		if (!varve_store_has_blob(session->store, blob, NULL))
			r = varve_error_set(err, -VARVE_E_LOCK,
					    "layer %s of the image below is not in the store, and "
					    "--offline forbids to fetch it",
					    varve_digest_text(blob, digest));
	}
	return r;
}

int session_complete(struct session *session, const struct varve_descriptor *image,
		     struct varve_error *err)
{
	int r;

	if (session->cli->values.offline)
		return check_layers(session, image, err);
	(void)session_registries(session);
	r = begin(session->registries, err);
	return r < 0 ? r : copy_complete(&session->registries->remote.copy, image, err);
}

void session_registries_free(struct session_registries *registries)
{
	if (!registries)
		return;
	if (registries->begun)
		remote_end(&registries->remote);
	free(registries);
}
