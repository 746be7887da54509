/* SPDX-License-Identifier: Apache-2.0
 * What a build tells while it runs. The library calls one function with one event at a time, always
 * from the thread that called it; pointers are valid during the call only. */
#ifndef VARVE_REPORT_H
#define VARVE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum varve_event_kind {
	VARVE_EVENT_PLAN, /* the plan is known: total = steps, done = those that are cached */
	VARVE_EVENT_LOCKED, /* text: a line that says how the lock changed */
	VARVE_EVENT_RESOLVE, /* step: the source that is being resolved */
	VARVE_EVENT_FETCH, /* step: source or file; done and total in bytes (total 0: unknown) */
	VARVE_EVENT_PUSH, /* step: registry and repository; done and total in bytes */
	VARVE_EVENT_CACHED, /* step was found in the store */
	VARVE_EVENT_STARTED, /* step runs now; text: what it does; why: the reason of the miss */
	VARVE_EVENT_JOB, /* step is in the hands of a cluster; text: where its job is */
	VARVE_EVENT_WAITING, /* step waits for another process that makes the same */
	VARVE_EVENT_OUTPUT, /* text: one line that the step printed */
	VARVE_EVENT_COMPILE, /* step: done and total in files, memory: what its processes have */
	VARVE_EVENT_LAYER, /* step: its file system is done, the layer is being written */
	VARVE_EVENT_DONE, /* step done; total: size of its layer's blob in bytes, 0: nothing changed
			   */
	VARVE_EVENT_FAILED, /* step failed; text: the error; why: the last lines it printed */
	VARVE_EVENT_NOTICE, /* text: something the user should know; step may be NULL */
	VARVE_EVENT_IMAGE, /* step: image name; text: digest */
	VARVE_EVENT_TICK, /* nothing happened for a while: redraw clocks */
};

struct varve_event {
	enum varve_event_kind kind;
	const char *step; /* "stage/step" or as said above; may be NULL */
	const char *text; /* may be NULL */
	const char *why; /* may be NULL */
	uint64_t done, total;
	uint64_t memory; /* bytes */
};

struct varve_report {
	void *cookie;
	void (*event)(void *cookie, const struct varve_event *event);
};

#endif
