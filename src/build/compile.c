/* SPDX-License-Identifier: Apache-2.0
 * The pure half: lines and numbers. */
#include "build/compile.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { STATUS_DIGITS = 9 };

/* Digits up to end; NULL when there are none, or too many. */
static const char *number(const char *text, char end, uint64_t *ret)
{
	size_t i;

	*ret = 0;
	for (i = 0; i <= STATUS_DIGITS && isdigit((unsigned char)text[i]); i++)
		*ret = *ret * 10 + (uint64_t)(text[i] - '0');
	return i > 0 && i <= STATUS_DIGITS && text[i] == end ? text + i + 1 : NULL;
}

bool compile_parse_status(const char *line, uint64_t *ret_done, uint64_t *ret_total)
{
	uint64_t done, total;
	const char *at = *line == '[' ? number(line + 1, '/', &done) : NULL;

	at = at ? number(at, ']', &total) : NULL;
	if (!at || *at != ' ' || total == 0 || done > total)
		return false;
	*ret_done = done;
	*ret_total = total;
	return true;
}

bool compile_tells_kill(const char *line)
{
	static const char *const words[] = {
		"Killed signal terminated program", /* gcc */
		"died due to signal 9", /* nvcc */
		"terminated with signal 9", /* collect2 */
		"std::bad_alloc",
		"virtual memory exhausted",
		"Cannot allocate memory",
		"out of memory allocating", /* gcc */
		"LLVM ERROR: out of memory",
		"MemoryError",
	};
	size_t i, len = strlen(line);

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return len >= strlen("Killed") && strcmp(line + len - strlen("Killed"), "Killed") == 0;
}

uint64_t compile_fitting_jobs(const struct compile *compile, uint64_t jobs)
{
	uint64_t fitting = compile->largest ? compile->peak / compile->largest : 0;

	if (jobs > 0 && fitting >= jobs)
		fitting = jobs - 1;
	return fitting == 0 && jobs > 1 ? 1 : fitting;
}

static void add_size(struct buf *ret, uint64_t bytes)
{
	buf_addf(ret, "%.1f %s", (double)bytes / (bytes < 1000000000 ? 1e6 : 1e9),
		 bytes < 1000000000 ? "MB" : "GB");
}

void compile_explain(const struct compile *compile, uint64_t kills, uint64_t jobs, struct buf *ret)
{
	uint64_t fitting = compile_fitting_jobs(compile, jobs);

	if (!compile->killed && kills <= compile->kills)
		return;
	buf_addstr(ret, kills > compile->kills ? "memory ran out: the kernel killed a process"
					       : "memory ran out, by what the step printed");
	if (compile->largest > 0) {
		buf_addstr(ret, "; one job had up to ");
		add_size(ret, compile->largest);
		buf_addstr(ret, ", all together ");
		add_size(ret, compile->peak);
	}
	if (jobs > 0 && fitting == 0)
		buf_addstr(ret, "; not even one job fits");
	else if (fitting > 0)
		buf_addf(ret, "; at most %" PRIu64 " job%s would have fitted%s", fitting,
			 fitting == 1 ? "" : "s", jobs > 0 ? "" : " (the step has no \"jobs\")");
}
