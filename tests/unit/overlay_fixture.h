/* SPDX-License-Identifier: Apache-2.0
 * The kernel's overlay as an oracle for what src/layer does without it. Include after <cmocka.h>.
 */
#ifndef TESTS_OVERLAY_FIXTURE_H
#define TESTS_OVERLAY_FIXTURE_H

#include <sched.h>
#include <sys/mount.h>
#include "layer_fixture.h"
#include "sandbox/sandbox.h"

enum { TREES = 3 };

struct stack {
	int fds[TREES];
	struct strv implied[TREES];
	struct layer_stacked trees[TREES];
};

static inline void stack_make(const struct scratch *s, struct stack *stack,
			      const struct tree_item (*items)[8], const char *const (*implied)[4])
{
	for (size_t i = 0; i < TREES; i++) {
		const char name[] = {'t', (char)('0' + i), '\0'};

		stack->fds[i] = tree_new(s, name);
		stack->implied[i] = (struct strv)STRV_INIT;
		tree_make(stack->fds[i], items[i]);
		for (size_t k = 0; implied && implied[i][k]; k++)
			strv_add(&stack->implied[i], implied[i][k]);
		stack->trees[i] = (struct layer_stacked){stack->fds[i], &stack->implied[i], NULL};
	}
}

static inline void stack_release(struct stack *stack)
{
	for (size_t i = 0; i < TREES; i++) {
		fd_close(&stack->fds[i]);
		strv_release(&stack->implied[i]);
	}
}

/* Mounts of this process are its own from here on. */
static inline void overlay_begin(void)
{
	if (geteuid() == 0) {
		assert_int_equal(unshare(CLONE_NEWNS), 0);
		assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	}
}

/* Mounts the stack at NAME of the scratch directory, as step_view does it; with upper and work when
 * those are not -1. Returns a descriptor of the view. */
static inline int overlay_mount(const struct scratch *s, const struct stack *stack,
				const char *name, int upper, int work)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/%s", s->path, name);
	CLEANUP(free_ptr) char *fixup_name = xasprintf("%s.fixup", name);
	CLEANUP(fd_close) int fixup = tree_new(s, fixup_name);
	int lowers[TREES + 1], fd = tree_new(s, name);
	struct varve_error err = {0};

	assert_true(layer_parents(stack->trees, TREES, &owners_root, fixup, &err) >= 0);
	lowers[0] = fixup;
	for (size_t i = 0; i < TREES; i++)
		lowers[1 + i] = stack->fds[TREES - 1 - i];
	if (sandbox_overlay(lowers, TREES + 1, upper, work, path, &err) < 0)
		fail_msg("%s", err.text);
	fd_close(&fd);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void overlay_unmount(const struct scratch *s, const char *name)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/%s", s->path, name);

	assert_int_equal(sandbox_unmount(path, NULL), 0);
}

#endif
