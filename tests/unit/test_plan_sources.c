/* SPDX-License-Identifier: Apache-2.0
 * Which sources a plan needs, in which order, and what it takes from the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plan_fixture.h"

static const char recipe[] =
	"varve: 1\n"
	"name: t\n"
	"options:\n"
	"  extra: {type: boolean, default: \"false\", help: h}\n"
	"sources:\n"
	"  more: {kind: debian, suite: bookworm, packages: [gdb]}\n"
	"  tools: {kind: debian, suite: bookworm, packages: [gcc]}\n"
	"  system: {kind: debian, suite: bookworm, packages: [bash]}\n"
	"  src: {kind: local, path: src}\n"
	"  app: {kind: url, href: \"https://files.example.org/app\"}\n"
	"  addon: {kind: url, href: \"https://files.example.org/addon\", if: \"${extra}\"}\n"
	"stages:\n"
	"  base:\n"
	"    steps:\n"
	"      - {step: system, install: system}\n"
	"  dev:\n"
	"    from: base\n"
	"    steps:\n"
	"      - {step: tools, install: tools}\n"
	"      - {step: more, install: more}\n"
	"      - {step: compile, mounts: {/src: src}, run: make}\n"
	"      - {step: addon, copy: addon, to: /addon, if: \"${extra}\"}\n"
	"  small:\n"
	"    steps:\n"
	"      - {step: tools, install: tools}\n"
	"images:\n"
	"  dev: {stage: dev, name: \"t:${app.version}\"}\n"
	"  small: {stage: small, name: \"t:small\"}\n";

struct setup {
	struct plan_fixture f;
	struct strv settings, images;
	struct plan_options options;
};

static void setup_init(struct setup *s, const char *setting, const char *image)
{
	struct varve_error err = {0};

	*s = (struct setup){.options = {.platform = "linux/amd64", .epoch = -1}};
	if (setting)
		strv_add(&s->settings, setting);
	if (image)
		strv_add(&s->images, image);
	s->options.images = &s->images;
	if (fixture_parse(&s->f, recipe, &s->settings, &err) < 0)
		fail_msg("%s", err.text);
}

static void setup_release(struct setup *s)
{
	plan_fixture_release(&s->f);
	strv_release(&s->settings);
	strv_release(&s->images);
}

static char *names_of(const struct plan_sources *sources)
{
	struct strv names = STRV_INIT;
	char *text;
	size_t i;

	for (i = 0; i < sources->count; i++)
		strv_add(&names, sources->items[i].name);
	text = strv_join(&names, " ");
	strv_release(&names);
	return text;
}

static void test_which(void **state)
{
	static const struct {
		const char *setting, *image, *want;
	} rows[] = {
		{NULL, NULL, "system tools more src app tools"},
		{"extra=true", NULL, "system tools more src addon app tools"},
		{NULL, "small", "tools"},
		{NULL, "dev", "system tools more src app"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(setup_release) struct setup s;
		CLEANUP(plan_sources_release) struct plan_sources sources = {0};
		CLEANUP(free_ptr) char *names = NULL;
		struct varve_error err = {0};

		setup_init(&s, rows[i].setting, rows[i].image);
		if (plan_collect_sources(s.f.recipe, s.f.scope, &s.options, &sources, &err) < 0)
			fail_msg("%s", err.text);
		names = names_of(&sources);
		assert_string_equal(names, rows[i].want);
	}
}

static bool comes_before(const struct plan_sources *sources, size_t end, const json_t *installed)
{
	const char *spec = json_optional_string(installed, "spec", "");
	char text[VARVE_DIGEST_TEXT];
	size_t i;

	for (i = 0; i < end; i++)
		if (str_equal(varve_digest_text(&sources->items[i].digest, text), spec))
			return true;
	return false;
}

/* Each can be resolved when its turn comes: what is installed below it comes first. */
static void test_order(void **state)
{
	CLEANUP(setup_release) struct setup s;
	CLEANUP(plan_sources_release) struct plan_sources sources = {0};
	struct varve_error err = {0};
	size_t i, n, seen = 0;

	(void)state;
	setup_init(&s, NULL, NULL);
	assert_int_equal(plan_collect_sources(s.f.recipe, s.f.scope, &s.options, &sources, &err),
			 0);
	for (i = 0; i < sources.count; i++) {
		const json_t *installed = json_object_get(sources.items[i].spec, "installed");

		for (n = 0; n < json_array_size(installed); n++, seen++)
			assert_true(comes_before(&sources, i, json_array_get(installed, n)));
	}
	assert_int_equal(seen, 3);
}

static void test_specs_of_one_source(void **state)
{
	CLEANUP(setup_release) struct setup s;
	CLEANUP(plan_sources_release) struct plan_sources sources = {0};
	struct varve_error err = {0};

	(void)state;
	setup_init(&s, NULL, NULL);
	assert_int_equal(plan_collect_sources(s.f.recipe, s.f.scope, &s.options, &sources, &err),
			 0);
	assert_string_equal(sources.items[1].name, sources.items[5].name);
	assert_false(varve_digest_equal(&sources.items[1].digest, &sources.items[5].digest));
	assert_true(json_is_false(json_object_get(sources.items[1].spec, "bootstrap")));
	assert_true(json_is_true(json_object_get(sources.items[5].spec, "bootstrap")));
}

static int compile(struct setup *s, struct varve_error *err)
{
	plan_freep(&s->f.plan);
	s->options.local_digest = fixture_local;
	s->options.cookie = &s->f;
	return plan_compile(s->f.recipe, s->f.scope, &s->f.lock, &s->options, &s->f.plan, err);
}

static void invent_lock(struct setup *s)
{
	CLEANUP(plan_sources_release) struct plan_sources sources = {0};
	struct varve_error err = {0};

	assert_int_equal(plan_collect_sources(s->f.recipe, s->f.scope, &s->options, &sources, &err),
			 0);
	fixture_lock(&sources, &s->f.lock);
}

static void test_lock_is_needed(void **state)
{
	CLEANUP(setup_release) struct setup s;
	struct varve_error err = {0};

	(void)state;
	setup_init(&s, NULL, "small");
	assert_int_equal(compile(&s, &err), -VARVE_E_LOCK);
	assert_non_null(strstr(err.text, "\"tools\""));
	invent_lock(&s);
	assert_int_equal(compile(&s, &err), 0);
	assert_int_equal(s.f.plan->sources.items[0].date, FIXTURE_DATE);
	assert_ptr_equal(s.f.plan->sources.items[0].locked, &s.f.lock.sources[0]);
}

/* The digest of the lock is about this plan's sources: others may come and go. */
static void test_lock_digest(void **state)
{
	CLEANUP(setup_release) struct setup small, all;
	struct varve_digest before;
	struct varve_error err = {0};

	(void)state;
	setup_init(&small, NULL, "small");
	invent_lock(&small);
	assert_int_equal(compile(&small, &err), 0);
	before = small.f.plan->lock_digest;
	assert_false(varve_digest_is_none(&before));

	setup_init(&all, NULL, NULL);
	invent_lock(&all);
	assert_int_equal(compile(&all, &err), 0);
	assert_false(varve_digest_equal(&all.f.plan->lock_digest, &before));
	strv_add(&all.images, "small");
	assert_int_equal(compile(&all, &err), 0);
	assert_true(varve_digest_equal(&all.f.plan->lock_digest, &before));

	small.f.lock.sources[0].artifacts[0].sha256.bytes[0] ^= 1;
	assert_int_equal(compile(&small, &err), 0);
	assert_false(varve_digest_equal(&small.f.plan->lock_digest, &before));
}

static int refuse(void *cookie, const struct plan_source *source, struct varve_digest *ret,
		  struct varve_error *err)
{
	(void)cookie;
	(void)ret;
	return varve_error_set(err, -VARVE_E_RECIPE, "no directory \"%s\"", source->name);
}

static void test_local_digest_fails(void **state)
{
	CLEANUP(setup_release) struct setup s;
	struct varve_error err = {0};

	(void)state;
	setup_init(&s, NULL, "dev");
	invent_lock(&s);
	s.options.local_digest = refuse;
	assert_int_equal(
		plan_compile(s.f.recipe, s.f.scope, &s.f.lock, &s.options, &s.f.plan, &err),
		-VARVE_E_RECIPE);
	assert_string_equal(err.text, "no directory \"src\"");
	assert_null(s.f.plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_specs_of_one_source),
		cmocka_unit_test(test_lock_is_needed),
		cmocka_unit_test(test_lock_digest),
		cmocka_unit_test(test_local_digest_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
