/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_template.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { TEMPLATE_DIGITS = 6 };

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

bool template_is(const char *text)
{
	return strstr(text, "${") != NULL;
}

size_t template_owner(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? (size_t)(dot - name) : 0;
}

/* Columns inside a value depend on its quoting, so only lines are counted. */
static struct recipe_place place_of(const struct recipe_value *value, size_t offset)
{
	struct recipe_place at = value->at;

	for (size_t i = 0; i < offset; i++)
		if (value->text[i] == '\n')
			at.line++;
	return at;
}

static int bad_name(const struct template_part *part, const char *start, struct varve_error *err)
{
	size_t len = strcspn(start, "}\n");
	int r;

	if (start[len] != '}' || len > TEMPLATE_NAME / 2)
		r = recipe_error(&part->at, err, "\"${\" without a name and a \"}\" behind it");
	else
		r = recipe_error(&part->at, err,
				 "\"${%.*s}\" is neither ${NAME} nor ${NAME:.NUMBER}", (int)len,
				 start);
	varve_error_hint(err, "a literal \"${\", as in a shell script, is written \"$${\"");
	return r;
}

/* ":.12" -> 12. Returns what stands behind it, or NULL. */
static const char *read_cut(const char *text, struct template_part *part)
{
	size_t digits;

	if (text[0] != ':')
		return text;
	if (text[1] != '.')
		return NULL;
	text += 2;
	digits = strspn(text, "0123456789");
	if (digits == 0 || digits > TEMPLATE_DIGITS)
		return NULL;
	part->has_cut = true;
	for (; digits > 0; digits--)
		part->cut = part->cut * 10 + (size_t)(*text++ - '0');
	return text;
}

static int read_name(const char *start, size_t *offset, struct template_part *part,
		     struct varve_error *err)
{
	const char *end;
	size_t len = 0;

	while (is_name_character(start[len]))
		len++;
	if (len == 0 || len >= TEMPLATE_NAME)
		return bad_name(part, start, err);
	memcpy(part->name, start, len);
	part->name[len] = '\0';
	end = read_cut(start + len, part);
	if (!end || *end != '}')
		return bad_name(part, start, err);
	*offset += (size_t)(end - start) + strlen("${}");
	return 1;
}

int template_next(const struct recipe_value *value, size_t *offset, struct template_part *ret,
		  struct varve_error *err)
{
	const char *text = value->text + *offset, *end;

	*ret = (struct template_part){.text = text};
	if (text[0] == '\0')
		return 0;
	ret->at = place_of(value, *offset);
	if (str_starts(text, "${")) {
		ret->text = NULL;
		return read_name(text + 2, offset, ret, err);
	}
	if (str_starts(text, "$${")) {
		ret->text = text + 1;
		ret->len = 2;
		*offset += 3;
		return 1;
	}
	end = strchr(text + 1, '$');
	while (end && !str_starts(end, "${") && !str_starts(end, "$${"))
		end = strchr(end + 1, '$');
	ret->len = end ? (size_t)(end - text) : strlen(text);
	*offset += ret->len;
	return 1;
}
