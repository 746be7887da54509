/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_plan.h"

#include <stdlib.h>
#include "base/buf.h"

enum {
	PROGRESS = 1 << 20, /* so much more in a session makes it worth another */
	STEP = 64 << 10, /* so much more is no failure in a row */
	ASK_MS = 150, /* between two reports */
	ASK_AGREE = 2, /* reports that must say the same, after the first */
	WAIT_MS = 250, /* after a failure; doubles */
	WAIT_LIMIT_MS = 8000,
	FAILURE_LIMIT = 12,
	CHUNK_LIMIT = 1 << 30,
};

void upload_begin(struct upload *upload, uint64_t size, const char *location, uint64_t chunk,
		  size_t mounts)
{
	*upload = (struct upload){.next = UPLOAD_LOOK, .size = size, .chunk = chunk};
	upload->mounts = mounts;
	upload->location = location ? xstrdup(location) : NULL;
	upload->used = location != NULL;
}

void upload_release(struct upload *upload)
{
	free(upload->location);
	upload->location = NULL;
}

uint64_t upload_body(const struct upload *upload)
{
	uint64_t left = upload->size - upload->offset;

	return upload->next == UPLOAD_CHUNK && upload->chunk < left ? upload->chunk : left;
}

static void relocate(struct upload *u, const char *location)
{
	if (!location)
		return;
	free(u->location);
	u->location = xstrdup(location);
}

static bool is_transient(long status)
{
	return status == 0 || status == 408 || status == 425 || status == 429 || status == 499 ||
	       (status / 100 == 5 && status != 501 && status != 505);
}

static bool is_taken(long status)
{
	return status == 200 || status == 201 || status == 202 || status == 204;
}

static void body(struct upload *u)
{
	u->next = UPLOAD_SEND;
	if (u->chunk > 0 && (u->chunk < u->size || u->offset > 0))
		u->next = u->offset < u->size ? UPLOAD_CHUNK : UPLOAD_CLOSE;
}

static void session_begins(struct upload *u, const struct upload_reply *reply)
{
	relocate(u, reply->location);
	u->offset = 0;
	u->used = false;
	u->distrusted = false;
	u->sent = 0;
	if (u->chunk > 0 && reply->chunk_minimum > u->chunk)
		u->chunk = reply->chunk_minimum < CHUNK_LIMIT ? reply->chunk_minimum : CHUNK_LIMIT;
	body(u);
}

static void reached(struct upload *u, uint64_t offset)
{
	u->offset = offset;
	if (offset > 0)
		u->used = true;
	if (offset >= u->best + STEP || offset == u->size)
		u->failures = 0;
	if (offset > u->best)
		u->best = offset;
}

static void lose_session(struct upload *u)
{
	free(u->location);
	u->location = NULL;
	u->offset = 0;
	u->lost = u->best >= u->best_before + PROGRESS ? 1 : u->lost + 1;
	u->lost_ever++;
	u->best_before = u->best;
	if (u->lost_ever >= 2) {
		if (u->chunk == 0)
			u->chunk = UPLOAD_CHUNK_SIZE;
		u->fresh = true;
	}
	u->next = u->lost > UPLOAD_LOST_LIMIT ? UPLOAD_FAILED : UPLOAD_OPEN;
}

/* A session ends also where the blob is taken: by a process that was killed when all its bytes were
 * on their way. */
static void lose_unless_taken(struct upload *u)
{
	lose_session(u);
	if (u->next != UPLOAD_OPEN)
		return;
	u->next = UPLOAD_CONFIRM;
	u->wait_ms = ASK_MS;
}

static void ask(struct upload *u)
{
	u->next = UPLOAD_ASK;
	u->agreed = 0;
	u->asked = UINT64_MAX;
}

static void back_off(struct upload *u)
{
	unsigned wait = WAIT_MS << (u->failures < 6 ? u->failures : 6);

	u->wait_ms = wait < WAIT_LIMIT_MS ? wait : WAIT_LIMIT_MS;
	if (++u->failures > FAILURE_LIMIT)
		u->next = UPLOAD_FAILED;
}

/* --- by action -----------------------------------------------------------------------------------
 */

static void after_look(struct upload *u, const struct upload_reply *reply)
{
	if (reply->status == 200)
		u->next = UPLOAD_DONE;
	else if (u->location)
		ask(u);
	else
		u->next = u->mounts > 0 ? UPLOAD_MOUNT : UPLOAD_OPEN;
}

static void after_mount(struct upload *u, const struct upload_reply *reply)
{
	u->mounts--;
	if (reply->status == 201) {
		u->mounted = true;
		u->next = UPLOAD_DONE;
	} else if (reply->status == 202 && reply->location && u->mounts == 0) {
		session_begins(u, reply);
	} else {
		u->next = u->mounts > 0 ? UPLOAD_MOUNT : UPLOAD_OPEN;
	}
}

static void after_open(struct upload *u, const struct upload_reply *reply)
{
	if (is_taken(reply->status) && reply->location)
		session_begins(u, reply);
	else
		u->next = UPLOAD_FAILED;
}

/* "0-0" is said of nothing and of one byte; nothing is assumed, which the end would show. */
static void after_ask(struct upload *u, const struct upload_reply *reply)
{
	uint64_t there = reply->range_end > 0 ? (uint64_t)reply->range_end + 1 : 0;

	if (!is_taken(reply->status) || there > u->size || (there == 0 && u->used)) {
		lose_unless_taken(u);
		return;
	}
	relocate(u, reply->location);
	u->agreed = there == u->asked ? u->agreed + 1 : 0;
	u->asked = there;
	if (u->agreed < ASK_AGREE) {
		u->wait_ms = ASK_MS;
		return;
	}
	reached(u, there);
	body(u);
}

static void smaller_pieces(struct upload *u)
{
	if (u->chunk == 0)
		u->chunk = UPLOAD_CHUNK_SIZE;
	else
		u->chunk /= 2;
	lose_session(u);
	u->lost = 1;
	if (u->chunk < UPLOAD_CHUNK_MINIMUM)
		u->next = UPLOAD_FAILED;
}

/* The end of a body that is not what was hoped for. whole: all bytes of the blob had gone out. */
static void body_failed(struct upload *u, const struct upload_reply *reply, bool whole)
{
	if (is_transient(reply->status) || reply->status == 401) {
		if (reply->given > 0 || whole)
			u->used = true;
		if (whole)
			u->next = UPLOAD_CONFIRM;
		else if (reply->given > 0)
			ask(u);
		back_off(u);
	} else if (reply->status == 413) {
		smaller_pieces(u);
	} else if (reply->status == 404 || reply->status == 410) {
		u->next = UPLOAD_CONFIRM;
		if (!whole)
			lose_session(u);
	} else if (reply->status == 400 && u->mismatches++ == 0) {
		lose_unless_taken(u);
	} else {
		u->next = UPLOAD_FAILED;
	}
}

static void after_send(struct upload *u, const struct upload_reply *reply)
{
	bool whole = u->offset + reply->given == u->size;

	if (is_taken(reply->status) && reply->status != 202)
		u->next = UPLOAD_DONE;
	else if (reply->status == 202)
		u->next = UPLOAD_CONFIRM;
	else if (reply->status == 416)
		lose_unless_taken(u);
	else
		body_failed(u, reply, whole);
}

/* What is reported is believed, for what is lost then is a piece; the other way round it is the
 * whole session. */
static void chunk_taken(struct upload *u, uint64_t there, uint64_t want)
{
	u->sent = 0;
	/* A report that does not move is known of ECR, and not true. */
	u->distrusted |= there <= u->offset;
	if (u->distrusted || there >= want) {
		reached(u, want);
	} else {
		u->sent = want;
		if (there < u->offset + STEP)
			back_off(u);
		reached(u, there);
	}
	if (u->next != UPLOAD_FAILED)
		body(u);
}

static void chunk_refused(struct upload *u)
{
	if (u->sent > u->offset) {
		u->distrusted = true;
		reached(u, u->sent);
		u->sent = 0;
		body(u);
	} else if (!u->distrusted) {
		u->distrusted = true;
		u->used = true;
		ask(u);
	} else {
		lose_session(u);
		u->chunk = 0;
	}
}

static void after_chunk(struct upload *u, const struct upload_reply *reply)
{
	uint64_t want = u->offset + reply->given;
	uint64_t there = reply->range_end > 0 ? (uint64_t)reply->range_end + 1 : want;

	if (is_taken(reply->status)) {
		relocate(u, reply->location);
		chunk_taken(u, there, want);
	} else if (reply->status == 416) {
		chunk_refused(u);
	} else {
		body_failed(u, reply, false);
	}
}

static void after_close(struct upload *u, const struct upload_reply *reply)
{
	if (is_taken(reply->status) && reply->status != 202)
		u->next = UPLOAD_DONE;
	else if (reply->status == 416)
		lose_unless_taken(u);
	else
		body_failed(u, reply, true);
}

static void after_confirm(struct upload *u, const struct upload_reply *reply)
{
	if (reply->status == 200)
		u->next = UPLOAD_DONE;
	else if (u->location)
		ask(u);
	else
		u->next = UPLOAD_OPEN;
}

void upload_step(struct upload *u, const struct upload_reply *reply)
{
	static void (*const after[])(struct upload *, const struct upload_reply *) = {
		[UPLOAD_LOOK] = after_look,   [UPLOAD_MOUNT] = after_mount,
		[UPLOAD_OPEN] = after_open,   [UPLOAD_ASK] = after_ask,
		[UPLOAD_SEND] = after_send,   [UPLOAD_CHUNK] = after_chunk,
		[UPLOAD_CLOSE] = after_close, [UPLOAD_CONFIRM] = after_confirm,
	};

	u->wait_ms = 0;
	if (u->next < UPLOAD_DONE)
		after[u->next](u, reply);
}
