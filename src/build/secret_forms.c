/* SPDX-License-Identifier: Apache-2.0
 * From a secret's bytes to the patterns that tell of it. */
#include "build/secret_search.h"

#include <stdlib.h>
#include <string.h>
#include "base/base64.h"
#include "base/cleanup.h"

enum { WINDOW_MAXIMUM = 255, PAIRS = 1 << 16 };

const char *secret_form_text(enum secret_form form)
{
	static const char *const texts[] = {[SECRET_PLAIN] = "as it is",
					    [SECRET_BASE64] = "in base64",
					    [SECRET_HEX] = "in hexadecimal",
					    [SECRET_URL] = "URL-encoded"};

	return texts[form];
}

static bool is_there(const struct secret_set *set, const void *bytes, size_t len)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].len == len && memcmp(set->items[i].bytes, bytes, len) == 0)
			return true;
	return false;
}

static void add(struct secret_set *set, enum secret_form form, const void *bytes, size_t len)
{
	struct secret_pattern *made;

	if (len < SECRET_MINIMUM || is_there(set, bytes, len))
		return;
	set->items = array_grow(set->items, set->count, &set->alloc, sizeof(*set->items));
	made = &set->items[set->count++];
	*made = (struct secret_pattern){
		.bytes = xmalloc(len), .len = len, .secret = set->secrets, .form = form};
	memcpy(made->bytes, bytes, len);
}

/* The digits that depend on the secret alone, when "before" bytes of something else precede it in
 * the same group of three. */
static void add_base64(struct secret_set *set, const void *data, size_t len, size_t before)
{
	CLEANUP(secret_wipe) struct buf bytes = BUF_INIT, text = BUF_INIT;
	size_t first = before ? before + 1 : 0, end = (before + len) * 8 / 6;

	buf_add(&bytes, "\0\0", before);
	buf_add(&bytes, data, len);
	base64_encode(bytes.data, bytes.len, &text);
	add(set, SECRET_BASE64, text.data + first, end - first);
	for (size_t i = first; i < end; i++)
		if (text.data[i] == '+')
			text.data[i] = '-';
		else if (text.data[i] == '/')
			text.data[i] = '_';
	add(set, SECRET_BASE64, text.data + first, end - first);
}

static void add_hex(struct secret_set *set, const unsigned char *data, size_t len,
		    const char *digits)
{
	CLEANUP(secret_wipe) struct buf text = BUF_INIT;

	buf_reserve(&text, 2 * len);
	for (size_t i = 0; i < len; i++) {
		buf_addc(&text, digits[data[i] >> 4]);
		buf_addc(&text, digits[data[i] & 15]);
	}
	add(set, SECRET_HEX, text.data, text.len);
}

static void ignore(void *cookie, const struct secret_hit *hit)
{
	(void)cookie;
	(void)hit;
}

/* With "+" for spaces, as forms are sent. */
static void add_form(struct secret_set *set, const void *data, size_t len)
{
	CLEANUP(secret_wipe) struct buf text = BUF_INIT;

	buf_add(&text, data, len);
	for (size_t i = 0; i < len; i++)
		if (text.data[i] == ' ')
			text.data[i] = '+';
	add(set, SECRET_URL, text.data, len);
}

/* As the second view shows it when nobody encoded it. */
static void add_folded(struct secret_set *set, const void *data, size_t len)
{
	struct secret_set none = {0};
	CLEANUP(secret_scan_release) struct secret_scan scan = {.set = &none, .hit = ignore};

	secret_scan_feed(&scan, data, len);
	secret_scan_end(&scan);
	add(set, SECRET_PLAIN, scan.folded.data, scan.folded.len);
	add_form(set, scan.folded.data, scan.folded.len);
}

bool secret_set_add(struct secret_set *set, const void *data, size_t len)
{
	bool enough = len >= SECRET_MINIMUM;

	len = len < SECRET_MAXIMUM ? len : SECRET_MAXIMUM;
	if (enough) {
		add(set, SECRET_PLAIN, data, len);
		add_folded(set, data, len);
		add_form(set, data, len);
		for (size_t before = 0; before < 3; before++)
			add_base64(set, data, len, before);
		add_hex(set, data, len, "0123456789abcdef");
		add_hex(set, data, len, "0123456789ABCDEF");
	}
	set->secrets++;
	return enough;
}

void secret_set_ready(struct secret_set *set)
{
	set->window = WINDOW_MAXIMUM;
	for (size_t i = 0; i < set->count; i++) {
		const struct secret_pattern *p = &set->items[i];

		set->window = p->len < set->window ? p->len : set->window;
		set->longest = p->len > set->longest ? p->len : set->longest;
	}
	set->skip = xmalloc(PAIRS);
	memset(set->skip, (int)set->window - 1, PAIRS);
	for (size_t i = 0; i < set->count; i++)
		for (size_t k = 0; k + 1 < set->window; k++) {
			const unsigned char *pair = set->items[i].bytes + k;
			unsigned char *skip = &set->skip[pair[0] << 8 | pair[1]];
			size_t further = set->window - 2 - k;

			*skip = further < *skip ? (unsigned char)further : *skip;
		}
}

void secret_set_release(struct secret_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		explicit_bzero(set->items[i].bytes, set->items[i].len);
		free(set->items[i].bytes);
	}
	free(set->items);
	free(set->skip);
	*set = (struct secret_set){0};
}
