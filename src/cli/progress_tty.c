/* SPDX-License-Identifier: Apache-2.0
 * The live view: finished things scroll up, below them one line per thing that goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/progress.h"
#include "base/size_text.h"
#include "cli/transfer_text.h"

enum { TTY_ACTIVE = 32, TTY_LINE = 512, TTY_REDRAW_MS = 90 };

/* Something that goes on: a step, a fetch. */
struct activity {
	char *name;
	const char *state; /* "install", "writing layer", "fetch", ... */
	char *last; /* last line of output */
	uint64_t done, total;
	uint64_t files_done, files, memory; /* of a compile; files 0: none */
	struct transfer transfer;
	double since;
};

struct tty {
	struct activity active[TTY_ACTIVE];
	size_t count;
	size_t drawn; /* lines below the scrolled part */
	uint64_t steps_done, steps_total;
	double last_draw;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	return 80;
}

/* Cuts at the terminal's width and keeps control characters of the output away from the terminal.
 */
static void put_line(const char *text)
{
	size_t room = width() - 1, i;

	for (i = 0; text[i] && i < room; i++)
		fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i], stderr);
	fputs("\033[K\n", stderr);
}

static void erase(struct tty *tty)
{
	if (tty->drawn > 0)
		fprintf(stderr, "\033[%zuA\r\033[J", tty->drawn);
	tty->drawn = 0;
}

static void draw_compile(const struct activity *a)
{
	char line[TTY_LINE], size[16];

	snprintf(line, sizeof(line), "  %-24s %ju/%ju files  %.0fs  %s  %.300s", a->name,
		 (uintmax_t)a->files_done, (uintmax_t)a->files, now() - a->since,
		 size_text(a->memory, size), a->last ? a->last : "");
	put_line(line);
}

static void draw_activity(const struct activity *a)
{
	char line[TTY_LINE], transfer[TRANSFER_TEXT];
	double seconds = now() - a->since;

	if (a->files > 0) {
		draw_compile(a);
		return;
	}

	/* What is left says more than what has passed, and 80 columns have no room for both. */
	if (a->total > 0)
		snprintf(line, sizeof(line), "  %-24s %s  %s", a->name, a->state,
			 transfer_text(&a->transfer, a->done, a->total, transfer));
	else
		snprintf(line, sizeof(line), "  %-24s %-14s %5.1fs  %.300s", a->name, a->state,
			 seconds, a->last ? a->last : "");
	put_line(line);
}

static void draw(struct tty *tty)
{
	char line[TTY_LINE];
	size_t i;

	erase(tty);
	if (tty->count == 0)
		return;
	for (i = 0; i < tty->count; i++)
		draw_activity(&tty->active[i]);
	if (tty->steps_total > 0) {
		snprintf(line, sizeof(line), "%ju of %ju steps", (uintmax_t)tty->steps_done,
			 (uintmax_t)tty->steps_total);
		put_line(line);
	}
	tty->drawn = tty->count + (tty->steps_total > 0);
	tty->last_draw = now();
	fflush(stderr);
}

/* A line that stays. */
static void scroll(struct tty *tty, const char *text)
{
	erase(tty);
	put_line(text);
	draw(tty);
}

static struct activity *find(struct tty *tty, const char *name, bool make)
{
	size_t i;

	for (i = 0; i < tty->count; i++)
		if (strcmp(tty->active[i].name, name) == 0)
			return &tty->active[i];
	if (!make || tty->count == TTY_ACTIVE)
		return NULL;
	tty->active[tty->count] =
		(struct activity){.name = xstrdup(name), .state = "", .since = now()};
	return &tty->active[tty->count++];
}

static void set_state(struct tty *tty, const char *name, const char *state)
{
	struct activity *a = find(tty, name, true);

	if (a)
		a->state = state;
}

static void drop(struct tty *tty, const char *name)
{
	struct activity *a = find(tty, name, false);

	if (!a)
		return;
	free(a->name);
	free(a->last);
	memmove(a, a + 1, (size_t)(tty->active + tty->count - (a + 1)) * sizeof(*a));
	tty->count--;
}

static void on_done(struct tty *tty, const struct varve_event *event)
{
	struct activity *a = find(tty, event->step, false);
	CLEANUP(free_ptr) char *line = NULL;
	char size[16];

	line = xasprintf("done    %-24s %5.1fs  %s", event->step, a ? now() - a->since : 0.0,
			 event->total ? size_text(event->total, size) : "nothing changed");
	tty->steps_done++;
	drop(tty, event->step);
	scroll(tty, line);
}

static void on_fetch(struct tty *tty, const struct varve_event *event)
{
	struct activity *a = find(tty, event->step, true);

	if (!a)
		return;
	a->state = event->kind == VARVE_EVENT_PUSH ? "push" : "fetch";
	a->done = event->done;
	a->total = event->total;
	transfer_note(&a->transfer, now(), event->done);
	if (event->total > 0 && event->done >= event->total)
		drop(tty, event->step);
	if (now() - tty->last_draw > TTY_REDRAW_MS / 1000.0)
		draw(tty);
}

static void on_compile(struct tty *tty, const struct varve_event *event)
{
	struct activity *a = find(tty, event->step, true);

	if (!a)
		return;
	a->files_done = event->done;
	a->files = event->total;
	a->memory = event->memory;
}

static void on_output(struct tty *tty, const struct varve_event *event)
{
	struct activity *a = find(tty, event->step, true);

	if (!a)
		return;
	free(a->last);
	a->last = xstrdup(event->text);
	if (now() - tty->last_draw > TTY_REDRAW_MS / 1000.0)
		draw(tty);
}

static void on_line(struct tty *tty, const char *word, const struct varve_event *event)
{
	CLEANUP(free_ptr) char *line = NULL;

	line = xasprintf("%-7s %s%s%s", word, event->step ? event->step : "",
			 event->step && event->text ? ": " : "", event->text ? event->text : "");
	scroll(tty, line);
}

/* The last lines go by too fast to be read while they come. */
static void on_failed(struct tty *tty, const struct varve_event *event)
{
	CLEANUP(free_ptr) char *lines = event->why ? xstrdup(event->why) : NULL;
	char *rest = lines, *line;

	drop(tty, event->step);
	erase(tty);
	while ((line = strsep(&rest, "\n"))) {
		CLEANUP(free_ptr) char *whole = xasprintf("%s | %s", event->step, line);

		put_line(whole);
	}
	draw(tty);
}

static void tell(void *cookie, const struct varve_event *event)
{
	struct tty *tty = cookie;

	switch (event->kind) {
	case VARVE_EVENT_PLAN:
		tty->steps_done = event->done;
		tty->steps_total = event->total;
		break;
	case VARVE_EVENT_LOCKED:
		on_line(tty, "lock", event);
		break;
	case VARVE_EVENT_RESOLVE:
		set_state(tty, event->step, "resolve");
		draw(tty);
		break;
	case VARVE_EVENT_FETCH:
	case VARVE_EVENT_PUSH:
		on_fetch(tty, event);
		break;
	case VARVE_EVENT_CACHED:
		on_line(tty, "cached", event);
		break;
	case VARVE_EVENT_STARTED:
		set_state(tty, event->step, event->text);
		draw(tty);
		break;
	case VARVE_EVENT_WAITING:
		set_state(tty, event->step, "waits (other)");
		break;
	case VARVE_EVENT_JOB:
	case VARVE_EVENT_OUTPUT:
		on_output(tty, event);
		break;
	case VARVE_EVENT_COMPILE:
		on_compile(tty, event);
		break;
	case VARVE_EVENT_LAYER:
		on_compile(tty, &(struct varve_event){.step = event->step});
		set_state(tty, event->step, "writing layer");
		break;
	case VARVE_EVENT_DONE:
		on_done(tty, event);
		break;
	case VARVE_EVENT_FAILED:
		on_failed(tty, event);
		break;
	case VARVE_EVENT_NOTICE:
		on_line(tty, "note", event);
		break;
	case VARVE_EVENT_IMAGE:
		break;
	case VARVE_EVENT_TICK:
		draw(tty);
		break;
	}
}

struct varve_report progress_tty_new(void)
{
	return (struct varve_report){xcalloc(1, sizeof(struct tty)), tell};
}

void progress_tty_free(void *cookie)
{
	struct tty *tty = cookie;

	erase(tty);
	while (tty->count > 0)
		drop(tty, tty->active[0].name);
	fflush(stderr);
	free(tty);
}
