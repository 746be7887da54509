/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <string.h>
#include "audit/members.h"
#include "base/cleanup.h"
#include "layer/layer_tar_read.h"

struct memory {
	const struct content *content;
	size_t at;
};

static ssize_t read_memory(void *cookie, void *data, size_t len, struct varve_error *err)
{
	struct memory *m = cookie;
	size_t left = m->content->len - m->at;

	(void)err;
	len = len < left ? len : left;
	if (len)
		memcpy(data, m->content->data + m->at, len);
	m->at += len;
	return (ssize_t)len;
}

static bool add_item(struct members *members, const struct content *c, struct tar_reader *reader,
		     const struct tar_item *item)
{
	uint64_t at = tar_reader_offset(reader);
	struct member *m;

	if (at > c->len || item->size > c->len - at)
		return false;
	m = members_add(members);
	if (!m)
		return false;
	m->name = xstrdup(item->path);
	m->link = item->link && *item->link ? xstrdup(item->link) : NULL;
	m->type = (char)item->type;
	m->mode = item->mode;
	m->uid = item->uid;
	m->gid = item->gid;
	m->time = item->mtime.tv_sec;
	m->data = c->data + at;
	m->len = (size_t)item->size;
	m->size = item->size;
	return true;
}

/* ret_plain: no member has extended attributes, which are not compared. */
static bool read_archive(const struct content *c, struct members *ret, bool *ret_plain)
{
	struct memory memory = {.content = c};
	CLEANUP(tar_reader_freep) struct tar_reader *reader = tar_reader_new(read_memory, &memory);
	struct varve_error unused;
	struct tar_item item;
	int r;

	tar_reader_leave_digest(reader);
	*ret_plain = true;
	while ((r = tar_reader_next(reader, &item, &unused)) > 0) {
		if (!add_item(ret, c, reader, &item))
			return false;
		*ret_plain = *ret_plain && item.xattrs->count == 0;
	}
	return r == 0;
}

bool format_tar(struct findings *f, const struct content *a, const struct content *b)
{
	static const struct members_rules rules = {
		.stamp = CURE_TAR_STAMP, .order = CURE_MEMBER_ORDER, .owner_matters = true};
	CLEANUP(members_release) struct members left = {0};
	CLEANUP(members_release) struct members right = {0};
	size_t before = f->count;
	bool a_plain, b_plain;

	if (!read_archive(a, &left, &a_plain) || !read_archive(b, &right, &b_plain))
		return false;
	members_compare(f, &rules, &left, &right);
	if (f->count == before)
		findings_add(f, &(struct finding){.where = "headers",
						  .stamp = a_plain && b_plain,
						  .rule = CURE_TAR_STAMP});
	return true;
}
