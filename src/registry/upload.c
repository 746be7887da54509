/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/http_url.h"
#include "registry/registry.h"
#include "registry/upload_body.h"
#include "registry/upload_plan.h"
#include "registry/upload_session.h"

/* An upload under way. */
struct job {
	struct registry *registry;
	struct http_client *client;
	const struct upload_source *source;
	struct upload plan;
	struct upload_session session;
	struct upload_body body;
	char digest[VARVE_DIGEST_TEXT];
	int64_t failing_since; /* ms: nothing has moved since then; 0: all is well */
	uint64_t confirmed; /* plan.best when that was last looked at */
	bool sent; /* a body went out */
	struct varve_error trouble; /* the last failure, for when it lasts */
};

static void job_release(struct job *job)
{
	upload_release(&job->plan);
	upload_session_close(&job->session);
	upload_body_release(&job->body);
}

/* --- one request ---------------------------------------------------------------------------------
 */

static const char *method_of(enum upload_action action)
{
	static const char *const methods[] = {
		[UPLOAD_LOOK] = "HEAD", [UPLOAD_MOUNT] = "POST",   [UPLOAD_OPEN] = "POST",
		[UPLOAD_ASK] = "GET",   [UPLOAD_SEND] = "PUT",     [UPLOAD_CHUNK] = "PATCH",
		[UPLOAD_CLOSE] = "PUT", [UPLOAD_CONFIRM] = "HEAD",
	};

	return action < ARRAY_SIZE(methods) ? methods[action] : "GET";
}

static const char *mount_of(const struct job *job)
{
	const struct strv *mounts = job->source->mounts;

	return job->plan.next == UPLOAD_MOUNT ? mounts->items[mounts->count - job->plan.mounts]
					      : NULL;
}

/* The session's address verbatim: its query may be signed. */
static char *closing_url(const struct job *job)
{
	const char *at = job->plan.location;

	return xasprintf("%s%cdigest=%s", at, strchr(at, '?') ? '&' : '?', job->digest);
}

static char *path_of(const struct job *job)
{
	switch (job->plan.next) {
	case UPLOAD_LOOK:
	case UPLOAD_CONFIRM:
		return xasprintf("blobs/%s", job->digest);
	case UPLOAD_MOUNT: {
		struct buf path = BUF_INIT;

		buf_addf(&path, "blobs/uploads/?mount=%s&from=", job->digest);
		http_url_escape(mount_of(job), &path);
		return buf_steal(&path);
	}
	case UPLOAD_SEND:
	case UPLOAD_CLOSE:
		return closing_url(job);
	case UPLOAD_ASK:
	case UPLOAD_CHUNK:
		return xstrdup(job->plan.location);
	case UPLOAD_OPEN:
	case UPLOAD_DONE:
	case UPLOAD_FAILED:
		break;
	}
	return xstrdup("blobs/uploads/");
}

static bool has_body(const struct job *job)
{
	return job->plan.next == UPLOAD_SEND || job->plan.next == UPLOAD_CHUNK;
}

static void body_headers(const struct job *job, struct strv *headers)
{
	uint64_t from = job->plan.offset, len = upload_body(&job->plan);

	if (!has_body(job))
		return;
	strv_add(headers, "Content-Type: application/octet-stream");
	if (len > 0 && (from > 0 || job->plan.next == UPLOAD_CHUNK))
		strv_addf(headers, "Content-Range: %" PRIu64 "-%" PRIu64, from, from + len - 1);
}

static int open_body(struct job *job, struct varve_error *err)
{
	const struct upload_source *source = job->source;

	if (job->body.fd < 0) {
		int fd = -1;
		int r = source->open(source->cookie, source->blob, job->client, &fd, err);

		if (r < 0)
			return r;
		upload_body_file(&job->body, fd);
	}
	job->sent = true;
	return upload_body_seek(&job->body, job->plan.offset, upload_body(&job->plan), err);
}

static int64_t deadline(const struct job *job)
{
	if (!job->failing_since)
		return 0;
	return job->failing_since + (int64_t)registry_stall_seconds(job->registry) * 1000;
}

static int call(struct job *job, struct http_answer *answer, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(free_ptr) char *path = path_of(job);
	bool closing = job->plan.next == UPLOAD_CLOSE;
	struct registry_call call = {.method = method_of(job->plan.next),
				     .path = path,
				     .headers = &headers,
				     .mount_from = mount_of(job),
				     .once = has_body(job) || closing,
				     .fresh = has_body(job) && job->plan.fresh,
				     .deadline = deadline(job)};
	int r = 0;

	body_headers(job, &headers);
	if (has_body(job)) {
		call.give = upload_body_give;
		call.again = upload_body_again;
		call.cookie = &job->body;
		call.size = upload_body(&job->plan);
		r = open_body(job, err);
	}
	return r < 0 ? r : registry_call(job->registry, job->client, &call, answer, err);
}

/* --- its reply -----------------------------------------------------------------------------------
 */

/* "0-END", "bytes=0-END"; -1 for anything else. */
static int64_t range_end(const struct http_answer *answer)
{
	const char *range = http_header(&answer->headers, "Range");
	const char *dash = range ? strrchr(range, '-') : NULL;
	unsigned long long end;

	return dash && str_to_u64(dash + 1, INT64_MAX - 1, &end) ? (int64_t)end : -1;
}

/* Absolute, against the address that was asked. NULL: none, or not to be followed. Caller frees. */
static char *location_of(const struct job *job, const struct http_answer *answer)
{
	const char *location = http_header(&answer->headers, "Location");
	CLEANUP(free_ptr) char *asked = answer->url ? http_url_origin(answer->url) : NULL;
	const char *origin = asked ? asked : registry_origin(job->registry);

	if (!location || !*location)
		return NULL;
	if (location[0] == '/' && location[1] != '/')
		return xasprintf("%s%s", origin, location);
	if (!strstr(location, "://") || !http_url_may_redirect(origin, location))
		return NULL;
	return xstrdup(location);
}

static void no_location(const struct job *job, const struct http_answer *answer,
			struct varve_error *err)
{
	const char *location = http_header(&answer->headers, "Location");

	if (location) {
		CLEANUP(free_ptr) char *to = http_url_origin(location);

		varve_error_set(err, -VARVE_E_NETWORK,
				"%s: the registry sends the upload to %.200s, which is not "
				"followed from %s",
				registry_name(job->registry), to, registry_origin(job->registry));
		varve_error_hint(err, "behind a proxy with TLS the registry has to be told its "
				      "outer address (X-Forwarded-Proto)");
		return;
	}
	registry_complain(job->registry, answer, err,
			  "open an upload: the answer has no Location header");
}

/* Failures of bodies last only so long. */
static void note_trouble(struct job *job, const struct http_answer *answer, int code,
			 const struct varve_error *why)
{
	int64_t now = clock_ms();
	int64_t silent = (int64_t)registry_stall_seconds(job->registry) * 500;
	struct varve_error *trouble = &job->trouble;

	if (code < 0)
		*trouble = *why;
	else
		registry_complain(job->registry, answer, trouble, "upload of blob %s", job->digest);
	if (!job->failing_since)
		job->failing_since = code < 0 && strstr(why->text, "silent") ? now - silent : now;
	log_debug("upload of %s: %s", job->digest, trouble->text);
}

static void note_progress(struct job *job)
{
	if (job->plan.best > job->confirmed) {
		job->confirmed = job->plan.best;
		job->failing_since = 0;
	}
}

/* What a reply means for the plan. code: what registry_call returned. */
static int take_reply(struct job *job, const struct http_answer *answer, int code,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *location = location_of(job, answer);
	const char *minimum = http_header(&answer->headers, "OCI-Chunk-Min-Length");
	struct upload_reply reply = {.status = code < 0 ? 0 : answer->status,
				     .range_end = range_end(answer),
				     .location = location,
				     .given = answer->given};
	enum upload_action before = job->plan.next;
	unsigned long long length;

	if (minimum && str_to_u64(minimum, INT64_MAX, &length))
		reply.chunk_minimum = length;
	upload_step(&job->plan, &reply);
	if ((before == UPLOAD_SEND || before == UPLOAD_CHUNK || before == UPLOAD_CLOSE) &&
	    (reply.status == 0 || reply.status >= 400))
		note_trouble(job, answer, code, err);
	else
		note_progress(job);
	if (job->plan.next != UPLOAD_FAILED)
		return 0;
	if (before == UPLOAD_OPEN && answer->status / 100 == 2)
		no_location(job, answer, err);
	else if (before == UPLOAD_OPEN)
		registry_complain(job->registry, answer, err, "open an upload");
	else
		*err = job->trouble;
	return err->code;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static int give_up(const struct job *job, struct varve_error *err)
{
	*err = job->trouble;
	varve_error_hint(err,
			 "given up after %u seconds without progress; the same command goes "
			 "on where this one stopped",
			 registry_stall_seconds(job->registry));
	return err->code;
}

static bool is_break(const struct job *job, const struct http_answer *answer)
{
	return answer->broken && (has_body(job) || job->plan.next == UPLOAD_CLOSE);
}

/* Wherever the registry sends an upload: what is for it alone stays with it. */
static int refused_elsewhere(const struct job *job, const struct http_answer *answer,
			     struct varve_error *err)
{
	CLEANUP(free_ptr) char *to = http_url_origin(job->plan.location);

	registry_complain(job->registry, answer, err, "upload of blob %s", job->digest);
	varve_error_hint(
		err, "the registry's Location sends it to %.200s, which gets no credentials", to);
	return -VARVE_E_NETWORK;
}

/* After one failed body everything else fails for the same reason, and the first is the better
 * one to show. */
static int one_step(struct job *job, struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	int r;

	registry_wait(job->registry, job->plan.wait_ms);
	if (job->failing_since && clock_ms() >= deadline(job))
		return give_up(job, err);
	r = call(job, &answer, err);
	if (job->body.wrong)
		return upload_body_complain(&job->body, err);
	if (r < 0 && !is_break(job, &answer))
		return job->failing_since && answer.broken ? give_up(job, err) : r;
	if (r == 0 && (answer.status == 401 || answer.status == 403) && job->plan.location &&
	    (has_body(job) || job->plan.next == UPLOAD_CLOSE) &&
	    !registry_is_own(job->registry, job->plan.location))
		return refused_elsewhere(job, &answer, err);
	r = take_reply(job, &answer, r, err);
	if (r == 0)
		upload_session_save(&job->session, job->registry, job->plan.location);
	return r;
}

/* Nobody will go on with it. */
static void cancel(struct job *job)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	const struct registry_call call = {
		.method = "DELETE", .path = job->plan.location, .once = true};

	if (job->plan.location && registry_is_own(job->registry, job->plan.location))
		(void)registry_call(job->registry, job->client, &call, &answer, NULL);
	upload_session_end(&job->session);
}

int upload_blob(struct registry *registry, struct http_client *client,
		const struct upload_source *source, _Atomic uint64_t *done,
		enum upload_outcome *ret, struct varve_error *err)
{
	CLEANUP(job_release)
	struct job job = {.registry = registry, .client = client, .source = source};
	size_t mounts = source->mounts ? source->mounts->count : 0;
	int r = 0;

	upload_session_open(source->sessions, registry, &source->blob->digest, &job.session);
	upload_begin(&job.plan, source->blob->size, job.session.location,
		     registry_settings(registry)->chunk, mounts);
	upload_body_init(&job.body, source->blob, done);
	varve_digest_text(&source->blob->digest, job.digest);
	while (r == 0 && job.plan.next != UPLOAD_DONE)
		r = one_step(&job, err);
	if (r == -VARVE_E_DIGEST)
		cancel(&job);
	if (r < 0)
		return r;
	upload_session_end(&job.session);
	atomic_store(done, source->blob->size);
	*ret = job.plan.mounted ? UPLOAD_MOUNTED : job.sent ? UPLOAD_SENT : UPLOAD_WAS_THERE;
	return 0;
}
