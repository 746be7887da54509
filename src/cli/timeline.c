/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timeline.h"

#include <string.h>
#include "base/clock.h"

static json_int_t now(const struct timeline *timeline)
{
	return (json_int_t)(clock_ms() - timeline->start);
}

/* The row of that name, or a new one. */
static json_t *row_of(struct timeline *timeline, json_t *rows, json_t *names, const char *name)
{
	json_t *row = json_object_get(names, name);

	if (row)
		return row;
	row = json_object();
	json_set(row, "name", json_text(name));
	json_set(row, "start", json_integer(now(timeline)));
	json_append(rows, row);
	/* A name that is no UTF-8 has a row each time. */
	(void)json_object_set(names, name, row);
	return row;
}

static void set_text(json_t *row, const char *key, const char *text)
{
	if (text)
		json_set(row, key, json_text(text));
}

static void end(struct timeline *timeline, const struct varve_event *event, const char *state)
{
	json_t *row = row_of(timeline, timeline->steps, timeline->step_names, event->step);

	json_set(row, "state", json_text(state));
	json_set(row, "end", json_integer(now(timeline)));
	json_set(row, "size", json_integer((json_int_t)event->total));
	if (event->kind == VARVE_EVENT_FAILED)
		set_text(row, "why", event->text);
}

static void take_step(struct timeline *timeline, const struct varve_event *event)
{
	json_t *row;

	if (event->kind == VARVE_EVENT_CACHED)
		end(timeline, event, "cached");
	if (event->kind == VARVE_EVENT_DONE)
		end(timeline, event, "ran");
	if (event->kind == VARVE_EVENT_FAILED)
		end(timeline, event, "failed");
	if (event->kind != VARVE_EVENT_STARTED && event->kind != VARVE_EVENT_LAYER)
		return;
	row = row_of(timeline, timeline->steps, timeline->step_names, event->step);
	if (event->kind == VARVE_EVENT_LAYER) {
		json_set(row, "layer", json_integer(now(timeline)));
		return;
	}
	json_set(row, "state", json_text("running"));
	set_text(row, "action", event->text);
	set_text(row, "why", event->why);
}

static void take_fetch(struct timeline *timeline, const struct varve_event *event)
{
	json_t *row = row_of(timeline, timeline->fetches, timeline->fetch_names, event->step);

	json_set(row, "end", json_integer(now(timeline)));
	json_set(row, "size", json_integer((json_int_t)event->done));
}

static void take(void *cookie, const struct varve_event *event)
{
	struct timeline *timeline = cookie;

	if (event->kind == VARVE_EVENT_FETCH && event->step)
		take_fetch(timeline, event);
	else if (event->kind == VARVE_EVENT_NOTICE && event->text)
		json_append(timeline->notices, json_text(event->text));
	else if (event->step)
		take_step(timeline, event);
	if (timeline->next)
		timeline->next->event(timeline->next->cookie, event);
}

void timeline_begin(struct timeline *timeline, const struct varve_report *next)
{
	*timeline = (struct timeline){.report = {timeline, take},
				      .next = next,
				      .start = clock_ms(),
				      .steps = json_array(),
				      .fetches = json_array(),
				      .notices = json_array(),
				      .step_names = json_object(),
				      .fetch_names = json_object()};
}

void timeline_release(struct timeline *timeline)
{
	json_decref(timeline->steps);
	json_decref(timeline->fetches);
	json_decref(timeline->notices);
	json_decref(timeline->step_names);
	json_decref(timeline->fetch_names);
	*timeline = (struct timeline){0};
}
