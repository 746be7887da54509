/* SPDX-License-Identifier: Apache-2.0
 * Runs case files: text in, text out. A case is comment lines and sections, each behind a marker
 *line:
 *
 *	--- arguments	a line each: NAME=VALUE, image NAME, registry HOST, epoch N, platform P,
 *locked
 *	--- recipe	the recipe, called recipe.yaml
 *	--- lock	lock entries; what is missing is invented, unless "locked" is an argument
 * and what is expected:
 *	--- error	the error; then nothing else is
 *	--- plan	plan_print_text		--- dot		plan_print_dot
 *	--- sources	name and spec of each	--- images	name, config and checks of each
 *	--- input STEP	the key's input		--- unkeyed STEP	environment without key
 *
 * "plan_case --update FILE..." rewrites the expected sections; read the difference before you
 *commit. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/plan_fixture.h"

struct section {
	char *title;
	struct buf text;
};

struct test_case {
	struct buf comment;
	struct section *sections;
	size_t count, alloc;
};

static void case_release(struct test_case *t)
{
	size_t i;

	buf_release(&t->comment);
	for (i = 0; i < t->count; i++) {
		free(t->sections[i].title);
		buf_release(&t->sections[i].text);
	}
	free(t->sections);
}

static void case_line(struct test_case *t, const char *line, size_t len)
{
	if (len > 4 && strncmp(line, "--- ", 4) == 0) {
		t->sections = array_grow(t->sections, t->count, &t->alloc, sizeof(*t->sections));
		t->sections[t->count++].title = xstrndup(line + 4, len - 4);
		return;
	}
	buf_add(t->count ? &t->sections[t->count - 1].text : &t->comment, line, len);
	buf_addc(t->count ? &t->sections[t->count - 1].text : &t->comment, '\n');
}

static int case_read(const char *path, struct test_case *t)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (!file)
		return -1;
	while ((len = getline(&line, &room, file)) >= 0)
		case_line(t, line, (size_t)len - (len > 0 && line[len - 1] == '\n'));
	free(line);
	fclose(file);
	return 0;
}

static const char *section_text(const struct test_case *t, const char *title)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (str_equal(t->sections[i].title, title))
			return buf_text(&t->sections[i].text);
	return NULL;
}

/* --- arguments --- */
struct arguments {
	struct strv settings, images;
	char *registry, *platform;
	int64_t epoch;
	bool locked;
};

static void arguments_release(struct arguments *a)
{
	strv_release(&a->settings);
	strv_release(&a->images);
	free(a->registry);
	free(a->platform);
}

static void argument_read(struct arguments *a, const char *line)
{
	if (str_starts(line, "image "))
		strv_add(&a->images, line + strlen("image "));
	else if (str_starts(line, "registry "))
		a->registry = xstrdup(line + strlen("registry "));
	else if (str_starts(line, "platform "))
		a->platform = xstrdup(line + strlen("platform "));
	else if (str_starts(line, "epoch "))
		a->epoch = strtoll(line + strlen("epoch "), NULL, 10);
	else if (str_equal(line, "locked"))
		a->locked = true;
	else
		strv_add(&a->settings, line);
}

static void arguments_read(const char *text, struct arguments *a)
{
	a->epoch = -1;
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		CLEANUP(free_ptr) char *line = xstrndup(text, len);

		if (len > 0)
			argument_read(a, line);
		text += len + (text[len] == '\n');
	}
}

/* --- what sections hold --- */
static void add_json(struct buf *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	buf_addf(out, "%s\n", text);
	free(text);
}

static void show_sources(const struct plan *plan, struct buf *out)
{
	size_t i;

	for (i = 0; i < plan->sources.count; i++) {
		buf_addf(out, "%s ", plan->sources.items[i].name);
		json_canonical(plan->sources.items[i].spec, out);
		buf_addc(out, '\n');
	}
}

static void show_images(const struct plan *plan, struct buf *out)
{
	size_t i;

	for (i = 0; i < plan->image_count; i++) {
		const struct plan_image *image = &plan->images[i];

		buf_addf(out, "%s = %s, epoch %" PRId64 "\n", image->name_in_recipe, image->name,
			 image->epoch);
		add_json(out, image->config);
		if (json_array_size(image->checks) > 0)
			add_json(out, image->checks);
	}
}

static void show_input(const struct plan *plan, const char *step, struct buf *out)
{
	struct plan_known *known = fixture_known(plan);
	CLEANUP(json_decrefp) json_t *input = NULL;
	struct varve_error err = {0};
	int unknown, index = plan_find_step(plan, step, &err);

	if (index < 0)
		buf_addf(out, "%s\n", err.text);
	else if (plan_input(plan, index, known, &input, &unknown) == 0)
		add_json(out, input);
	fixture_forget(known, plan->step_count);
}

static void show_unkeyed(const struct plan *plan, const char *step, struct buf *out)
{
	struct varve_error err = {0};
	int index = plan_find_step(plan, step, &err);
	size_t i;

	if (index < 0)
		buf_addf(out, "%s\n", err.text);
	for (i = 0; index >= 0 && i < plan->steps[index].unkeyed_environment.count; i++)
		buf_addf(out, "%s\n", plan->steps[index].unkeyed_environment.items[i]);
}

static void show(const struct plan *plan, const char *title, struct buf *out)
{
	if (str_equal(title, "plan"))
		plan_print_text(plan, NULL, out);
	else if (str_equal(title, "dot"))
		plan_print_dot(plan, NULL, out);
	else if (str_equal(title, "sources"))
		show_sources(plan, out);
	else if (str_equal(title, "images"))
		show_images(plan, out);
	else if (str_starts(title, "input "))
		show_input(plan, title + strlen("input "), out);
	else if (str_starts(title, "unkeyed "))
		show_unkeyed(plan, title + strlen("unkeyed "), out);
	else
		buf_addf(out, "unknown section \"%s\"\n", title);
}

static bool is_given(const char *title)
{
	return str_equal(title, "arguments") || str_equal(title, "recipe") ||
	       str_equal(title, "lock");
}

/* --- running --- */
static int compile(struct plan_fixture *f, const struct test_case *t, struct varve_error *err)
{
	CLEANUP(arguments_release) struct arguments arguments = {0};
	struct plan_options options = {0};
	const char *lock = section_text(t, "lock");
	const char *recipe = section_text(t, "recipe");
	int r = 0;

	arguments_read(section_text(t, "arguments"), &arguments);
	options.platform = arguments.platform ? arguments.platform : "linux/amd64";
	options.images = &arguments.images;
	options.epoch = arguments.epoch;
	options.registry = arguments.registry;
	if (lock)
		r = lock_parse(lock, strlen(lock), "recipe.lock.json", &f->lock, err);
	if (r == 0)
		r = fixture_compile(f, recipe ? recipe : "", &arguments.settings, &options,
				    !arguments.locked, err);
	return r;
}

static void print_quoted(const char *what, const char *text)
{
	printf("# %s:\n", what);
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("#   %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static bool check_section(struct section *section, struct buf *actual, bool update)
{
	if (str_equal(buf_text(&section->text), buf_text(actual)))
		return true;
	if (update) {
		buf_reset(&section->text);
		buf_addstr(&section->text, buf_text(actual));
		return true;
	}
	print_quoted("section", section->title);
	print_quoted("expected", buf_text(&section->text));
	print_quoted("got", buf_text(actual));
	return false;
}

static bool check_sections(struct test_case *t, const struct plan *plan,
			   const struct varve_error *err, bool update)
{
	bool good = true, seen = false;
	size_t i;

	for (i = 0; i < t->count; i++) {
		CLEANUP(buf_release) struct buf actual = BUF_INIT;

		if (is_given(t->sections[i].title))
			continue;
		seen = true;
		if (plan && !str_equal(t->sections[i].title, "error"))
			show(plan, t->sections[i].title, &actual);
		else if (plan)
			buf_addstr(&actual, "no error\n");
		else
			buf_addf(&actual, "%s\n", err->text);
		good = check_section(&t->sections[i], &actual, update) && good;
	}
	if (!seen)
		printf("# nothing is expected\n");
	return good && seen;
}

static void case_write(const char *path, const struct test_case *t)
{
	FILE *file = fopen(path, "we");
	size_t i;

	if (!file)
		return;
	fputs(buf_text(&t->comment), file);
	for (i = 0; i < t->count; i++)
		fprintf(file, "--- %s\n%s", t->sections[i].title, buf_text(&t->sections[i].text));
	fclose(file);
}

static bool run_case(const char *path, bool update)
{
	CLEANUP(case_release) struct test_case t = {0};
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	struct varve_error err = {0};
	bool good;

	if (case_read(path, &t) < 0) {
		printf("# cannot be read\n");
		return false;
	}
	if (compile(&f, &t, &err) < 0)
		plan_freep(&f.plan);
	good = check_sections(&t, f.plan, &err, update);
	if (update)
		case_write(path, &t);
	return good;
}

int main(int argc, char **argv)
{
	bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
	int first = update ? 2 : 1, failed = 0, i;

	printf("1..%d\n", argc - first);
	for (i = first; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		bool good = run_case(argv[i], update);

		printf("%sok %d - %s\n", good ? "" : "not ", i - first + 1,
		       slash ? slash + 1 : argv[i]);
		failed += !good;
	}
	return failed > 0;
}
