/* SPDX-License-Identifier: Apache-2.0
 * What is asked of Slurm and what it answers, without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "build/slurm.h"

/* --- groups --------------------------------------------------------------------------------------
 */

/* A plan in words: for each step the steps that it needs, ending with -1. */
struct graph {
	struct slurm_step steps[1024];
	struct slurm_groups groups;
	size_t count;
};

static void add(struct graph *graph, const char *resource, const int *needs)
{
	struct slurm_step *step = &graph->steps[graph->count];
	size_t count = 0;

	*step = (struct slurm_step){.step = (int)graph->count++};
	if (resource)
		strv_add(&step->resources, resource);
	while (needs && needs[count] >= 0)
		count++;
	step->needs = xcalloc(count + 1, sizeof(*step->needs));
	if (count > 0)
		memcpy(step->needs, needs, count * sizeof(*needs));
	step->need_count = count;
}

static void group(struct graph *graph, size_t maximum)
{
	graph->groups.maximum = maximum;
	slurm_group(graph->steps, graph->count, &graph->groups);
}

static void release(struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++) {
		strv_release(&graph->steps[i].resources);
		free(graph->steps[i].needs);
	}
	slurm_groups_release(&graph->groups);
}

/* What Slurm would wait for covers what the plan wants, and groups stand in an order in which they
 * can be submitted; nobody waits for more than it needs. */
static void check(const struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++) {
		const struct slurm_step *step = &graph->steps[i];
		const struct slurm_group *own = &graph->groups.items[step->group];

		assert_true(step->group < graph->groups.count);
		assert_int_equal(step->task == SLURM_ALONE, own->taken == NULL);
		if (own->taken)
			assert_true(own->taken[step->task]);
		assert_true(own->after < (long)step->group);
		for (size_t k = 0; k < step->need_count; k++) {
			const struct slurm_step *need = &graph->steps[step->needs[k]];

			assert_true(need->group < step->group);
			if (own->after < 0)
				continue; /* alone: its needs are named one by one */
			assert_int_equal(step->need_count, 1);
			assert_int_equal(own->after, need->group);
			assert_int_equal(own->of == SLURM_EACH ? step->task : own->of, need->task);
		}
		for (size_t k = 0; k < i; k++)
			assert_false(step->task != SLURM_ALONE &&
				     graph->steps[k].group == step->group &&
				     graph->steps[k].task == step->task);
	}
}

static void test_lanes(void **state)
{
	struct graph graph = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		add(&graph, NULL, NULL);
	for (int i = 0; i < 30; i++)
		add(&graph, NULL, (const int[]){i, -1});
	group(&graph, 100);
	check(&graph);
	assert_int_equal(graph.groups.count, 4); /* ten lanes of four: four calls */
	release(&graph);
}

/* As a plan has them: one stage after the other. */
static void test_long_lanes(void **state)
{
	static struct graph graph;

	(void)state;
	for (int lane = 0; lane < 10; lane++)
		for (int i = 0; i < 100; i++)
			add(&graph, NULL, i == 0 ? NULL : (const int[]){lane * 100 + i - 1, -1});
	group(&graph, 100);
	check(&graph);
	assert_int_equal(graph.groups.count, 100);
	release(&graph);
}

static void test_fan(void **state)
{
	struct graph graph = {0};
	int all[21];

	(void)state;
	add(&graph, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		add(&graph, NULL, (const int[]){0, -1});
		all[i] = i + 1;
	}
	all[20] = -1;
	add(&graph, NULL, all);
	add(&graph, NULL, (const int[]){21, -1});
	add(&graph, NULL, (const int[]){21, -1});
	group(&graph, 100);
	check(&graph);
	/* the first, one that goes on in its lane, the other 19, who needs all, what follows it */
	assert_int_equal(graph.groups.count, 5);
	assert_int_equal(graph.steps[21].task, SLURM_ALONE);
	release(&graph);
}

static void test_resources_and_room(void **state)
{
	struct graph graph = {0};

	(void)state;
	for (int i = 0; i < 9; i++)
		add(&graph, i % 3 == 0 ? "--mem=1G" : "--mem=2G", NULL);
	group(&graph, 4);
	check(&graph);
	assert_int_equal(graph.groups.count, 3); /* 3 of 1G, 4 and 2 of 2G */
	release(&graph);
}

/* Any graph: linear congruence gives the same ones each time. */
static void test_many_graphs(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct graph graph = {0};

		for (int i = 0; i < 60; i++) {
			int needs[4], count = 0;

			for (int k = 0; k < 3 && i > 0; k++) {
				random = random * 1664525u + 1013904223u;
				if (random >> 30 == 0 || k == 0)
					needs[count++] = (int)((random >> 8) % (uint32_t)i);
			}
			needs[count] = -1;
			add(&graph, random >> 31 ? "--mem=1G" : NULL, count > 0 ? needs : NULL);
		}
		group(&graph, (size_t)(round % 7) + 1);
		check(&graph);
		release(&graph);
	}
}

/* --- arguments -----------------------------------------------------------------------------------
 */

static void test_arguments(void **state)
{
	static const struct {
		const char *fields[4];
		int64_t jobs;
		uint64_t memory;
		const char *want;
	} cases[] = {
		{{NULL}, 0, 0, ""},
		{{NULL}, -1, 0, ""},
		{{NULL}, 4, 0, "--cpus-per-task=4"},
		{{NULL}, 4, UINT64_C(2) << 30, "--cpus-per-task=4 --mem=8704M"},
		{{"cores=2", "memory=1G"}, 4, UINT64_C(2) << 30, "--cpus-per-task=2 --mem=1G"},
		{{"gpus=1", "partition=a", "constraint=avx512&x"},
		 0,
		 0,
		 "--partition=a --constraint=avx512&x --gres=gpu:1"},
		{{"partition=a", "partition=b"}, 0, 0, "--partition=a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(strv_release) struct strv fields = STRV_INIT;
		CLEANUP(strv_release) struct strv got = STRV_INIT;
		CLEANUP(free_ptr) char *text = NULL;

		for (size_t k = 0; k < 4 && cases[i].fields[k]; k++)
			strv_add(&fields, cases[i].fields[k]);
		slurm_resources(&fields, cases[i].jobs, cases[i].memory, &got);
		text = strv_join(&got, " ");
		assert_string_equal(text ? text : "", cases[i].want);
	}
}

static void test_tasks(void **state)
{
	static const int tasks[] = {0, 1, 2, 5, 7, 8};
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	slurm_write_tasks(tasks, ARRAY_SIZE(tasks), &text);
	assert_string_equal(buf_text(&text), "0-2,5,7-8");
}

static void test_script(void **state)
{
	CLEANUP(strv_release) struct strv command = STRV_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	static const int tasks[] = {0, 2};
	static const char *const names[] = {"a/it's", "b/x y"};

	(void)state;
	strv_add(&command, "/p q/varve");
	slurm_write_script(&(struct slurm_script){.command = &command,
						  .plan = "/s/plan",
						  .results = "/s/r",
						  .tasks = tasks,
						  .names = names,
						  .count = 2},
			   &text);
	assert_string_equal(buf_text(&text),
			    "#!/bin/sh\nresults='/s/r'\nchoose() {\n"
			    "job=${SLURM_ARRAY_JOB_ID}_$task\ncase $task in\n"
			    "0) step='a/it'\\''s' ;;\n2) step='b/x y' ;;\nesac\n}\n"
			    "make() {\nexec '/p q/varve' --result \"$results/$job\" '/s/plan' "
			    "\"$step\"\n}\ntask=$SLURM_ARRAY_TASK_ID\nchoose\nmake\n");
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void test_jobs(void **state)
{
	static const struct {
		const char *text;
		bool is;
		uint32_t id;
		int task;
	} cases[] = {
		{"12", true, 12, SLURM_ALONE}, {"12_3", true, 12, 3},     {"12_", false, 0, 0},
		{"_3", false, 0, 0},           {"", false, 0, 0},         {"12_3_4", false, 0, 0},
		{"99999999999", false, 0, 0},  {"12.batch", false, 0, 0}, {"-1", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slurm_job job = {0};
		char text[SLURM_JOB_TEXT];

		assert_int_equal(slurm_parse_job(cases[i].text, &job), cases[i].is);
		if (!cases[i].is)
			continue;
		assert_int_equal(job.id, cases[i].id);
		assert_int_equal(job.task, cases[i].task);
		assert_string_equal(slurm_job_text(&job, text), cases[i].text);
	}
}

static void test_submitted(void **state)
{
	uint32_t id = 0;

	(void)state;
	assert_true(slurm_parse_submitted("7\n", &id));
	assert_int_equal(id, 7);
	assert_true(slurm_parse_submitted("8;cluster\n", &id));
	assert_int_equal(id, 8);
	assert_false(slurm_parse_submitted("sbatch: error", &id));
	assert_false(slurm_parse_submitted("", &id));
}

static void test_states(void **state)
{
	static const struct {
		const char *line;
		bool is;
		int task;
		enum slurm_phase phase;
		const char *where;
	} cases[] = {
		{"5|N/A|RUNNING|n1|None\n", true, SLURM_ALONE, SLURM_RUNNING, "n1"},
		{"5|3|PENDING||Dependency", true, 3, SLURM_PENDING, "Dependency"},
		{"5|0|COMPLETED|n2|None", true, 0, SLURM_DONE, "n2"},
		{"5|0|OUT_OF_MEMORY|n2|OutOfMemory", true, 0, SLURM_FAILED, "n2"},
		{"5|0|WHAT_COMES_NEXT|n2|", true, 0, SLURM_FAILED, "n2"},
		{"5|0|COMPLETED|n2", false, 0, SLURM_DONE, ""},
		{"x|0|COMPLETED|n2|", false, 0, SLURM_DONE, ""},
		{"5|0-9|PENDING||", false, 0, SLURM_DONE, ""},
		{"", false, 0, SLURM_DONE, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slurm_state got;

		assert_int_equal(slurm_parse_state(cases[i].line, &got), cases[i].is);
		if (!cases[i].is)
			continue;
		assert_int_equal(got.job.id, 5);
		assert_int_equal(got.job.task, cases[i].task);
		assert_int_equal(got.phase, cases[i].phase);
		assert_string_equal(got.where, cases[i].where);
	}
}

static void test_explanations(void **state)
{
	static const struct {
		const char *line, *said, *error, *hint;
	} cases[] = {
		{"JobId=7 JobState=OUT_OF_MEMORY Reason=OutOfMemory TRES=cpu=1,mem=100M,node=1",
		 NULL, "its job was killed by its memory limit (100M)",
		 "ask for more, or for fewer jobs: slurm: {memory: 200M}"},
		{"JobId=7 JobState=FAILED Reason=X TRES=cpu=1,mem=60M,node=1 MinMemoryNode=60M",
		 "slurmstepd-n1: error: StepId=7.batch exceeded memory limit (209715200 > 62914560)",
		 "its job was killed by its memory limit (60M)",
		 "ask for more, or for fewer jobs: slurm: {memory: 251M}"},
		{"JobState=TIMEOUT Reason=TimeLimit TimeLimit=1-00:30:05", NULL,
		 "its job was killed by its time limit (1-00:30:05)",
		 "ask for more: slurm: {time: \"49:00:10\"}"},
		{"JobState=NODE_FAIL Reason=NodeDown BatchHost=n9", NULL, "its node n9 died",
		 "build again: what is done stays done"},
		{"JobState=CANCELLED Reason=DependencyNeverSatisfied", NULL,
		 "a step that it needs failed", ""},
		{"JobState=CANCELLED Reason=None", NULL, "its job was cancelled", ""},
		{"JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0", NULL,
		 "its job ended as FAILED (exit code 3:0)", ""},
		{"", NULL, "its job ended as unknown (exit code unknown)", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_release) struct buf error = BUF_INIT;
		CLEANUP(buf_release) struct buf hint = BUF_INIT;

		slurm_explain(cases[i].line, cases[i].said, &error, &hint);
		assert_string_equal(buf_text(&error), cases[i].error);
		assert_string_equal(buf_text(&hint), cases[i].hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes),       cmocka_unit_test(test_long_lanes),
		cmocka_unit_test(test_fan),         cmocka_unit_test(test_resources_and_room),
		cmocka_unit_test(test_many_graphs), cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_tasks),       cmocka_unit_test(test_script),
		cmocka_unit_test(test_jobs),        cmocka_unit_test(test_submitted),
		cmocka_unit_test(test_states),      cmocka_unit_test(test_explanations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
