/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_xattr.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <linux/limits.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/owner.h"

#define OVERLAY "user.overlay."
#define ESCAPED "user.overlay.overlay."
#define OPAQUE "user.overlay.opaque"
#define CAPABILITY "security.capability"

enum { CAPABILITY_V2_SIZE = 20, CAPABILITY_V3_SIZE = 24 };

void layer_xattrs_release(struct layer_xattrs *x)
{
	for (size_t i = 0; i < x->count; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	*x = (struct layer_xattrs)LAYER_XATTRS_INIT;
}

/* A '=' cannot stand in the keyword of a pax record. */
static bool name_is_kept(const char *name)
{
	if (strchr(name, '='))
		return false;
	if (str_starts(name, "user."))
		return !str_starts(name, "user.varve.");
	return str_equal(name, CAPABILITY) || str_equal(name, "system.posix_acl_access") ||
	       str_equal(name, "system.posix_acl_default");
}

/* The name in the image, or NULL for what does not belong to the image. */
static const char *name_in_image(const char *name, enum layer_xattr_form form)
{
	if (!name_is_kept(name))
		return NULL;
	if (form == LAYER_XATTR_VIEW || !str_starts(name, OVERLAY))
		return name;
	return str_starts(name, ESCAPED) ? name : NULL;
}

void layer_xattrs_add(struct layer_xattrs *x, const char *name, const void *value, size_t size)
{
	struct layer_xattr *item;

	if (!name_is_kept(name))
		return;
	x->items = array_grow(x->items, x->count, &x->alloc, sizeof(*x->items));
	item = &x->items[x->count++];
	item->name = xstrdup(name);
	item->value = xmalloc(size + 1);
	memcpy(item->value, value, size);
	item->size = size;
	/* Version 3 adds the root id of a namespace: the image's root is 0 by definition. */
	if (size == CAPABILITY_V3_SIZE && item->value[3] == 3 && str_equal(name, CAPABILITY)) {
		item->value[3] = 2;
		item->size = CAPABILITY_V2_SIZE;
	}
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct layer_xattr *)a)->name, ((const struct layer_xattr *)b)->name);
}

void layer_xattrs_sort(struct layer_xattrs *x)
{
	if (x->count > 1)
		qsort(x->items, x->count, sizeof(*x->items), compare_items);
}

bool layer_xattrs_equal(const struct layer_xattrs *a, const struct layer_xattrs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!str_equal(a->items[i].name, b->items[i].name) ||
		    a->items[i].size != b->items[i].size ||
		    memcmp(a->items[i].value, b->items[i].value, a->items[i].size) != 0)
			return false;
	}
	return true;
}

/* The names of all attributes, each with its NUL. */
static int read_names(int fd, struct buf *names)
{
	ssize_t n = flistxattr(fd, NULL, 0);

	if (n == 0 || (n < 0 && errno == ENOTSUP))
		return 0;
	if (n < 0)
		return -errno;
	buf_reserve(names, XATTR_LIST_MAX);
	n = flistxattr(fd, names->data, XATTR_LIST_MAX);
	if (n < 0)
		return -errno;
	names->len = (size_t)n;
	return 0;
}

static int read_value(int fd, const char *name, struct buf *value)
{
	ssize_t n;

	buf_reserve(value, XATTR_SIZE_MAX);
	n = fgetxattr(fd, name, value->data, XATTR_SIZE_MAX);
	if (n < 0)
		return -errno;
	value->len = (size_t)n;
	return 0;
}

int layer_xattrs_read(int fd, enum layer_xattr_form form, struct layer_xattrs *ret)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT, value = BUF_INIT, plain = BUF_INIT;
	CLEANUP(layer_xattrs_release) struct layer_xattrs x = LAYER_XATTRS_INIT;
	int r = read_names(fd, &names);

	if (r < 0)
		return r;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		const char *name = name_in_image(names.data + at, form);

		if (!name)
			continue;
		r = read_value(fd, name, &value);
		if (r < 0)
			return r;
		buf_reset(&plain);
		if (str_starts(name, ESCAPED))
			buf_addf(&plain, OVERLAY "%s", name + strlen(ESCAPED));
		else
			buf_addstr(&plain, name);
		layer_xattrs_add(&x, plain.data, value.data, value.len);
	}
	layer_xattrs_sort(&x);
	*ret = x;
	x = (struct layer_xattrs)LAYER_XATTRS_INIT;
	return 0;
}

int layer_xattrs_write(int fd, enum layer_xattr_form form, const struct layer_xattrs *x)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT;

	for (size_t i = 0; i < x->count; i++) {
		const struct layer_xattr *item = &x->items[i];

		buf_reset(&name);
		if (form == LAYER_XATTR_TREE && str_starts(item->name, OVERLAY))
			buf_addf(&name, ESCAPED "%s", item->name + strlen(OVERLAY));
		else
			buf_addstr(&name, item->name);
		if (fsetxattr(fd, name.data, item->value, item->size, 0) < 0)
			return -errno;
	}
	return 0;
}

int layer_xattrs_escape(int fd)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs x = LAYER_XATTRS_INIT;
	CLEANUP(layer_xattrs_release) struct layer_xattrs escaped = LAYER_XATTRS_INIT;
	int r = layer_xattrs_read(fd, LAYER_XATTR_VIEW, &x);

	for (size_t i = 0; i < x.count && r == 0; i++) {
		const struct layer_xattr *item = &x.items[i];

		if (!str_starts(item->name, OVERLAY))
			continue;
		layer_xattrs_add(&escaped, item->name, item->value, item->size);
		if (fremovexattr(fd, item->name) < 0)
			r = -errno;
	}
	return r < 0 ? r : layer_xattrs_write(fd, LAYER_XATTR_TREE, &escaped);
}

int layer_xattrs_strip(int fd)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT;
	int r = read_names(fd, &names);

	if (r < 0)
		return r;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		const char *name = names.data + at;

		if (name_in_image(name, LAYER_XATTR_TREE) || str_equal(name, OWNER_XATTR))
			continue;
		/* Labels of the host's security modules may not be ours to remove; they are never
		 * written. */
		if (fremovexattr(fd, name) < 0 && errno != ENODATA &&
		    !str_starts(name, "security."))
			return -errno;
	}
	return 0;
}

int layer_xattr_opaque(int fd)
{
	char value[2];
	ssize_t n = fgetxattr(fd, OPAQUE, value, sizeof(value));

	if (n < 0)
		return errno == ENODATA || errno == ENOTSUP || errno == ERANGE ? 0 : -errno;
	return n == 1 && value[0] == 'y';
}

int layer_xattr_set_opaque(int fd)
{
	return fsetxattr(fd, OPAQUE, "y", 1, 0) < 0 ? -errno : 0;
}
