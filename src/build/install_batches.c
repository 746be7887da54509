/* SPDX-License-Identifier: Apache-2.0 */
#include "build/install_batches.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

bool install_is_essential(const struct lock_artifact *artifact)
{
	return artifact->extra && json_is_true(json_object_get(artifact->extra, "essential"));
}

void install_batches_begin(struct install_batches *b, struct strv *out)
{
	*b = (struct install_batches){.out = out};
}

static void add_file(struct buf *batch, const struct lock_artifact *artifact)
{
	if (batch->len > 0)
		buf_addc(batch, ' ');
	buf_addstr(batch, path_base(artifact->from));
}

static void close_batch(struct install_batches *b)
{
	if (b->batch.len > 0)
		strv_add(&b->later, buf_text(&b->batch));
	buf_reset(&b->batch);
	strv_release(&b->names);
}

/* Calls for each package name of "a (>= 1), b | c:any": alternatives all count, which at worst
 * closes a batch early. */
static bool names_one_of(const char *relation, const struct strv *names)
{
	const char *at = relation;

	while (*at) {
		size_t len = strcspn(at, " ,|(:\n\t");
		CLEANUP(free_ptr) char *name = xstrndup(at, len);

		if (len > 0 && strv_contains(names, name))
			return true;
		at += len;
		if (*at == '(')
			at += strcspn(at, ")");
		at += *at != '\0';
	}
	return false;
}

void install_batches_add(struct install_batches *b, const struct lock_artifact *artifact,
			 bool essential, const char *pre_depends)
{
	if (essential) {
		add_file(&b->essential, artifact);
		return;
	}
	if (names_one_of(pre_depends, &b->names))
		close_batch(b);
	add_file(&b->batch, artifact);
	strv_add(&b->names, artifact->name);
}

void install_batches_end(struct install_batches *b)
{
	close_batch(b);
	strv_add(b->out, buf_text(&b->essential));
	strv_extend(b->out, &b->later);
	buf_release(&b->essential);
	buf_release(&b->batch);
	strv_release(&b->names);
	strv_release(&b->later);
}
