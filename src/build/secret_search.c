/* SPDX-License-Identifier: Apache-2.0 */
#include "build/secret_search.h"

#include <string.h>

/* All patterns that end behind the first "seen" bytes: the others were told before. */
static void search(struct secret_scan *scan, const struct buf *view, size_t seen, bool folded)
{
	const struct secret_set *set = scan->set;
	const unsigned char *text = (const unsigned char *)view->data;
	size_t at = set->window - 1;

	while (at < view->len) {
		size_t skip = set->skip[text[at - 1] << 8 | text[at]], start = at + 1 - set->window;

		at += skip ? skip : 1;
		for (size_t i = 0; skip == 0 && i < set->count; i++) {
			const struct secret_pattern *p = &set->items[i];
			size_t end = start + p->len;

			if (end <= seen || end > view->len ||
			    memcmp(text + start, p->bytes, p->len) != 0)
				continue;
			scan->hit(scan->cookie,
				  &(struct secret_hit){
					  p,
					  folded && p->form == SECRET_PLAIN ? SECRET_URL : p->form,
					  folded, end - seen});
		}
	}
}

static void keep_end(struct buf *view, size_t longest)
{
	size_t keep = longest > 0 ? longest - 1 : 0;

	if (view->len <= keep)
		return;
	memmove(view->data, view->data + view->len - keep, keep);
	view->len = keep;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What was held is no escape. */
static void let_go(struct secret_scan *scan)
{
	buf_add(&scan->folded, scan->held, scan->held_len);
	scan->held_len = 0;
}

/* One character that may be part of an escape. */
static void fold_escape(struct secret_scan *scan, char c)
{
	if (scan->held_len == 2 && digit(c) >= 0) {
		buf_addc(&scan->folded, (char)(digit(scan->held[1]) * 16 + digit(c)));
		scan->held_len = 0;
		return;
	}
	if (c == '%' || (scan->held_len == 1 && digit(c) >= 0)) {
		if (c == '%')
			let_go(scan);
		scan->held[scan->held_len++] = c;
		return;
	}
	let_go(scan);
	if (c != '\n' && c != '\r')
		buf_addc(&scan->folded, c);
}

static void fold(struct secret_scan *scan, const char *data, size_t len)
{
	size_t at = 0, from;

	buf_reserve(&scan->folded, len + sizeof(scan->held));
	while (at < len) {
		for (from = at; at < len && scan->held_len == 0 && data[at] != '\n' &&
				data[at] != '\r' && data[at] != '%';)
			at++;
		buf_add(&scan->folded, data + from, at - from);
		if (at < len)
			fold_escape(scan, data[at++]);
	}
}

void secret_scan_begin(struct secret_scan *scan)
{
	buf_reset(&scan->plain);
	buf_reset(&scan->folded);
	scan->held_len = 0;
}

void secret_scan_feed(struct secret_scan *scan, const void *data, size_t len)
{
	size_t plain = scan->plain.len, folded = scan->folded.len;

	buf_add(&scan->plain, data, len);
	fold(scan, data, len);
	if (!scan->set->skip)
		return;
	search(scan, &scan->plain, plain, false);
	search(scan, &scan->folded, folded, true);
	keep_end(&scan->plain, scan->set->longest);
	keep_end(&scan->folded, scan->set->longest);
}

void secret_scan_end(struct secret_scan *scan)
{
	size_t folded = scan->folded.len;

	let_go(scan);
	if (scan->set->skip)
		search(scan, &scan->folded, folded, true);
}

/* Parts of a stream may be parts of a secret. */
void secret_wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->alloc);
	buf_release(buf);
}

void secret_scan_release(struct secret_scan *scan)
{
	secret_wipe(&scan->plain);
	secret_wipe(&scan->folded);
}

size_t secret_folded_len(const char *data, size_t len)
{
	size_t folded = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r')
			continue;
		if (data[i] == '%' && i + 2 < len && digit(data[i + 1]) >= 0 &&
		    digit(data[i + 2]) >= 0)
			i += 2;
		folded++;
	}
	return folded;
}
