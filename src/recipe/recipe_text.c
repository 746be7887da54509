/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_text.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

size_t text_character(const char *text, size_t len)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)text[0];
	size_t size = sequence_length(lead);
	uint32_t point;

	if (size <= 1)
		return size;
	if (size > len)
		return 0;
	point = lead & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (point < smallest[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return size;
}

bool text_is_valid(const char *text, size_t len)
{
	size_t size;

	for (size_t i = 0; i < len; i += size) {
		size = text[i] ? text_character(text + i, len - i) : 0;
		if (size == 0)
			return false;
	}
	return true;
}

/* The bytes of a line break at text, 0 where there is none. NEL, LS and PS break lines in YAML 1.1.
 */
static size_t line_break(const char *text, size_t len)
{
	static const char *const breaks[] = {"\r\n",     "\n",           "\r",
					     "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		size_t size = strlen(breaks[i]);

		if (size <= len && memcmp(text, breaks[i], size) == 0)
			return size;
	}
	return 0;
}

/* The size of the character or line break at text, with the place moved behind it. */
static int read_character(const char *text, size_t len, struct recipe_place *at, size_t *ret,
			  struct varve_error *err)
{
	if (text[0] == '\0')
		return recipe_error(at, err, "a NUL byte: this is not a text file");
	*ret = line_break(text, len);
	if (*ret > 0) {
		at->line++;
		at->column = 1;
		return 0;
	}
	*ret = text_character(text, len);
	if (*ret == 0)
		return recipe_error(at, err, "the byte 0x%02x: this is not UTF-8 text",
				    (unsigned char)text[0]);
	at->column++;
	return 0;
}

int text_check_file(const char *text, size_t len, const char *file, struct varve_error *err)
{
	struct recipe_place at = {file, 1, 1};
	unsigned filled = 0; /* the last line that is not blank */
	size_t size = 0;
	int r;

	if (len > TEXT_LIMIT)
		return recipe_error(&at, err, "the file is larger than %d bytes", TEXT_LIMIT);
	for (size_t i = 0; i < len; i += size) {
		unsigned line = at.line;

		r = read_character(text + i, len - i, &at, &size, err);
		if (r < 0)
			return r;
		if (at.line == line && text[i] != ' ' && text[i] != '\t')
			filled = line;
		/* libfyaml 0.7 needs time in the square of such a run in a block scalar. */
		if (at.line - filled > TEXT_BLANK_LINES)
			return recipe_error(&at, err, "more than %d blank lines in a row",
					    TEXT_BLANK_LINES);
	}
	return 0;
}
