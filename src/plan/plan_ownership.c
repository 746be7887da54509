/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_compile.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { MODE_LIMIT = 07777 };
#define ID_LIMIT INT64_C(4294967294) /* 2^32-1 means "no id" to the kernel */

static int compile_id(struct compiler *c, const struct recipe_value *value, int64_t *ret,
		      struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int r = compile_expand(c, value, &text, err);

	*ret = -1;
	if (r < 0 || !text)
		return r;
	return recipe_integer(value, text, 0, ID_LIMIT, ret, err);
}

/* Octal, as chmod takes it. */
static int compile_mode(struct compiler *c, const struct recipe_value *value, int64_t *ret,
			struct varve_error *err)
{
	CLEANUP(free_ptr) char *text = NULL;
	int64_t mode = 0;
	size_t i;
	int r = compile_expand(c, value, &text, err);

	*ret = -1;
	if (r < 0 || !text)
		return r;
	for (i = 0; text[i] >= '0' && text[i] <= '7' && mode <= MODE_LIMIT; i++)
		mode = mode * 8 + (text[i] - '0');
	if (i == 0 || text[i] != '\0' || mode > MODE_LIMIT)
		return recipe_error(&value->at, err, "mode \"%s\" is not octal, 0 to 7777", text);
	*ret = mode;
	return 0;
}

static int compile_entry(struct compiler *c, const struct recipe_ownership *from,
			 struct plan_ownership *ret, struct varve_error *err)
{
	int r = compile_pattern(c, &from->path, &ret->path, err);

	if (r == 0)
		r = compile_id(c, &from->uid, &ret->uid, err);
	if (r == 0)
		r = compile_id(c, &from->gid, &ret->gid, err);
	if (r == 0)
		r = compile_mode(c, &from->mode, &ret->mode, err);
	return r;
}

int compile_ownership(struct compiler *c, const struct recipe_step *from, struct plan_step *ret,
		      struct varve_error *err)
{
	size_t i;
	int r = 0;

	ret->ownership_strict = from->ownership_strict;
	ret->ownership_fast = from->ownership_fast;
	for (i = 0; r == 0 && i < from->ownership_count; i++) {
		ret->ownership = array_grow(ret->ownership, ret->ownership_count,
					    &ret->ownership_alloc, sizeof(*ret->ownership));
		r = compile_entry(c, &from->ownership[i], &ret->ownership[ret->ownership_count++],
				  err);
	}
	return r;
}
