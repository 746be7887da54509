/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_memo.h"
#include "layer/layer_walk.h"

enum { LINKS_MAX = 40 };

struct resolver {
	const struct layer_stacked *stack;
	size_t count;
	struct buf done; /* resolved: components are directories, or missing */
	size_t *bottoms; /* of each directory in done, the root first */
	size_t depth, alloc; /* components in done, and room for bottoms */
	size_t missing; /* how many of the last ones do not exist */
	char *rest; /* what is still to do */
	unsigned links;
	struct layer_memo *memo; /* borrowed; NULL: none */
};

static void resolver_release(struct resolver *s)
{
	buf_release(&s->done);
	free(s->bottoms);
	free(s->rest);
}

static void cut(struct resolver *s, size_t len)
{
	s->done.len = len;
	if (s->done.data)
		s->done.data[len] = '\0';
}

static void go_up(struct resolver *s)
{
	const char *slash = s->done.len > 0 ? strrchr(s->done.data, '/') : NULL;

	cut(s, slash ? (size_t)(slash - s->done.data) : 0);
	if (s->depth > 0)
		s->depth--;
	if (s->missing > 0)
		s->missing--;
}

static void go_down(struct resolver *s, size_t bottom, bool missing)
{
	s->depth++;
	if (missing || s->missing > 0)
		s->missing++;
	s->bottoms = array_grow(s->bottoms, s->depth, &s->alloc, sizeof(*s->bottoms));
	s->bottoms[s->depth] = bottom;
}

/* Takes the next component off the rest into name; false: there is none. */
static bool next_component(struct resolver *s, struct buf *name)
{
	size_t start = strspn(s->rest, "/"), len = strcspn(s->rest + start, "/");

	buf_reset(name);
	buf_add(name, s->rest + start, len);
	memmove(s->rest, s->rest + start + len, strlen(s->rest + start + len) + 1);
	return len > 0;
}

/* Puts the target of the link before the rest. */
static int follow(struct resolver *s, int tree, size_t parent_len)
{
	char target[LAYER_PATH_MAX], *rest;
	ssize_t n = readlinkat(tree, s->done.data, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++s->links > LINKS_MAX)
		return -ELOOP;
	rest = xasprintf("%s/%s", target, s->rest);
	free(s->rest);
	s->rest = rest;
	cut(s, parent_len);
	if (target[0] == '/') {
		cut(s, 0);
		s->depth = 0;
	}
	return 0;
}

static int find(struct resolver *s, struct stack_found *ret)
{
	size_t bottom = s->bottoms[s->depth];

	return s->memo ? layer_memo_find(s->memo, s->stack, s->count, bottom, s->done.data, ret)
		       : layer_stack_find(s->stack, s->count, bottom, s->done.data, ret);
}

static int enter(struct resolver *s, const char *name)
{
	struct stack_found found = {.bottom = 0};
	size_t parent_len = s->done.len;
	int r = 0;

	if (parent_len > 0)
		buf_addc(&s->done, '/');
	buf_addstr(&s->done, name);
	if (s->done.len >= LAYER_PATH_MAX)
		return -ENAMETOOLONG;
	if (s->missing == 0)
		r = find(s, &found);
	if (r < 0)
		return r;
	if (r > 0 && S_ISLNK(found.st.st_mode))
		return follow(s, s->stack[found.top].tree, parent_len);
	go_down(s, found.bottom, r == 0 || !S_ISDIR(found.st.st_mode));
	return 0;
}

int layer_resolve(const struct layer_stacked *stack, size_t count, const char *path,
		  struct layer_memo *memo, struct layer_resolved *ret, struct varve_error *err)
{
	CLEANUP(resolver_release)
	struct resolver s = {.stack = stack, .count = count, .memo = memo};
	CLEANUP(buf_release) struct buf name = BUF_INIT;

	s.rest = xstrdup(path);
	s.bottoms = array_grow(NULL, 0, &s.alloc, sizeof(*s.bottoms));
	while (next_component(&s, &name)) {
		int r = 0;

		if (str_equal(name.data, ".."))
			go_up(&s);
		else if (!str_equal(name.data, "."))
			r = enter(&s, name.data);
		if (r < 0)
			return varve_error_set(err, r, "resolve %s in the image", path);
	}
	*ret = (struct layer_resolved){buf_steal(&s.done), s.missing == 0};
	return 0;
}
