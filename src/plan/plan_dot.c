/* SPDX-License-Identifier: Apache-2.0
 * The plan for graphviz: steps, what they wait for, sources, images. */
#include "plan/plan_compile.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void add_quoted(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static const char *colour(const struct plan_status *status)
{
	static const char *const colours[] = {[PLAN_HIT] = "palegreen",
					      [PLAN_MISS] = "lightsalmon",
					      [PLAN_DEPENDS] = "lightgoldenrod"};

	return colours[status->verdict];
}

static void print_node(const struct plan *plan, size_t i, const struct plan_status *status,
		       struct buf *out)
{
	CLEANUP(free_ptr) char *name = plan_step_name(plan, (int)i);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	buf_addf(&text, "%s: ", name);
	plan_describe(plan, &plan->steps[i], &text);
	buf_addf(out, "\tstep%zu [label=", i);
	add_quoted(out, buf_text(&text));
	if (status)
		buf_addf(out, ", style=filled, fillcolor=%s", colour(&status[i]));
	buf_addstr(out, "];\n");
}

static void print_content(const struct plan_mount *content, size_t step, struct buf *out)
{
	if (content->content == PLAN_FROM_SOURCE)
		buf_addf(out, "\tsource%d -> step%zu;\n", content->index, step);
}

static void print_edges(const struct plan *plan, size_t i, struct buf *out)
{
	CLEANUP(free_ptr) int *needs = xcalloc(plan_needs_room(plan, (int)i), sizeof(*needs));
	size_t count = plan_needs(plan, (int)i, needs, plan->step_count), n;
	const struct plan_step *step = &plan->steps[i];

	for (n = 0; n < count; n++)
		buf_addf(out, "\tstep%d -> step%zu%s;\n", needs[n], i,
			 needs[n] == step->below ? "" : " [style=dashed]");
	if (plan_is_image(step->below))
		buf_addf(out, "\tsource%d -> step%zu;\n", plan_image_source(step->below), i);
	if (step->action != ACTION_RUN)
		print_content(&step->from, i, out);
	for (n = 0; n < step->mount_count; n++)
		print_content(&step->mounts[n], i, out);
}

static void print_image(const struct plan *plan, size_t i, struct buf *out)
{
	const struct plan_image *image = &plan->images[i];
	int top = plan->stages[image->stage].top;

	buf_addf(out, "\timage%zu [shape=box3d, label=", i);
	add_quoted(out, image->name);
	buf_addf(out, "];\n\t%s%d -> image%zu;\n", plan_is_image(top) ? "source" : "step",
		 plan_is_image(top) ? plan_image_source(top) : top, i);
}

void plan_print_dot(const struct plan *plan, const struct plan_status *status, struct buf *out)
{
	size_t i;

	buf_addstr(out, "digraph ");
	add_quoted(out, plan->recipe_name);
	buf_addstr(out, " {\n\tnode [shape=box];\n");
	for (i = 0; i < plan->sources.count; i++) {
		buf_addf(out, "\tsource%zu [shape=ellipse, label=", i);
		add_quoted(out, plan->sources.items[i].name);
		buf_addstr(out, "];\n");
	}
	for (i = 0; i < plan->step_count; i++)
		print_node(plan, i, status, out);
	for (i = 0; i < plan->step_count; i++)
		print_edges(plan, i, out);
	for (i = 0; i < plan->image_count; i++)
		print_image(plan, i, out);
	buf_addstr(out, "}\n");
}
