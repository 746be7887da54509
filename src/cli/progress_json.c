/* SPDX-License-Identifier: Apache-2.0
 * One canonical JSON object per event and line. */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/progress.h"

static const char *const names[] = {
	[VARVE_EVENT_PLAN] = "plan",       [VARVE_EVENT_LOCKED] = "locked",
	[VARVE_EVENT_RESOLVE] = "resolve", [VARVE_EVENT_FETCH] = "fetch",
	[VARVE_EVENT_CACHED] = "cached",   [VARVE_EVENT_STARTED] = "started",
	[VARVE_EVENT_WAITING] = "waiting", [VARVE_EVENT_OUTPUT] = "output",
	[VARVE_EVENT_LAYER] = "layer",     [VARVE_EVENT_DONE] = "done",
	[VARVE_EVENT_FAILED] = "failed",   [VARVE_EVENT_NOTICE] = "notice",
	[VARVE_EVENT_IMAGE] = "image",     [VARVE_EVENT_TICK] = "tick",
	[VARVE_EVENT_JOB] = "job",         [VARVE_EVENT_PUSH] = "push",
	[VARVE_EVENT_COMPILE] = "compile",
};

static void set_text(json_t *line, const char *key, const char *text)
{
	if (text)
		json_set(line, key, json_text(text));
}

static void tell(void *cookie, const struct varve_event *event)
{
	CLEANUP(json_decrefp) json_t *line = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)cookie;
	if (event->kind == VARVE_EVENT_TICK)
		return;
	line = json_object();
	json_set(line, "event", json_text(names[event->kind]));
	set_text(line, "step", event->step);
	set_text(line, "text", event->text);
	set_text(line, "why", event->why);
	if (event->done || event->total) {
		json_set(line, "done", json_integer((json_int_t)event->done));
		json_set(line, "total", json_integer((json_int_t)event->total));
	}
	if (event->memory)
		json_set(line, "memory", json_integer((json_int_t)event->memory));
	json_canonical(line, &text);
	buf_addc(&text, '\n');
	fputs(buf_text(&text), stderr);
}

struct varve_report progress_json_new(void)
{
	return (struct varve_report){NULL, tell};
}

void progress_json_free(void *cookie)
{
	(void)cookie;
}
