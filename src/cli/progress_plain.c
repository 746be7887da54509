/* SPDX-License-Identifier: Apache-2.0
 * One line per event, for logs. Times are of this run only and appear nowhere else. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "cli/progress.h"
#include "base/size_text.h"
#include "cli/transfer_text.h"

enum { PLAIN_INTERVAL = 5 /* seconds between lines of one transfer */ };

struct plain {
	struct timespec start;
	double told; /* when a transfer was last told of */
	char *fetched; /* the transfer that was last told of; owned */
	struct transfer transfer; /* of that one */
	double begun; /* when the transfer under way began */
	uint64_t begun_at; /* bytes that were there then */
};

static double elapsed(const struct plain *plain)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - plain->start.tv_sec) +
	       (double)(now.tv_nsec - plain->start.tv_nsec) / 1e9;
}

/* Another source's bytes say nothing of this one's speed. */
static void note_fetch(struct plain *plain, const struct varve_event *event)
{
	if (!str_equal(plain->fetched, event->step)) {
		free(plain->fetched);
		plain->fetched = xstrdup(event->step);
		plain->transfer = (struct transfer){0};
	}
	transfer_note(&plain->transfer, elapsed(plain), event->done);
}

static void tell_fetch(struct plain *plain, const struct varve_event *event)
{
	bool whole = event->total > 0 && event->done >= event->total;
	char text[TRANSFER_TEXT];

	note_fetch(plain, event);
	if (!whole && elapsed(plain) - plain->told < PLAIN_INTERVAL)
		return;
	plain->told = elapsed(plain);
	fprintf(stderr, "[%6.1fs] fetch %s: %s\n", elapsed(plain), event->step,
		transfer_text(&plain->transfer, event->done, event->total, text));
}

/* The first event of a transfer says where it begins; a resumed one does not begin at 0. */
static void tell_push(struct plain *plain, const struct varve_event *event)
{
	double now = elapsed(plain), rate;
	char done[16], total[16], speed[16];

	if (plain->begun == 0 || event->done < plain->begun_at) {
		plain->begun = plain->told = now;
		plain->begun_at = event->done;
		return;
	}
	if (now - plain->told < PLAIN_INTERVAL || event->done >= event->total)
		return;
	plain->told = now;
	rate = (double)(event->done - plain->begun_at) / (now - plain->begun);
	fprintf(stderr, "[%6.1fs] push %s: %s of %s, %s/s", now, event->step,
		size_text(event->done, done), size_text(event->total, total),
		size_text((uint64_t)rate, speed));
	if (rate >= 1)
		fprintf(stderr, ", %.0f s left", (double)(event->total - event->done) / rate);
	fputc('\n', stderr);
}

static void tell_compile(const struct plain *plain, const struct varve_event *event)
{
	char size[16];

	fprintf(stderr, "[%6.1fs] %s: %" PRIu64 " of %" PRIu64 " files", elapsed(plain),
		event->step, event->done, event->total);
	if (event->memory)
		fprintf(stderr, ", %s of memory in use", size_text(event->memory, size));
	fputc('\n', stderr);
}

static void tell_done(const struct plain *plain, const struct varve_event *event)
{
	char size[16];

	fprintf(stderr, "[%6.1fs] %s done: %s\n", elapsed(plain), event->step,
		event->total ? size_text(event->total, size) : "nothing changed, no layer");
}

static void tell(void *cookie, const struct varve_event *event)
{
	struct plain *plain = cookie;

	switch (event->kind) {
	case VARVE_EVENT_PLAN:
		fprintf(stderr, "%" PRIu64 " of %" PRIu64 " steps cached\n", event->done,
			event->total);
		break;
	case VARVE_EVENT_LOCKED:
		fprintf(stderr, "lock: %s\n", event->text);
		break;
	case VARVE_EVENT_RESOLVE:
		fprintf(stderr, "[%6.1fs] resolving source %s\n", elapsed(plain), event->step);
		break;
	case VARVE_EVENT_FETCH:
		tell_fetch(plain, event);
		break;
	case VARVE_EVENT_PUSH:
		tell_push(plain, event);
		break;
	case VARVE_EVENT_CACHED:
		fprintf(stderr, "[%6.1fs] %s cached\n", elapsed(plain), event->step);
		break;
	case VARVE_EVENT_STARTED:
		fprintf(stderr, "[%6.1fs] %s %s (%s)\n", elapsed(plain), event->step, event->text,
			event->why && *event->why ? event->why : "not built before");
		break;
	case VARVE_EVENT_JOB:
		fprintf(stderr, "[%6.1fs] %s: %s\n", elapsed(plain), event->step, event->text);
		break;
	case VARVE_EVENT_WAITING:
		fprintf(stderr, "[%6.1fs] %s waits: another process builds it\n", elapsed(plain),
			event->step);
		break;
	case VARVE_EVENT_OUTPUT:
		fprintf(stderr, "%s | %s\n", event->step, event->text);
		break;
	case VARVE_EVENT_COMPILE:
		tell_compile(plain, event);
		break;
	case VARVE_EVENT_LAYER:
		break;
	case VARVE_EVENT_DONE:
		tell_done(plain, event);
		break;
	case VARVE_EVENT_FAILED:
		fprintf(stderr, "[%6.1fs] %s failed\n", elapsed(plain), event->step);
		break;
	case VARVE_EVENT_NOTICE:
		fprintf(stderr, "%s: note: %s\n", event->step ? event->step : "varve", event->text);
		break;
	case VARVE_EVENT_IMAGE:
	case VARVE_EVENT_TICK:
		break;
	}
}

struct varve_report progress_plain_new(void)
{
	struct plain *plain = xcalloc(1, sizeof(*plain));

	clock_gettime(CLOCK_MONOTONIC, &plain->start);
	return (struct varve_report){plain, tell};
}

void progress_plain_free(void *cookie)
{
	struct plain *plain = cookie;

	free(plain->fetched);
	free(plain);
}
