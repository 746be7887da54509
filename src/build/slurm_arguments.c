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

/* Sets $job and $step, for a job of its own or for $task. */
static void write_choice(const struct slurm_script *script, struct buf *ret)
{
	if (script->tasks[0] == SLURM_ALONE) {
		buf_addstr(ret, "choose() {\njob=$SLURM_JOB_ID step=");
		slurm_quote(script->names[0], ret);
		buf_addstr(ret, "\n}\n");
		return;
	}
	buf_addstr(ret, "choose() {\njob=${SLURM_ARRAY_JOB_ID}_$task\ncase $task in\n");
	for (size_t i = 0; i < script->count; i++) {
		buf_addf(ret, "%d) step=", script->tasks[i]);
		slurm_quote(script->names[i], ret);
		buf_addstr(ret, " ;;\n");
	}
	buf_addstr(ret, "esac\n}\n");
}

/* exec: signals of Slurm reach varve itself, which then cleans up. */
static void write_command(const struct slurm_script *script, struct buf *ret)
{
	buf_addstr(ret, "make() {\nexec");
	for (size_t i = 0; i < script->command->count; i++) {
		buf_addc(ret, ' ');
		slurm_quote(script->command->items[i], ret);
	}
	if (script->results)
		buf_addstr(ret, " --result \"$results/$job\"");
	buf_addc(ret, ' ');
	slurm_quote(script->plan ? script->plan : "-", ret);
	buf_addstr(ret, " \"$step\"");
	/* JSON of one line: no line of it can be the end mark. */
	if (!script->plan)
		buf_addf(ret, " <<'VARVE-PLAN'\n%s\nVARVE-PLAN", script->text);
	buf_addstr(ret, "\n}\n");
}

/* take: `true`, since a redirection that fails would end the shell at a special builtin. run: in
 * the background, since a shell hears of signals between commands only. Slurm's TERM ends the going
 * on, too. A task whose step another one has begun does something else first: what it would wait
 * for takes its time. */
static const char going_on[] = "began=$(date +%s) made=\n"
			       "trap 'began=0; [ -z \"$made\" ] || kill $made' TERM\n"
			       "is_early() {\n"
			       "[ $(($(date +%s) - began)) -lt $go_on ]\n"
			       "}\n"
			       "take() {\n"
			       "file=$results/${SLURM_ARRAY_JOB_ID}_$task.taken\n"
			       "[ ! -e \"$file\" ] && { true >\"$file\"; } 2>/dev/null\n"
			       "}\n"
			       "run() {\n"
			       "choose\n"
			       "make &\n"
			       "made=$!\n"
			       "wait $made; status=$?\n"
			       "while kill -0 $made 2>/dev/null; do wait $made; status=$?; done\n"
			       "made=\n"
			       "}\n"
			       "run_others() {\n"
			       "for task in $tasks; do\n"
			       "take || continue\n"
			       "run >>\"$output/${SLURM_ARRAY_JOB_ID}_$task\" 2>&1\n"
			       "is_early || break\n"
			       "done\n"
			       "}\n"
			       "set -C\n"
			       "if take; then\n"
			       "run\n"
			       "own=$status\n"
			       "! is_early || run_others\n"
			       "exit $own\n"
			       "fi\n"
			       "[ -e \"$results/${SLURM_ARRAY_JOB_ID}_$task\" ] || run_others\n"
			       "task=$SLURM_ARRAY_TASK_ID\n"
			       "choose\n"
			       "make\n";

static void write_going_on(const struct slurm_script *script, struct buf *ret)
{
	buf_addstr(ret, "output=");
	slurm_quote(script->output, ret);
	buf_addf(ret, " go_on=%d tasks='", SLURM_GO_ON);
	for (size_t i = script->count; i-- > 0;)
		buf_addf(ret, "%d%s", script->tasks[i], i > 0 ? " " : "'\n");
	buf_addstr(ret, going_on);
}

void slurm_write_script(const struct slurm_script *script, struct buf *ret)
{
	buf_addstr(ret, "#!/bin/sh\n");
	if (script->results) {
		buf_addstr(ret, "results=");
		slurm_quote(script->results, ret);
		buf_addc(ret, '\n');
	}
	write_choice(script, ret);
	write_command(script, ret);
	buf_addstr(ret, "task=$SLURM_ARRAY_TASK_ID\n");
	if (script->output && script->results && script->plan && script->count > 1)
		write_going_on(script, ret);
	else
		buf_addstr(ret, "choose\nmake\n");
}
