/* SPDX-License-Identifier: Apache-2.0
 * Trying a host for real: it comes to an end on every host, whatever that can do, and leaves
 * nothing behind. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "sandbox/sandbox_probe.h"
#include "sandbox/sandbox_surroundings.h"
#include "tried_fixture.h"

static void probe(struct sandbox_tried *ret)
{
	char path[] = "/tmp/varve-probe-XXXXXX";
	int fd;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sandbox_probe(fd, ret);
	fd_close(&fd);
	/* Nothing of a try stays in the store. */
	assert_int_equal(rmdir(path), 0);
}

static void test_probe(void **state)
{
	struct sandbox_finding findings[SANDBOX_FINDINGS];
	CLEANUP(sandbox_host_release) struct sandbox_host host = {0};
	struct sandbox_tried tried;
	size_t i, count;

	(void)state;
	probe(&tried);
	sandbox_decide(&tried, &host);
	count = sandbox_findings(&tried, &host, findings);
	for (i = 0; i < count; i++)
		print_message("# %-20s %d %s | %s | %s\n", findings[i].name, findings[i].verdict,
			      findings[i].detail, findings[i].cost, findings[i].cure);
	assert_int_equal(tried.uid, geteuid());
	assert_true(tried.namespaces != SANDBOX_NOT_TRIED);
	assert_true(tried.listener != SANDBOX_NOT_TRIED);
	assert_int_equal(tried.files, 0);
	assert_true((geteuid() == 0) == (tried.mounts != SANDBOX_NOT_TRIED));
	assert_true((geteuid() == 0) == (tried.chroot != SANDBOX_NOT_TRIED));
}

/* What is tried twice comes out the same, and so do the surroundings. */
static void test_again(void **state)
{
	CLEANUP(json_decrefp) json_t *first = NULL;
	CLEANUP(json_decrefp) json_t *second = NULL;
	CLEANUP(json_decrefp) json_t *here = sandbox_surroundings(AT_FDCWD);
	CLEANUP(json_decrefp) json_t *again = NULL;
	struct sandbox_tried tried;

	(void)state;
	probe(&tried);
	first = sandbox_tried_to_json(&tried);
	probe(&tried);
	second = sandbox_tried_to_json(&tried);
	assert_true(json_equal(first, second));
	again = sandbox_surroundings(AT_FDCWD);
	assert_true(json_equal(here, again));
}

static void test_json(void **state)
{
	struct sandbox_tried before = tried_confined(1), after;
	CLEANUP(json_decrefp) json_t *object = NULL;
	CLEANUP(json_decrefp) json_t *copy = NULL;
	CLEANUP(json_decrefp) json_t *damaged = NULL;
	const char *key;
	json_t *value;

	(void)state;
	(void)snprintf(before.ranges_refused, sizeof(before.ranges_refused), "no");
	object = sandbox_tried_to_json(&before);
	assert_true(sandbox_tried_from_json(object, &after));
	copy = sandbox_tried_to_json(&after);
	assert_true(json_equal(object, copy));
	json_object_foreach(object, key, value)
	{
		json_decref(damaged);
		damaged = json_deep_copy(object);
		json_object_del(damaged, key);
		if (sandbox_tried_from_json(damaged, &after))
			fail_msg("%s may be missing", key);
		json_set(damaged, key, json_array());
		if (sandbox_tried_from_json(damaged, &after))
			fail_msg("%s may be a list", key);
		json_set(damaged, key, json_is_string(value) ? json_integer(1) : json_text("x"));
		if (sandbox_tried_from_json(damaged, &after))
			fail_msg("%s may have another type", key);
	}
	assert_false(sandbox_tried_from_json(NULL, &after));
}

/* Texts and numbers of a damaged file must not run over the struct's members. */
static void test_limits(void **state)
{
	struct sandbox_tried tried = tried_well();
	CLEANUP(json_decrefp) json_t *object = sandbox_tried_to_json(&tried);
	char text[SANDBOX_NAME + 1];

	(void)state;
	memset(text, 'x', SANDBOX_NAME);
	text[SANDBOX_NAME] = '\0';
	json_set(object, "user", json_text(text));
	assert_false(sandbox_tried_from_json(object, &tried));
	text[SANDBOX_NAME - 1] = '\0';
	json_set(object, "user", json_text(text));
	assert_true(sandbox_tried_from_json(object, &tried));
	json_set(object, "uid", json_integer(-1));
	assert_false(sandbox_tried_from_json(object, &tried));
	json_set(object, "uid", json_integer((json_int_t)UINT32_MAX + 1));
	assert_false(sandbox_tried_from_json(object, &tried));
	json_set(object, "uid", json_integer(UINT32_MAX));
	assert_true(sandbox_tried_from_json(object, &tried));
}

/* Every member of the surroundings changes the name of the fact. */
static void test_name(void **state)
{
	static const char *const needed[] = {"boot",
					     "uid",
					     "gid",
					     "ns/user",
					     "ns/mnt",
					     "ns/pid",
					     "Seccomp",
					     "CapEff",
					     "CapBnd",
					     "NoNewPrivs",
					     "label",
					     "bwrap",
					     "newuidmap",
					     "newgidmap times",
					     "bwrap times",
					     "/etc/subuid",
					     "/etc/subgid",
					     "varve",
					     "store device",
					     "store type",
					     "max_user_namespaces",
					     "apparmor_restrict",
					     "unprivileged_userns_clone"};
	CLEANUP(json_decrefp) json_t *object = sandbox_surroundings(AT_FDCWD);
	CLEANUP(free_ptr) char *name = sandbox_surroundings_name(object);
	const char *key;
	json_t *value;
	size_t i;

	(void)state;
	assert_int_equal(strlen(name), strlen("host/") + 64);
	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (!json_object_get(object, needed[i]))
			fail_msg("%s is not among the surroundings", needed[i]);
	json_object_foreach(object, key, value)
	{
		CLEANUP(json_decrefp) json_t *other = json_deep_copy(object);
		CLEANUP(free_ptr) char *changed = NULL;

		json_set(other, key, json_text("something else"));
		changed = sandbox_surroundings_name(other);
		if (strcmp(changed, name) == 0)
			fail_msg("%s does not count", key);
	}
}

static void test_status(void **state)
{
	static const char text[] =
		"Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\nCapEff:\t00ff\nEnd:";
	char value[8] = "old";

	(void)state;
	assert_true(sandbox_status_member(text, "Seccomp", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(sandbox_status_member(text, "CapEff", value, sizeof(value)));
	assert_string_equal(value, "00ff");
	assert_true(sandbox_status_member(text, "End", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_false(sandbox_status_member(text, "Sec", value, sizeof(value)));
	assert_false(sandbox_status_member("", "Seccomp", value, sizeof(value)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe), cmocka_unit_test(test_again),
		cmocka_unit_test(test_json),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_name),  cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
