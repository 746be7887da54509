/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_text.h"

#include <stdint.h>

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

/* libfyaml 0.7 needs time in the square of a run of blank lines in a block scalar. */
static int too_many_blank_lines(const struct recipe_place *at, struct varve_error *err)
{
	return recipe_error(at, err, "more than %d blank lines in a row", TEXT_BLANK_LINES);
}

int text_check_file(const char *text, size_t len, const char *file, struct varve_error *err)
{
	struct recipe_place at = {file, 1, 1};
	unsigned last_text = 0;
	size_t size;

	if (len > TEXT_LIMIT)
		return recipe_error(&at, err, "the file is larger than %d bytes", TEXT_LIMIT);
	for (size_t i = 0; i < len; i += size) {
		if (text[i] == '\0')
			return recipe_error(&at, err, "a NUL byte: this is not a text file");
		size = text_character(text + i, len - i);
		if (size == 0)
			return recipe_error(&at, err, "the byte 0x%02x: this is not UTF-8 text",
					    (unsigned char)text[i]);
		at.column++;
		if (text[i] == '\n' || text[i] == '\r') {
			at.line++;
			at.column = 1;
		} else if (text[i] != ' ' && text[i] != '\t') {
			last_text = at.line;
		}
		if (at.line - last_text > TEXT_BLANK_LINES)
			return too_many_blank_lines(&at, err);
	}
	return 0;
}
