/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/whiteouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "layer/layer_tar.h"

/* "d/ d/x e": sorted, directories end in '/'. */
static void make(const char *text, struct layer_files *ret)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strlen(word);
		struct layer_file *file;

		ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
		file = &ret->items[ret->count++];
		file->type = word[len - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
		file->path = xstrndup(word, file->type == TAR_DIRECTORY ? len - 1 : len);
		file->link = xstrdup("");
		file->xattrs = xstrdup("");
	}
}

static void stacks_layers(void **state)
{
	static const struct {
		const char *first, *second, *seen;
	} cases[] = {
		{"a d/ d/x", "d/ d/y", "a d d/x d/y"},
		{"a d/ d/x", ".wh.a", "d d/x"},
		{"a d/ d/x d-e", ".wh.d", "a d-e"},
		{"d/ d/x d/y", "d/ d/.wh..wh..opq d/z", "d d/z"},
		{"d/ d/x", "d", "d"}, /* a file in a directory's place */
		{"d/ d/x", ".wh.d d/ d/y", "d d/y"},
		{"a b", ".wh..wh..opq c", "c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(layer_files_release) struct layer_files first = {0};
		CLEANUP(layer_files_release) struct layer_files second = {0};
		CLEANUP(strv_release) struct strv below = STRV_INIT;
		CLEANUP(free_ptr) char *seen = NULL;

		make(cases[i].first, &first);
		make(cases[i].second, &second);
		whiteouts_stack(&below, &first);
		whiteouts_stack(&below, &second);
		strv_sort(&below);
		seen = strv_join(&below, " ");
		assert_string_equal(seen, cases[i].seen);
	}
}

static void knows_what_comes_to_the_same(void **state)
{
	static const struct {
		const char *below, *mine, *whiteout, *other;
		bool same;
	} cases[] = {
		/* an opaque directory, and a whiteout of each name in it */
		{"d/ d/x d/y", "d/ d/.wh..wh..opq", "d/.wh..wh..opq", "d/ d/.wh.x d/.wh.y", true},
		{"d/ d/x d/y", "d/ d/.wh.x d/.wh.y", "d/.wh.x", "d/ d/.wh..wh..opq", true},
		{"d/ d/x d/y", "d/ d/.wh..wh..opq", "d/.wh..wh..opq", "d/ d/.wh.x", false},
		/* written anew in both, but for a third */
		{"d/ d/x d/y", "d/ d/.wh..wh..opq d/x", "d/.wh..wh..opq", "d/ d/.wh.y d/x", true},
		{"d/ d/x d/y", "d/ d/.wh..wh..opq d/x", "d/.wh..wh..opq", "d/ d/x", false},
		/* of nothing */
		{"a", ".wh.b", ".wh.b", "c", true},
		{"", ".wh.b", ".wh.b", "c", true},
		{"b", ".wh.b", ".wh.b", "c", false},
		/* deep: with the directory, or each file */
		{"d/ d/e/ d/e/x", ".wh.d", ".wh.d", "d/ d/e/ d/e/.wh.x", false},
		{"d/ d/e/ d/e/x", ".wh.d d", ".wh.d", "d", true},
		{"d/ d-e d/x", ".wh.d", ".wh.d", "d-e", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(layer_files_release) struct layer_files under = {0};
		CLEANUP(layer_files_release) struct layer_files mine = {0};
		CLEANUP(layer_files_release) struct layer_files other = {0};
		CLEANUP(strv_release) struct strv below = STRV_INIT;

		make(cases[i].below, &under);
		make(cases[i].mine, &mine);
		make(cases[i].other, &other);
		whiteouts_stack(&below, &under);
		if (whiteout_comes_to_the_same(&below, cases[i].whiteout, &mine, &other) !=
		    cases[i].same)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_layers),
		cmocka_unit_test(knows_what_comes_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
