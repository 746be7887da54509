/* SPDX-License-Identifier: Apache-2.0 */
#include "build/slurm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char *slurm_job_text(const struct slurm_job *job, char text[SLURM_JOB_TEXT])
{
	if (job->task == SLURM_ALONE)
		snprintf(text, SLURM_JOB_TEXT, "%u", job->id);
	else
		snprintf(text, SLURM_JOB_TEXT, "%u_%d", job->id, job->task);
	return text;
}

static bool parse_number(const char *text, size_t len, unsigned long long maximum,
			 unsigned long long *ret)
{
	CLEANUP(free_ptr) char *copy = xstrndup(text, len);

	return str_to_u64(copy, maximum, ret);
}

bool slurm_parse_job(const char *text, struct slurm_job *ret)
{
	size_t len = strcspn(text, "_");
	unsigned long long id, task;

	if (!parse_number(text, len, UINT32_MAX, &id))
		return false;
	*ret = (struct slurm_job){(uint32_t)id, SLURM_ALONE};
	if (text[len] == '\0')
		return true;
	if (!str_to_u64(text + len + 1, INT32_MAX, &task))
		return false;
	ret->task = (int)task;
	return true;
}

bool slurm_parse_submitted(const char *text, uint32_t *ret)
{
	size_t len = strcspn(text, ";\n");
	unsigned long long id;

	if (!parse_number(text, len, UINT32_MAX, &id))
		return false;
	*ret = (uint32_t)id;
	return true;
}

/* What is not listed has failed: what comes with later versions of Slurm, too. */
static enum slurm_phase phase_of(const char *word)
{
	static const struct {
		const char *word;
		enum slurm_phase phase;
	} phases[] = {
		{"PENDING", SLURM_PENDING},       {"REQUEUED", SLURM_PENDING},
		{"REQUEUE_FED", SLURM_PENDING},   {"REQUEUE_HOLD", SLURM_PENDING},
		{"SPECIAL_EXIT", SLURM_PENDING},  {"CONFIGURING", SLURM_PENDING},
		{"RESV_DEL_HOLD", SLURM_PENDING}, {"RUNNING", SLURM_RUNNING},
		{"COMPLETING", SLURM_RUNNING},    {"SUSPENDED", SLURM_RUNNING},
		{"STOPPED", SLURM_RUNNING},       {"SIGNALING", SLURM_RUNNING},
		{"STAGE_OUT", SLURM_RUNNING},     {"RESIZING", SLURM_RUNNING},
		{"COMPLETED", SLURM_DONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		if (strcmp(word, phases[i].word) == 0)
			return phases[i].phase;
	return SLURM_FAILED;
}

bool slurm_parse_state(const char *line, struct slurm_state *ret)
{
	enum { ID, TASK, STATE, NODES, REASON, FIELDS };
	const char *field[FIELDS];
	size_t len[FIELDS];
	unsigned long long number;

	for (size_t i = 0; i < FIELDS; i++) {
		field[i] = line;
		len[i] = strcspn(line, "|\n");
		if (i + 1 < FIELDS && line[len[i]] != '|')
			return false;
		line += len[i] + 1;
	}
	*ret = (struct slurm_state){.job.task = SLURM_ALONE};
	if (!parse_number(field[ID], len[ID], UINT32_MAX, &number))
		return false;
	ret->job.id = (uint32_t)number;
	if (len[TASK] > 0 && strncmp(field[TASK], "N/A", len[TASK]) != 0) {
		if (!parse_number(field[TASK], len[TASK], INT32_MAX, &number))
			return false;
		ret->job.task = (int)number;
	}
	snprintf(ret->word, sizeof(ret->word), "%.*s", (int)len[STATE], field[STATE]);
	ret->phase = phase_of(ret->word);
	snprintf(ret->where, sizeof(ret->where), "%.*s",
		 (int)len[ret->phase == SLURM_PENDING ? REASON : NODES],
		 field[ret->phase == SLURM_PENDING ? REASON : NODES]);
	return true;
}

bool slurm_is_alive(const struct slurm_state *state)
{
	return state && (state->phase == SLURM_PENDING || state->phase == SLURM_RUNNING);
}

/* --- failures ------------------------------------------------------------------------------------
 */

/* The value of " NAME=VALUE " in a line of scontrol; caller frees. NULL: there is none. */
static char *member(const char *line, const char *name)
{
	size_t len = strlen(name);
	const char *at = line;

	while ((at = strstr(at, name))) {
		if ((at == line || at[-1] == ' ' || at[-1] == ',') && at[len] == '=')
			return xstrndup(at + len + 1, strcspn(at + len + 1, " ,\n"));
		at += len;
	}
	return NULL;
}

enum { MEBIBYTE = 1 << 20 };

bool slurm_tells_memory(const char *line)
{
	return strstr(line, "exceeded memory limit") || strstr(line, "Exceeded job memory limit") ||
	       strstr(line, "oom_kill") || strstr(line, "oom-kill");
}

/* "... exceeded memory limit (337686528 > 62914560) ...": a quarter more than it had taken. Else
 * twice the limit. */
static void add_wanted_memory(const char *said, const char *limit, struct buf *ret)
{
	const char *open = said ? strchr(said, '(') : NULL;
	unsigned long long taken = open ? strtoull(open + 1, NULL, 10) : 0;
	char *unit = NULL;
	double value;

	if (taken > 0) {
		buf_addf(ret, "%lluM", taken / 4 * 5 / MEBIBYTE + 1);
	} else if (limit) {
		value = strtod(limit, &unit);
		buf_addf(ret, "%.0f%s", value * 2, unit);
	}
}

static void explain_memory(const char *line, const char *said, struct buf *ret_error,
			   struct buf *ret_hint)
{
	CLEANUP(free_ptr) char *memory = member(line, "mem");

	if (!memory)
		memory = member(line, "MinMemoryNode");
	buf_addf(ret_error, "its job was killed by its memory limit (%s)",
		 memory ? memory : "unknown");
	buf_addstr(ret_hint, "ask for more, or for fewer jobs: slurm: {memory: ");
	add_wanted_memory(said, memory, ret_hint);
	buf_addstr(ret_hint, "}");
}

/* "D-HH:MM:SS", "HH:MM:SS" or "MM:SS" in seconds; 0: none of them. */
static unsigned long long seconds_of(const char *limit)
{
	unsigned long long days = 0, part[3] = {0}, number;
	const char *dash = strchr(limit, '-'), *at = dash ? dash + 1 : limit;
	size_t count = 0;

	if (dash && !parse_number(limit, (size_t)(dash - limit), 10000, &days))
		return 0;
	for (; count < 3 && *at; count++) {
		size_t len = strcspn(at, ":");

		if (!parse_number(at, len, 1000000, &number))
			return 0;
		part[count] = number;
		at += at[len] ? len + 1 : len;
	}
	return days * 86400 +
	       (count == 3 ? part[0] * 3600 + part[1] * 60 + part[2] : part[0] * 60 + part[1]);
}

static void explain_time(const char *line, struct buf *ret_error, struct buf *ret_hint)
{
	CLEANUP(free_ptr) char *limit = member(line, "TimeLimit");
	unsigned long long seconds = limit ? 2 * seconds_of(limit) : 0;

	buf_addf(ret_error, "its job was killed by its time limit (%s)", limit ? limit : "unknown");
	if (seconds > 0)
		buf_addf(ret_hint, "ask for more: slurm: {time: \"%02llu:%02llu:%02llu\"}",
			 seconds / 3600, seconds / 60 % 60, seconds % 60);
}

static void explain_node(const char *line, struct buf *ret_error, struct buf *ret_hint)
{
	CLEANUP(free_ptr) char *node = member(line, "BatchHost");

	buf_addf(ret_error, "its node %s died", node ? node : "(unknown)");
	buf_addstr(ret_hint, "build again: what is done stays done");
}

void slurm_explain(const char *line, const char *said, struct buf *ret_error, struct buf *ret_hint)
{
	CLEANUP(free_ptr) char *state = member(line, "JobState");
	CLEANUP(free_ptr) char *reason = member(line, "Reason");
	CLEANUP(free_ptr) char *code = member(line, "ExitCode");
	const char *word = state ? state : "unknown";

	if (strcmp(word, "OUT_OF_MEMORY") == 0 || str_equal(reason, "OutOfMemory") || said)
		explain_memory(line, said, ret_error, ret_hint);
	else if (strcmp(word, "TIMEOUT") == 0 || str_equal(reason, "TimeLimit"))
		explain_time(line, ret_error, ret_hint);
	else if (strcmp(word, "NODE_FAIL") == 0 || strcmp(word, "BOOT_FAIL") == 0)
		explain_node(line, ret_error, ret_hint);
	else if (strcmp(word, "CANCELLED") == 0 && reason && str_starts(reason, "Dependency"))
		buf_addstr(ret_error, "a step that it needs failed");
	else if (strcmp(word, "CANCELLED") == 0)
		buf_addstr(ret_error, "its job was cancelled");
	else if (strcmp(word, "PREEMPTED") == 0) {
		buf_addstr(ret_error, "its job was preempted, and not put back into the queue");
		buf_addstr(ret_hint, "build again, or ask for another partition or qos");
	} else
		buf_addf(ret_error, "its job ended as %s (exit code %s)", word,
			 code ? code : "unknown");
}
