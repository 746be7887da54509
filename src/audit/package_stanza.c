/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/package.h"

#include <string.h>
#include <strings.h>
#include "base/buf.h"

const char *stanza_end(const char *text)
{
	const char *end = strstr(text, "\n\n");

	return end ? end + 1 : text + strlen(text);
}

static const char *line_end(const char *line, const char *end)
{
	const char *newline = memchr(line, '\n', (size_t)(end - line));

	return newline ? newline : end;
}

static char *value_of(const char *from, const char *end)
{
	struct buf value = BUF_INIT;
	const char *stop = line_end(from, end);

	while (from < stop && (*from == ' ' || *from == '\t'))
		from++;
	buf_add(&value, from, (size_t)(stop - from));
	while (stop < end && stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t')) {
		from = stop;
		stop = line_end(stop + 1, end);
		buf_add(&value, from, (size_t)(stop - from));
	}
	while (value.len > 0 && strchr(" \t\r", value.data[value.len - 1]))
		value.data[--value.len] = '\0';
	return buf_steal(&value);
}

char *stanza_field(const char *text, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line < end; line = line_end(line, end) + 1)
		if ((size_t)(end - line) > len && line[len] == ':' &&
		    strncasecmp(line, name, len) == 0)
			return value_of(line + len + 1, end);
	return NULL;
}
