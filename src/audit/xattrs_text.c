/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/xattrs_text.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "layer/layer_xattr.h"

static void add_name(struct buf *out, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c <= ' ' || c >= 0x7f || c == '=' || c == '%')
			buf_addf(out, "%%%02x", c);
		else
			buf_addc(out, *name);
	}
}

static void add_value(struct buf *out, const struct layer_xattr *one)
{
	struct varve_digest digest;
	char text[VARVE_DIGEST_TEXT];

	if (one->size >= XATTRS_VALUE_MAX) {
		digest_bytes(one->value, one->size, &digest);
		buf_addstr(out, varve_digest_text(&digest, text));
		return;
	}
	for (size_t i = 0; i < one->size; i++)
		buf_addf(out, "%02x", (unsigned char)one->value[i]);
}

char *xattrs_text(const struct layer_xattrs *xattrs)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < xattrs->count; i++) {
		if (i > 0)
			buf_addc(&text, ' ');
		add_name(&text, xattrs->items[i].name);
		buf_addc(&text, '=');
		add_value(&text, &xattrs->items[i]);
	}
	return buf_steal(&text);
}

void xattrs_step_release(struct xattrs_step *step)
{
	free_ptr(&step->name);
	free_ptr(&step->a);
	free_ptr(&step->b);
}

/* Takes the first item off the text. */
static char *take_value(const char **text)
{
	const char *value = *text + strcspn(*text, "= "), *end = value + strcspn(value, " ");

	value += *value == '=';
	*text = *end ? end + 1 : end;
	return xstrndup(value, (size_t)(end - value));
}

static int compare_names(const char *a, const char *b)
{
	size_t a_len = strcspn(a, "= "), b_len = strcspn(b, "= ");
	int r = strncmp(a, b, a_len < b_len ? a_len : b_len);

	return r != 0 ? r : (a_len > b_len) - (a_len < b_len);
}

bool xattrs_next(struct xattrs_step *step)
{
	int side;
	const char *name;

	xattrs_step_release(step);
	if (!*step->a_next && !*step->b_next)
		return false;
	side = !*step->a_next ? 1 : !*step->b_next ? -1 : compare_names(step->a_next, step->b_next);
	name = side <= 0 ? step->a_next : step->b_next;
	step->name = xstrndup(name, strcspn(name, "= "));
	if (side <= 0)
		step->a = take_value(&step->a_next);
	if (side >= 0)
		step->b = take_value(&step->b_next);
	return true;
}
