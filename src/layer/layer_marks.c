/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_marks.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/layer_walk.h"
#include "layer/layer_write.h"

/* To be changed with any byte that layer_toc or layer_chunked write otherwise. */
static const char magic[16] = "varve-marks-1";

void layer_marks_release(struct layer_marks *m)
{
	free(m->items);
	*m = (struct layer_marks){0};
}

void layer_marks_add(struct layer_marks *m, const struct layer_mark *mark)
{
	m->items = array_grow(m->items, m->count, &m->alloc, sizeof(*m->items));
	m->items[m->count++] = *mark;
}

bool layer_mark_is_due(uint64_t at, uint64_t size)
{
	return at / LAYER_MARK_EVERY != (at + size) / LAYER_MARK_EVERY;
}

/* --- bytes -------------------------------------------------------------------------------------
 */

void layer_marks_write(const struct layer_marks *m, struct buf *out)
{
	_Static_assert(sizeof(struct layer_mark) ==
			       5 * sizeof(uint64_t) + 4 * sizeof(struct hasher_state),
		       "marks are written as they lie in memory");
	buf_add(out, magic, sizeof(magic));
	buf_add(out, m->items, m->count * sizeof(*m->items));
}

static bool is_sound(const struct layer_mark *mark, const struct layer_mark *before)
{
	return mark->tar_at > before->tar_at && mark->blob_at > before->blob_at &&
	       mark->contents_at > before->contents_at && mark->split_at > before->split_at &&
	       mark->entries > before->entries && mark->tar.length == mark->tar_at &&
	       mark->blob.length == mark->blob_at;
}

bool layer_marks_parse(const void *data, size_t len, struct layer_marks *ret)
{
	const struct layer_mark *before = &(struct layer_mark){0};
	struct layer_marks m = {0};
	const char *at = data;

	if (len < sizeof(magic) || memcmp(at, magic, sizeof(magic)) != 0 ||
	    (len - sizeof(magic)) % sizeof(*m.items) != 0)
		return false;
	for (at += sizeof(magic); at < (const char *)data + len; at += sizeof(*m.items)) {
		struct layer_mark mark;

		memcpy(&mark, at, sizeof(mark));
		layer_marks_add(&m, &mark);
	}
	for (size_t i = 0; i < m.count; before = &m.items[i++])
		if (!is_sound(&m.items[i], before)) {
			layer_marks_release(&m);
			return false;
		}
	*ret = m;
	return true;
}

/* --- proof -------------------------------------------------------------------------------------
 */

static bool is_equal(const struct hasher *h, const struct hasher_state *state)
{
	struct hasher_state own;

	hasher_save(h, &own);
	return memcmp(&own, state, sizeof(own)) == 0;
}

void layer_proof_between(struct layer_proof *p, const void *data, size_t len)
{
	hasher_update(p->between, data, len);
	p->at += len;
}

int layer_proof_file(struct layer_proof *p, const struct walk_entry *file, uint64_t size)
{
	const struct layer_mark *next;
	struct varve_digest digest;

	if (size == 0)
		return 0;
	if (!p->vouch->digest(p->vouch->cookie, file, &digest))
		return 1;
	hasher_update(p->files, digest.bytes, VARVE_DIGEST_SIZE);
	p->at += size;
	next = &p->marks->items[p->next];
	if (p->at < next->tar_at)
		return 0;
	if (p->at > next->tar_at || !is_equal(p->between, &next->between) ||
	    !is_equal(p->files, &next->files))
		return 1;
	p->found = next;
	return ++p->next == p->marks->count;
}

/* NOLINTNEXTLINE(readability-function-size): as layer_write, and what it is compared with */
int layer_prove(int tree, const struct strv *implied, const struct owners *owners,
		const struct layer_marks *marks, const struct layer_vouch *vouch,
		const struct layer_mark **ret, struct varve_error *err)
{
	CLEANUP(hasher_freep) struct hasher *between = hasher_new();
	CLEANUP(hasher_freep) struct hasher *files = hasher_new();
	struct layer_proof proof = {
		.marks = marks, .vouch = vouch, .between = between, .files = files};
	int r = marks->count > 0 ? layer_write_proof(tree, implied, owners, &proof, err) : 0;

	if (r >= 0)
		*ret = proof.found;
	return r < 0 ? r : 0;
}
