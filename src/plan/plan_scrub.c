/* SPDX-License-Identifier: Apache-2.0
 * What steps leave behind that differs from run to run. Sets name files one by one where packages
 * own others beside them (var/log/btmp belongs to base-files). */
#include "plan/plan_compile.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static const char *const debian_set[] = {
	"etc/.pwd.lock",
	"etc/group-",
	"etc/gshadow-",
	"etc/machine-id",
	"etc/passwd-",
	"etc/shadow-",
	"etc/subgid-",
	"etc/subuid-",
	"var/cache/apt/*.bin",
	"var/cache/debconf/*-old",
	"var/cache/ldconfig/aux-cache",
	"var/lib/apt/lists/**",
	"var/lib/dbus/machine-id",
	"var/lib/dpkg/*-old",
	"var/lib/dpkg/lock",
	"var/lib/dpkg/lock-frontend",
	"var/lib/dpkg/triggers/Lock",
	"var/log/alternatives.log",
	"var/log/apt/*",
	"var/log/bootstrap.log",
	"var/log/dpkg.log",
	"var/log/fontconfig.log",
	NULL,
};
static const char *const ninja_set[] = {"**/.ninja_deps", "**/.ninja_log", NULL};
static const char *const python_set[] = {"**/__pycache__/*.pyc", "root/.cache/pip/**",
					 "root/.cache/uv/**", NULL};
/* The reflog holds the builder's name and address, the index inode numbers and times. */
static const char *const git_set[] = {
	"**/.git/FETCH_HEAD", "**/.git/ORIG_HEAD", "**/.git/hooks/*",
	"**/.git/index",      "**/.git/logs/**",   NULL,
};

static const struct scrub_set {
	const char *name;
	const char *const *patterns;
} sets[] = {
	{"debian", debian_set},
	{"git", git_set},
	{"ninja", ninja_set},
	{"python", python_set},
};

static const struct scrub_set *find_set(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		if (strcmp(sets[i].name, name) == 0)
			return &sets[i];
	return NULL;
}

static void add_once(struct strv *list, const char *pattern)
{
	if (!strv_contains(list, pattern))
		strv_add(list, pattern);
}

static void add_set(struct strv *list, const struct scrub_set *set)
{
	size_t i;

	for (i = 0; set->patterns[i]; i++)
		add_once(list, set->patterns[i]);
}

/* A bare word is a file in the root directory, unless it nearly is the name of a set. */
static int check_word(const struct recipe_value *value, const char *word, struct varve_error *err)
{
	const char *names[ARRAY_SIZE(sets) + 1] = {NULL};
	const char *nearest;
	size_t i;

	if (strpbrk(word, "/*?[."))
		return 0;
	for (i = 0; i < ARRAY_SIZE(sets); i++)
		names[i] = sets[i].name;
	nearest = str_nearest(word, names);
	if (!nearest)
		return 0;
	return recipe_error(&value->at, err, "there is no scrub set \"%s\"; did you mean \"%s\"?",
			    word, nearest);
}

static int add_pattern(struct compiler *c, const struct recipe_value *value, struct strv *list,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *pattern = NULL;
	const struct scrub_set *set;
	int r = compile_pattern(c, value, &pattern, err);

	if (r < 0 || *pattern == '\0')
		return r;
	set = find_set(pattern);
	if (set) {
		add_set(list, set);
		return 0;
	}
	r = check_word(value, pattern, err);
	if (r == 0)
		add_once(list, pattern);
	return r;
}

int compile_scrub(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		  struct varve_error *err)
{
	size_t i;
	int r = 0;

	if (ret->action == ACTION_INSTALL &&
	    c->plan->sources.items[ret->from.index].kind == SOURCE_DEBIAN)
		add_set(&ret->scrub, find_set("debian"));
	for (i = 0; r == 0 && i < from->scrub.count; i++)
		r = add_pattern(c, &from->scrub.items[i], &ret->scrub, err);
	strv_sort(&ret->scrub);
	return r;
}
