/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_toc_read.h"

#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const char start[] = "{\"version\":1,\"entries\":[";

/* What is left of the text. */
struct text {
	const char *at, *end;
};

static bool take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

struct word {
	const char *at;
	size_t len;
};

static bool is_word(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

/* Without escapes: no name with any is in a table of ours. */
static bool take_string(struct text *t, struct word *ret)
{
	const char *quote;

	if (!take(t, '"'))
		return false;
	quote = memchr(t->at, '"', (size_t)(t->end - t->at));
	if (!quote || memchr(t->at, '\\', (size_t)(quote - t->at)))
		return false;
	*ret = (struct word){t->at, (size_t)(quote - t->at)};
	t->at = quote + 1;
	return true;
}

static bool take_number(struct text *t, uint64_t *ret)
{
	uint64_t number = 0;
	const char *first = t->at;

	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
		if (number > (uint64_t)(INT64_MAX - 9) / 10)
			return false;
		number = number * 10 + (uint64_t)(*t->at - '0');
	}
	*ret = number;
	return t->at > first;
}

static bool take_digest(struct text *t, struct varve_digest *ret)
{
	char text[VARVE_DIGEST_TEXT];
	struct word word;

	if (!take_string(t, &word) || word.len != sizeof(text) - 1)
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	return varve_digest_parse(text, ret) == 0;
}

static bool take_type(struct text *t, struct toc_row *row)
{
	struct word word;

	if (!take_string(t, &word))
		return false;
	if (is_word(&word, "reg"))
		row->type = TOC_ROW_FILE;
	else if (is_word(&word, "chunk"))
		row->type = TOC_ROW_CHUNK;
	return true;
}

/* Extended attributes: an object of strings. */
static bool skip_object(struct text *t)
{
	struct word word;

	do
		if (!take_string(t, &word) || !take(t, ':') || !take_string(t, &word))
			return false;
	while (take(t, ','));
	return take(t, '}');
}

static bool skip_value(struct text *t)
{
	struct word word;
	uint64_t number;

	if (take(t, '{'))
		return skip_object(t);
	if (t->at < t->end && *t->at == '"')
		return take_string(t, &word);
	return take_number(t, &number);
}

static enum toc_member member_of(const struct word *name)
{
	static const char *const names[] = {
		[TOC_TYPE] = "type",
		[TOC_DIGEST] = "digest",
		[TOC_CHUNK_DIGEST] = "chunkDigest",
		[TOC_OFFSET] = "offset",
		[TOC_END_OFFSET] = "endOffset",
		[TOC_SIZE] = "size",
		[TOC_CHUNK_SIZE] = "chunkSize",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is_word(name, names[i]))
			return (enum toc_member)i;
	return TOC_MEMBERS;
}

static bool take_value(struct text *t, enum toc_member member, struct toc_row *row)
{
	switch (member) {
	case TOC_TYPE:
		return take_type(t, row);
	case TOC_DIGEST:
		return take_digest(t, &row->digest);
	case TOC_CHUNK_DIGEST:
		return take_digest(t, &row->chunk_digest);
	case TOC_OFFSET:
		return take_number(t, &row->offset);
	case TOC_END_OFFSET:
		return take_number(t, &row->end_offset);
	case TOC_SIZE:
		return take_number(t, &row->size);
	case TOC_CHUNK_SIZE:
		return take_number(t, &row->chunk_size);
	case TOC_MEMBERS:
	default:
		return skip_value(t);
	}
}

static bool take_member(struct text *t, struct toc_row *row)
{
	enum toc_member member;
	struct word name;

	if (!take_string(t, &name) || !take(t, ':'))
		return false;
	member = member_of(&name);
	if (member < TOC_MEMBERS && row->has & 1U << member)
		return false;
	row->has |= member < TOC_MEMBERS ? 1U << member : 0;
	return take_value(t, member, row);
}

static bool take_row(struct text *t, struct toc_row *row)
{
	if (!take(t, '{'))
		return false;
	if (take(t, '}'))
		return true;
	do
		if (!take_member(t, row))
			return false;
	while (take(t, ','));
	return take(t, '}');
}

bool toc_read_start(const char **at, const char *end)
{
	const size_t len = sizeof(start) - 1;

	if ((size_t)(end - *at) < len || memcmp(*at, start, len) != 0)
		return false;
	*at += len;
	return true;
}

int toc_read_row(const char **at, const char *end, struct toc_row *ret)
{
	struct text t = {*at, end};
	struct toc_row row = {.has = 0};

	if (t.at < end && *t.at == ']')
		return 0;
	if (!take_row(&t, &row) || t.at == end || (*t.at != ',' && *t.at != ']'))
		return -1;
	(void)take(&t, ',');
	*at = t.at;
	*ret = row;
	return 1;
}
