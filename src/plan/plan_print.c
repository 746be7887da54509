/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { KEY_DIGITS = 12, DESCRIPTION_WIDTH = 60 };

static void describe_content(const struct plan *plan, const struct plan_mount *content,
			     struct buf *out)
{
	if (content->content == PLAN_FROM_SOURCE)
		buf_addstr(out, plan->sources.items[content->index].name);
	else
		buf_addf(out, "%s:/%s", plan->stages[content->index].name, content->path);
}

static void describe_install(const struct plan *plan, const struct plan_step *step, struct buf *out)
{
	const struct plan_source *source = &plan->sources.items[step->from.index];
	size_t count = 0, i;

	for (i = 0; source->locked && i < source->locked->count; i++)
		count += plan_step_has(step, &source->locked->artifacts[i]);
	buf_addf(out, "install %s (%zu package%s)", source->name, count, count == 1 ? "" : "s");
	if (step->interpreter)
		buf_addf(out, " into %s", step->to);
}

void plan_describe(const struct plan *plan, const struct plan_step *step, struct buf *out)
{
	switch (step->action) {
	case ACTION_INSTALL:
		describe_install(plan, step, out);
		break;
	case ACTION_COPY:
		buf_addstr(out, "copy ");
		describe_content(plan, &step->from, out);
		buf_addf(out, " to %s", step->to);
		break;
	case ACTION_RUN:
	default:
		buf_addstr(out, step->network ? "run, host network" : "run");
	}
	if (plan_is_split(step))
		buf_addstr(out, ", split");
}

/* --- columns --- */
struct widths {
	size_t name, description;
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static struct widths measure(const struct plan *plan)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct widths widths = {0, 0};
	size_t i;

	for (i = 0; i < plan->step_count; i++) {
		CLEANUP(free_ptr) char *name = plan_step_name(plan, (int)i);

		buf_reset(&text);
		plan_describe(plan, &plan->steps[i], &text);
		widths.name = larger(widths.name, strlen(name));
		if (text.len <= DESCRIPTION_WIDTH)
			widths.description = larger(widths.description, text.len);
	}
	for (i = 0; i < plan->image_count; i++) {
		widths.name = larger(widths.name, strlen(plan->images[i].name_in_recipe));
		if (strlen(plan->images[i].name) <= DESCRIPTION_WIDTH)
			widths.description =
				larger(widths.description, strlen(plan->images[i].name));
	}
	return widths;
}

static void add_line(struct buf *out, const struct buf *line)
{
	size_t len = line->len;

	while (len > 0 && line->data[len - 1] == ' ')
		len--;
	buf_add(out, line->data, len);
	buf_addc(out, '\n');
}

static void add_size(struct buf *out, uint64_t size)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	uint64_t tenths = size / 100;
	size_t unit = 0;

	if (size < 1000) {
		buf_addf(out, "%" PRIu64 " B", size);
		return;
	}
	for (; tenths >= 10000 && unit + 1 < ARRAY_SIZE(units); unit++)
		tenths /= 1000;
	buf_addf(out, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
}

static void add_verdict(const struct plan *plan, const struct plan_status *status, struct buf *out)
{
	char hex[VARVE_DIGEST_HEX];

	switch (status->verdict) {
	case PLAN_HIT:
		buf_addf(out, "sha256:%.*s..  ", KEY_DIGITS, varve_digest_hex(&status->key, hex));
		if (status->size == 0)
			buf_addstr(out, "no change");
		else
			add_size(out, status->size);
		break;
	case PLAN_MISS:
		buf_addstr(out, status->why);
		break;
	case PLAN_DEPENDS:
	default:
		if (status->depends_on != PLAN_NONE) {
			CLEANUP(free_ptr) char *name = plan_step_name(plan, status->depends_on);

			buf_addf(out, "depends on %s", name);
		}
	}
}

static const char *verdict_word(const struct plan_status *status)
{
	static const char *const words[] = {
		[PLAN_HIT] = "hit", [PLAN_MISS] = "miss", [PLAN_DEPENDS] = "?"};

	return words[status->verdict];
}

static void print_step(const struct plan *plan, size_t i, const struct plan_status *status,
		       struct widths widths, struct buf *out)
{
	CLEANUP(free_ptr) char *name = plan_step_name(plan, (int)i);
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	plan_describe(plan, &plan->steps[i], &text);
	buf_addf(&line, "  %-5s %-*s  %-*s  ", status ? verdict_word(&status[i]) : "step",
		 (int)widths.name, name, (int)widths.description, buf_text(&text));
	if (status)
		add_verdict(plan, &status[i], &line);
	add_line(out, &line);
}

static void print_image(const struct plan *plan, size_t i, struct widths widths, struct buf *out)
{
	const struct plan_image *image = &plan->images[i];
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	buf_addf(&line, "  %-5s %-*s  %-*s  stage %s", "image", (int)widths.name,
		 image->name_in_recipe, (int)widths.description, image->name,
		 plan->stages[image->stage].name);
	add_line(out, &line);
}

static void print_count(struct buf *out, size_t count, const char *noun)
{
	buf_addf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void print_summary(const struct plan *plan, const struct plan_status *status,
			  struct buf *out)
{
	size_t verdicts[3] = {0}, open = 0, i;

	for (i = 0; i < plan->step_count; i++) {
		open += plan->steps[i].network;
		if (status)
			verdicts[status[i].verdict]++;
	}
	print_count(out, plan->step_count, "step");
	if (status)
		buf_addf(out, ": %zu hit, %zu miss, %zu open;", verdicts[PLAN_HIT],
			 verdicts[PLAN_MISS], verdicts[PLAN_DEPENDS]);
	else
		buf_addc(out, ',');
	buf_addc(out, ' ');
	print_count(out, plan->sources.count, "source");
	buf_addstr(out, ", ");
	print_count(out, plan->image_count, "image");
	if (open > 0)
		buf_addstr(out, "; not hermetic");
	buf_addc(out, '\n');
}

void plan_print_text(const struct plan *plan, const struct plan_status *status, struct buf *out)
{
	struct widths widths = measure(plan);
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		print_step(plan, i, status, widths, out);
	for (i = 0; i < plan->image_count; i++)
		print_image(plan, i, widths, out);
	print_summary(plan, status, out);
}
