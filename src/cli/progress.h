/* SPDX-License-Identifier: Apache-2.0
 * Views of a build's events, on stderr: a live one on a terminal, plain lines, JSON lines, none. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <varve/error.h>
#include <varve/report.h>

struct progress;

/* mode: NULL or "auto", "tty", "plain", "json", "quiet". */
int progress_new(const char *mode, struct progress **ret, struct varve_error *err);
void progress_free(struct progress *progress); /* leaves the terminal clean */
const struct varve_report *progress_report(struct progress *progress);

/* The views; each fills the vtable and its cookie. */
struct varve_report progress_plain_new(void);
void progress_plain_free(void *cookie);
struct varve_report progress_json_new(void);
void progress_json_free(void *cookie);
struct varve_report progress_tty_new(void);
void progress_tty_free(void *cookie);

#endif
