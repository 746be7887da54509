/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_pins.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_name.h"

enum { PINS_LIMIT = 20000 };

void python_pins_release(struct python_pins *pins)
{
	size_t i;

	for (i = 0; i < pins->count; i++) {
		free(pins->items[i].project);
		free(pins->items[i].version);
	}
	free(pins->items);
	*pins = (struct python_pins){0};
}

static int by_project(const void *a, const void *b)
{
	return strcmp(((const struct python_pin *)a)->project,
		      ((const struct python_pin *)b)->project);
}

/* "NAME[EXTRA]==VERSION ; MARKER" */
static int add_pin(const char *line, struct python_pins *ret, struct varve_error *err)
{
	size_t name = strcspn(line, "[=@ ;"), len;
	const char *equals = strstr(line, "==");
	const char *version = equals ? equals + 2 : "";
	CLEANUP(free_ptr) char *raw = xstrndup(line, name);

	version += *version == '=';
	len = strcspn(version, " \t;\\");
	if (name == 0 || len == 0 || strchr(line, '@') || ret->count >= PINS_LIMIT)
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "\"%.200s\" is not of an index: only packages that an index "
				       "has can be locked",
				       line);
	ret->items = array_grow(ret->items, ret->count, &ret->alloc, sizeof(*ret->items));
	ret->items[ret->count++] = (struct python_pin){.project = python_project(raw),
						       .version = xstrndup(version, len)};
	return 0;
}

static int parse_lines(const char *text, const char *prefix, struct python_pins *ret,
		       struct varve_error *err)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	CLEANUP(python_pins_release) struct python_pins pins = {0};
	char *rest = copy, *line;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		if (!str_starts(line, prefix))
			continue;
		line += strlen(prefix);
		if (*line && !strchr("# \t", *line))
			r = add_pin(line, &pins, err);
	}
	if (r < 0)
		return r;
	if (pins.count > 0)
		qsort(pins.items, pins.count, sizeof(*pins.items), by_project);
	*ret = pins;
	pins = (struct python_pins){0};
	return 0;
}

int python_pins_parse(const char *text, struct python_pins *ret, struct varve_error *err)
{
	return parse_lines(text, "", ret, err);
}

int python_pins_parse_dry_run(const char *text, struct python_pins *ret, struct varve_error *err)
{
	return parse_lines(text, " + ", ret, err);
}

/* --- requirements.txt --------------------------------------------------------------------------
 */

/* A line with its continuations, without comment and blanks around it. */
static bool is_plain(const char *line)
{
	const char *at = line, *option;

	while ((option = strstr(at, "--"))) {
		if (!str_starts(option, "--hash=sha256:"))
			return false;
		at = option + 2;
	}
	return (*line == '\0' || isalnum((unsigned char)*line)) && !strchr(line, '@') &&
	       !strstr(line, "://") && !strstr(line, " -e") && !strstr(line, " -r");
}

static void next_line(const char **text, struct buf *ret)
{
	bool more = true;

	buf_reset(ret);
	while (more && **text) {
		size_t len = strcspn(*text, "\n"), used = len;
		const char *comment = memchr(*text, '#', len);

		if (comment && (comment == *text || isspace((unsigned char)comment[-1])))
			used = (size_t)(comment - *text);
		while (used > 0 && isspace((unsigned char)(*text)[used - 1]))
			used--;
		more = used > 0 && (*text)[used - 1] == '\\';
		buf_add(ret, *text, used - more);
		*text += len + ((*text)[len] == '\n');
	}
}

int python_requirements_check(const char *text, const char *name, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	while (*text) {
		const char *start;

		next_line(&text, &line);
		start = buf_text(&line) + strspn(buf_text(&line), " \t\r");
		if (is_plain(start))
			continue;
		varve_error_set(err, -VARVE_E_RECIPE,
				"%s: \"%.100s\" is no requirement that an index can meet", name,
				start);
		varve_error_hint(err, "options, URLs and paths have no place in it; indexes are "
				      "named by the source's \"index\"");
		return -VARVE_E_RECIPE;
	}
	return 0;
}
