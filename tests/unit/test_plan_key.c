/* SPDX-License-Identifier: Apache-2.0
 * Every field of a recipe that can change a result changes the key, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan_fixture.h"

static const char recipe[] =
	"varve: 1\n"
	"name: t\n"
	"options:\n"
	"  flag: {default: \"1\", help: h}\n"
	"  jobs: {type: integer, default: 3, keyed: false, help: h}\n"
	"sources:\n"
	"  system: {kind: debian, suite: bookworm, packages: [bash, gcc]}\n"
	"  src: {kind: local, path: src}\n"
	"  file: {kind: url, href: \"https://files.example.org/f.tar\", unpack: true, strip: 1}\n"
	"stages:\n"
	"  tools:\n"
	"    steps:\n"
	"      - {step: make, run: make tools}\n"
	"  app:\n"
	"    environment: {STAGE: s}\n"
	"    steps:\n"
	"      - {step: system, install: system, environment: {DEBUG: d}, scrub: [a.log]}\n"
	"      - step: run\n"
	"        run: make ${flag}\n"
	"        shell: [/bin/bash, -c]\n"
	"        environment: {CFLAGS: -O2}\n"
	"        unkeyed-environment: {NINJAFLAGS: \"-j${jobs}\"}\n"
	"        workdir: /build\n"
	"        user: \"1:1\"\n"
	"        mounts: {/tools: \"tools:/bin\", /src: src, /file: file}\n"
	"        caches: {/cache: ccache}\n"
	"        secrets: [token]\n"
	"        network: none\n"
	"        jobs: \"${jobs}\"\n"
	"        ownership: [{path: /srv, uid: 1, gid: 2, mode: \"0755\"}]\n"
	"        scrub: [b.log]\n"
	"      - step: code\n"
	"        copy: src\n"
	"        to: /opt/app\n"
	"        exclude: [\"*.o\"]\n"
	"        ownership: [{path: /opt/app, uid: 5}]\n"
	"        scrub: [c.log]\n"
	"      - {step: bin, copy: \"tools:/bin\", to: /opt/bin}\n"
	"      - {step: unpacked, copy: file, to: /opt/file}\n"
	"images:\n"
	"  app: {stage: app, name: \"t:1\"}\n";

/* What surrounds the recipe. */
struct surroundings {
	const char *platform;
	int64_t epoch;
	const char *salt;
	void (*edit_lock)(struct lock *lock);
	void (*edit_known)(const struct plan *plan, struct plan_known *known);
};

static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void compile(struct plan_fixture *f, const char *text, const struct surroundings *around)
{
	struct strv settings = STRV_INIT;
	struct plan_options options = {.platform =
					       around->platform ? around->platform : "linux/amd64",
				       .epoch = around->epoch ? around->epoch : -1};
	struct varve_error err = {0};
	int r;

	f->salt = around->salt;
	r = fixture_compile(f, text, &settings, &options, true, &err);
	if (r == 0 && around->edit_lock) {
		around->edit_lock(&f->lock);
		plan_freep(&f->plan);
		r = plan_compile(f->recipe, f->scope, &f->lock, &options, &f->plan, &err);
	}
	if (r < 0)
		fail_msg("%s", err.text);
}

static void key_of(const char *text, const char *step, const struct surroundings *around,
		   struct varve_digest *ret)
{
	CLEANUP(plan_fixture_release) struct plan_fixture f = {0};
	CLEANUP(json_decrefp) json_t *input = NULL;
	struct plan_known *known;
	struct varve_error err = {0};
	int unknown, index;

	compile(&f, text, around);
	known = fixture_known(f.plan);
	if (around->edit_known)
		around->edit_known(f.plan, known);
	index = plan_find_step(f.plan, step, &err);
	assert_true(index >= 0);
	assert_int_equal(plan_input(f.plan, index, known, &input, &unknown), 0);
	json_digest(input, ret);
	fixture_forget(known, f.plan->step_count);
}

static bool changes(const char *text, const char *step, const struct surroundings *around)
{
	static const struct surroundings usual = {0};
	struct varve_digest before, after;

	key_of(recipe, step, &usual, &before);
	key_of(text, step, around, &after);
	return !varve_digest_equal(&before, &after);
}

/* --- the recipe --- */
struct mutation {
	const char *step, *from, *to;
};

static const struct mutation changing[] = {
	{"system", "packages: [bash, gcc]", "packages: [bash, gdb]"},
	{"system", "{DEBUG: d}", "{DEBUG: e}"},
	{"system", "{STAGE: s}", "{STAGE: t}"},
	{"system", "scrub: [a.log]", "scrub: [z.log]"},
	{"system", "scrub: [a.log]", "scrub: [a.log], ownership: [{path: /x, uid: 1}]"},
	{"run", "run: make ${flag}", "run: make ${flag} all"},
	{"run", "run: make ${flag}", "run: make -- ${flag}"},
	{"run", "default: \"1\"", "default: \"2\""},
	{"run", "shell: [/bin/bash, -c]", "shell: [/bin/bash, -ec]"},
	{"run", "CFLAGS: -O2", "CFLAGS: -O3"},
	{"run", "CFLAGS: -O2", "CXXFLAGS: -O2"},
	{"run", "{STAGE: s}", "{STAGE: t}"},
	{"run", "workdir: /build", "workdir: /build/x"},
	{"run", "user: \"1:1\"", "user: \"1:2\""},
	{"run", "/tools: \"tools:/bin\"", "/tool: \"tools:/bin\""},
	{"run", "/tools: \"tools:/bin\"", "/tools: \"tools:/lib\""},
	{"run", "/src: src", "/source: src"},
	{"run", "/src: src,", "/src: file,"},
	{"run", "path: src", "path: source"},
	{"run", "unpack: true, strip: 1", "unpack: true"},
	{"run", "unpack: true, strip: 1", "filename: g.tar"},
	{"run", "{/cache: ccache}", "{/cache2: ccache}"},
	{"run", "{/cache: ccache}", "{/cache: other}"},
	{"run", "secrets: [token]", "secrets: [key]"},
	{"run", "network: none", "network: host"},
	{"run", "path: /srv", "path: /srv2"},
	{"run", "uid: 1,", "uid: 2,"},
	{"run", "gid: 2,", "gid: 3,"},
	{"run", "mode: \"0755\"", "mode: \"0750\""},
	{"run", "ownership: [{path: /srv, uid: 1, gid: 2, mode: \"0755\"}]", "ownership: strict"},
	{"run", "scrub: [b.log]", "scrub: [b.log, ninja]"},
	{"code", "copy: src", "copy: file"},
	{"code", "path: src", "path: source"},
	{"code", "to: /opt/app\n", "to: /opt/App\n"},
	{"code", "to: /opt/app\n", "to: /opt/app/\n"},
	{"code", "exclude: [\"*.o\"]", "exclude: [\"*.a\"]"},
	{"code", "uid: 5", "uid: 6"},
	{"code", "scrub: [c.log]", "scrub: [d.log]"},
	{"bin", "copy: \"tools:/bin\"", "copy: \"tools:/lib\""},
	{"unpacked", "unpack: true, strip: 1", "unpack: true, strip: 2"},
	{"unpacked", "unpack: true, strip: 1", "filename: f.tar"},
};

static void test_what_changes_a_key(void **state)
{
	static const struct surroundings usual = {0};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(changing); i++) {
		const struct mutation *m = &changing[i];
		CLEANUP(free_ptr) char *text = replaced(recipe, m->from, m->to);

		if (!changes(text, m->step, &usual))
			fail_msg("%s: \"%s\" -> \"%s\" leaves the key as it was", m->step, m->from,
				 m->to);
	}
}

static const struct mutation keeping[] = {
	{"run", "name: t", "name: u"},
	{"run", "NINJAFLAGS: \"-j${jobs}\"", "NINJAFLAGS: \"-v -j${jobs}\""},
	{"run", "type: integer, default: 3", "type: integer, default: 9"},
	{"run", "jobs: \"${jobs}\"\n", "jobs: 1\n"},
	{"run", "{/tools: \"tools:/bin\", /src: src,", "{/src: src, /tools: \"tools:/bin/\","},
	{"run", "workdir: /build", "workdir: /build/"},
	{"run", "step: system", "step: renamed"},
	{"run", "name: \"t:1\"", "name: \"t:2\", config: {user: nobody}"},
	{"run", "https://files.example.org/f.tar", "https://other.example.org/f.tar"},
	{"run", "scrub: [b.log]", "scrub: [/b.log, b.log]"},
	{"system", "packages: [bash, gcc]", "packages: [gcc, bash, bash]"},
	{"code", "{STAGE: s}", "{STAGE: t}"},
	{"code", "packages: [bash, gcc]", "packages: [bash]"},
	{"code", "run: make ${flag}", "run: make all ${flag}"},
};

/* Names of steps are in the invented diff ids, so those that are renamed lie apart. */
static void by_index(const struct plan *plan, struct plan_known *known)
{
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		memset(&known[i].layers.items[0].diff_id, (int)i + 1,
		       sizeof(known[i].layers.items[0].diff_id));
}

static void test_what_keeps_a_key(void **state)
{
	static const struct surroundings around = {.edit_known = by_index};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keeping); i++) {
		const struct mutation *m = &keeping[i];
		CLEANUP(free_ptr) char *text = replaced(recipe, m->from, m->to);
		struct varve_digest before, after;

		key_of(recipe, m->step, &around, &before);
		key_of(text, m->step, &around, &after);
		if (!varve_digest_equal(&before, &after))
			fail_msg("%s: \"%s\" -> \"%s\" changes the key", m->step, m->from, m->to);
	}
}

/* --- the surroundings --- */
static struct lock_source *locked(struct lock *lock, const char *name)
{
	size_t i;

	for (i = 0; i < lock->count; i++)
		if (str_equal(lock->sources[i].name, name))
			return &lock->sources[i];
	fail_msg("%s is not locked", name);
	return NULL;
}

static void edit_sha256(struct lock *lock)
{
	locked(lock, "system")->artifacts[0].sha256.bytes[0] ^= 1;
}

static void edit_version(struct lock *lock)
{
	struct lock_artifact *artifact = &locked(lock, "system")->artifacts[0];

	free(artifact->version);
	artifact->version = xstrdup("1.1");
}

static void edit_order(struct lock *lock)
{
	struct lock_source *source = locked(lock, "system");
	struct lock_artifact first = source->artifacts[0];

	source->artifacts[0] = source->artifacts[1];
	source->artifacts[1] = first;
}

static void edit_extra(struct lock *lock)
{
	struct lock_artifact *artifact = &locked(lock, "system")->artifacts[0];

	artifact->extra = json_object();
	json_set(artifact->extra, "essential", json_true());
}

static void edit_date(struct lock *lock)
{
	locked(lock, "system")->artifacts[0].date = FIXTURE_DATE + 1;
}

static void edit_place(struct lock *lock)
{
	struct lock_artifact *artifact = &locked(lock, "system")->artifacts[0];

	free(artifact->from);
	artifact->from = xstrdup("debian:elsewhere");
	artifact->date = FIXTURE_DATE - 1;
}

static void edit_url(struct lock *lock)
{
	locked(lock, "file")->artifacts[0].sha256.bytes[0] ^= 1;
}

static void set_layer(const struct plan *plan, struct plan_known *known, const char *step,
		      bool empty)
{
	int index = plan_find_step(plan, step, NULL);

	assert_true(index >= 0);
	known[index].layers.items[0].diff_id.bytes[0] ^= 1;
	if (empty)
		layer_list_release(&known[index].layers);
}

static void edit_base(const struct plan *plan, struct plan_known *known)
{
	set_layer(plan, known, "system", false);
}

static void edit_tools(const struct plan *plan, struct plan_known *known)
{
	set_layer(plan, known, "make", false);
}

static void empty_base(const struct plan *plan, struct plan_known *known)
{
	set_layer(plan, known, "system", true);
}

static void edit_destination(const struct plan *plan, struct plan_known *known)
{
	int index = plan_find_step(plan, "code", NULL);

	free(known[index].destination);
	known[index].destination = xstrdup("srv/app");
}

static const struct {
	const char *what, *step;
	bool changes;
	struct surroundings around;
} surroundings[] = {
	{"platform", "run", true, {.platform = "linux/arm64"}},
	{"platform", "system", true, {.platform = "linux/arm64"}},
	{"epoch", "run", true, {.epoch = 1}},
	{"epoch", "code", true, {.epoch = 1}},
	{"local files", "run", true, {.salt = "other"}},
	{"local files", "code", true, {.salt = "other"}},
	{"local files", "system", false, {.salt = "other"}},
	{"an artifact's bytes", "system", true, {.edit_lock = edit_sha256}},
	{"an artifact's version", "system", true, {.edit_lock = edit_version}},
	{"the order of artifacts", "system", true, {.edit_lock = edit_order}},
	{"an artifact's other members", "system", true, {.edit_lock = edit_extra}},
	{"the newest date", "system", true, {.edit_lock = edit_date}},
	{"the newest date below", "run", true, {.edit_lock = edit_date}},
	{"the newest date below a copy", "code", false, {.edit_lock = edit_date}},
	{"where an artifact lies", "system", false, {.edit_lock = edit_place}},
	{"a mounted file", "run", true, {.edit_lock = edit_url}},
	{"a copied file", "unpacked", true, {.edit_lock = edit_url}},
	{"the chain below", "run", true, {.edit_known = edit_base}},
	{"the chain below a copy", "code", false, {.edit_known = edit_base}},
	{"a mounted stage", "run", true, {.edit_known = edit_tools}},
	{"a copied stage", "bin", true, {.edit_known = edit_tools}},
	{"another stage", "system", false, {.edit_known = edit_tools}},
	{"an empty layer below", "run", true, {.edit_known = empty_base}},
	{"the resolved destination", "code", true, {.edit_known = edit_destination}},
};

static void test_surroundings(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(surroundings); i++)
		if (changes(recipe, surroundings[i].step, &surroundings[i].around) !=
		    surroundings[i].changes)
			fail_msg("%s: %s %s the key", surroundings[i].step, surroundings[i].what,
				 surroundings[i].changes ? "must change" : "must not change");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changes_a_key),
		cmocka_unit_test(test_what_keeps_a_key),
		cmocka_unit_test(test_surroundings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
