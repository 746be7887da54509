/* SPDX-License-Identifier: Apache-2.0 */
#include "build/slurm.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

enum { MEBIBYTE = 1 << 20, JOB_MARGIN = 512 /* MiB: what varve itself and the page cache need */ };

/* The fields that sbatch has under another name. */
static const struct {
	const char *field, *option;
} options[] = {
	{"partition", "--partition"},
	{"account", "--account"},
	{"qos", "--qos"},
	{"constraint", "--constraint"},
	{"cores", "--cpus-per-task"},
	{"memory", "--mem"},
	{"gpus", "--gres=gpu"},
	{"time", "--time"},
	{"reservation", "--reservation"},
};

void slurm_resources(const struct strv *fields, int64_t jobs, uint64_t jobs_memory,
		     struct strv *ret_arguments)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *value = strv_getenv(fields, options[i].field);

		if (value && *value)
			strv_addf(ret_arguments, "%s%c%s", options[i].option,
				  strchr(options[i].option, '=') ? ':' : '=', value);
	}
	if (jobs > 0 && !strv_getenv(fields, "cores"))
		strv_addf(ret_arguments, "--cpus-per-task=%" PRId64, jobs);
	if (jobs > 0 && jobs_memory > 0 && !strv_getenv(fields, "memory"))
		strv_addf(ret_arguments, "--mem=%" PRIu64 "M",
			  (uint64_t)jobs * (jobs_memory / MEBIBYTE) + JOB_MARGIN);
}

void slurm_quote(const char *word, struct buf *ret)
{
	buf_addc(ret, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_addstr(ret, "'\\''");
		else
			buf_addc(ret, *word);
	}
	buf_addc(ret, '\'');
}

void slurm_write_tasks(const int *tasks, size_t count, struct buf *ret)
{
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && tasks[end] == tasks[end - 1] + 1; end++)
			;
		buf_addf(ret, "%s%d", i > 0 ? "," : "", tasks[i]);
		if (end > i + 1)
			buf_addf(ret, "-%d", tasks[end - 1]);
	}
}

static void write_choice(const struct slurm_script *script, struct buf *ret)
{
	if (script->count == 1 && script->tasks[0] == SLURM_ALONE) {
		buf_addstr(ret, "step=");
		slurm_quote(script->names[0], ret);
		buf_addc(ret, '\n');
		return;
	}
	buf_addstr(ret, "case $SLURM_ARRAY_TASK_ID in\n");
	for (size_t i = 0; i < script->count; i++) {
		buf_addf(ret, "%d) step=", script->tasks[i]);
		slurm_quote(script->names[i], ret);
		buf_addstr(ret, " ;;\n");
	}
	buf_addstr(ret, "esac\n");
}

/* exec: signals of Slurm reach varve itself, which then cleans up. */
void slurm_write_script(const struct slurm_script *script, struct buf *ret)
{
	buf_addstr(ret, "#!/bin/sh\n");
	write_choice(script, ret);
	buf_addstr(ret, "exec");
	for (size_t i = 0; i < script->command->count; i++) {
		buf_addc(ret, ' ');
		slurm_quote(script->command->items[i], ret);
	}
	if (script->results) {
		buf_addstr(ret, " --result ");
		slurm_quote(script->results, ret);
		buf_addstr(ret, "/${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"
				"${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}");
	}
	buf_addc(ret, ' ');
	slurm_quote(script->plan ? script->plan : "-", ret);
	buf_addstr(ret, " \"$step\"");
	/* JSON of one line: no line of it can be the end mark. */
	if (!script->plan)
		buf_addf(ret, " <<'VARVE-PLAN'\n%s\nVARVE-PLAN", script->text);
	buf_addc(ret, '\n');
}
