/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

struct view {
	const char *mode;
	struct varve_report (*make)(void);
	void (*free)(void *cookie);
};

struct progress {
	const struct view *view;
	struct varve_report report;
};

/* Only what a step said before it failed: nobody has seen it yet. */
static void tell_failure(void *cookie, const struct varve_event *event)
{
	(void)cookie;
	if (event->kind == VARVE_EVENT_FAILED && event->why)
		fprintf(stderr, "%s\n", event->why);
}

static struct varve_report quiet_new(void)
{
	return (struct varve_report){NULL, tell_failure};
}

static void quiet_free(void *cookie)
{
	(void)cookie;
}

static const struct view views[] = {
	{"tty", progress_tty_new, progress_tty_free},
	{"plain", progress_plain_new, progress_plain_free},
	{"json", progress_json_new, progress_json_free},
	{"quiet", quiet_new, quiet_free},
};

static const char *automatic(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 ? "tty" : "plain";
}

int progress_new(const char *mode, struct progress **ret, struct varve_error *err)
{
	size_t i;

	if (!mode || strcmp(mode, "auto") == 0)
		mode = automatic();
	for (i = 0; i < ARRAY_SIZE(views); i++) {
		if (strcmp(views[i].mode, mode) != 0)
			continue;
		*ret = xcalloc(1, sizeof(**ret));
		(*ret)->view = &views[i];
		(*ret)->report = views[i].make();
		return 0;
	}
	return varve_error_set(err, -VARVE_E_USAGE,
			       "--progress %s: auto, tty, plain, json or quiet is needed", mode);
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	progress->view->free(progress->report.cookie);
	free(progress);
}

const struct varve_report *progress_report(struct progress *progress)
{
	return &progress->report;
}
