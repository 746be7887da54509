/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_refs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define DATE_LAST INT64_C(253402300799) /* end of the year 9999 */

void git_refs_release(struct git_refs *refs)
{
	for (size_t i = 0; i < refs->count; i++) {
		free(refs->items[i].name);
		free(refs->items[i].target);
	}
	free(refs->items);
	*refs = (struct git_refs){0};
}

static size_t hex_length(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

bool git_is_object(const char *text)
{
	size_t len = hex_length(text);

	return text[len] == '\0' && (len == 40 || len == 64);
}

bool git_is_abbreviation(const char *text)
{
	size_t len = hex_length(text);

	return text[len] == '\0' && len >= GIT_SHORTEST && len < 64;
}

static struct git_ref *find(const struct git_refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->count; i++)
		if (str_equal(refs->items[i].name, name))
			return &refs->items[i];
	return NULL;
}

static struct git_ref *add(struct git_refs *refs, char *take_name)
{
	struct git_ref *ref;

	refs->items = array_grow(refs->items, refs->count, &refs->alloc, sizeof(*refs->items));
	ref = &refs->items[refs->count++];
	ref->name = take_name;
	return ref;
}

/* "HEX\tNAME", "HEX\tNAME^{}" (what the tag before it names) or "ref: TARGET\tNAME". */
static int read_line(const char *line, struct git_refs *refs, struct varve_error *err)
{
	const char *tab = strchr(line, '\t');
	CLEANUP(free_ptr) char *first = tab ? xstrndup(line, (size_t)(tab - line)) : NULL;
	CLEANUP(free_ptr) char *name = tab ? xstrdup(tab + 1) : NULL;
	struct git_ref *ref;

	if (!tab || !*name)
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "git ls-remote answers \"%.100s\", which is no ref", line);
	if (str_ends(name, "^{}"))
		name[strlen(name) - 3] = '\0';
	ref = find(refs, name);
	if (!ref)
		ref = add(refs, steal_ptr(&name));
	if (str_starts(first, "ref: ")) {
		free(ref->target);
		ref->target = xstrdup(first + 5);
		return 0;
	}
	if (!git_is_object(first))
		return varve_error_set(err, -VARVE_E_FORMAT,
				       "git ls-remote answers \"%.100s\", which is no ref", line);
	(void)snprintf(ref->hex, sizeof(ref->hex), "%s", first);
	return 0;
}

int git_refs_parse(const char *text, struct git_refs *ret, struct varve_error *err)
{
	struct git_refs refs = {0};
	int r = 0;

	while (*text && r == 0) {
		size_t len = strcspn(text, "\n");
		CLEANUP(free_ptr) char *line = xstrndup(text, len);

		r = read_line(line, &refs, err);
		text += len + (text[len] == '\n');
	}
	if (r < 0) {
		git_refs_release(&refs);
		return r;
	}
	*ret = refs;
	return 0;
}

/* A ref without an object (a HEAD that is not born yet) counts as none. */
static const struct git_ref *find_named(const struct git_refs *refs, const char *prefix,
					const char *text)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s%s", prefix, text);
	const struct git_ref *ref = find(refs, name);

	return ref && *ref->hex ? ref : NULL;
}

int git_refs_choose(const struct git_refs *refs, const char *text, const struct git_ref **ret,
		    struct varve_error *err)
{
	const struct git_ref *branch, *tag;

	if (*text == '\0' || str_starts(text, "refs/") || str_equal(text, "HEAD")) {
		*ret = find_named(refs, "", *text ? text : "HEAD");
		return 0;
	}
	branch = find_named(refs, "refs/heads/", text);
	tag = find_named(refs, "refs/tags/", text);
	if (branch && tag && strcmp(branch->hex, tag->hex) != 0)
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "\"%s\" is a branch and a tag there, of different commits\n"
				       "write refs/heads/%s or refs/tags/%s",
				       text, text, text);
	*ret = branch ? branch : tag;
	return 0;
}

static const char *short_name(const char *name)
{
	if (str_starts(name, "refs/heads/"))
		return name + strlen("refs/heads/");
	return str_starts(name, "refs/tags/") ? name + strlen("refs/tags/") : name;
}

const char *git_refs_nearest(const struct git_refs *refs, const char *text)
{
	CLEANUP(free_ptr) const char **names = xcalloc(refs->count + 1, sizeof(const char *));

	for (size_t i = 0; i < refs->count; i++)
		names[i] = short_name(refs->items[i].name);
	return str_nearest(text, names);
}

/* --- commits ---------------------------------------------------------------------------------- */

/* The text after "\nFIELD " in the header, which ends at the first empty line. */
static const char *find_field(const char *text, const char *field)
{
	size_t len = strlen(field);

	while (*text && *text != '\n') {
		if (strncmp(text, field, len) == 0 && text[len] == ' ')
			return text + len + 1;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

/* "Name <mail> SECONDS ZONE": the date is what comes before the last blank of the line. */
static long long committer_date(const char *line)
{
	CLEANUP(free_ptr) char *text = xstrndup(line, strcspn(line, "\n"));
	char *zone = strrchr(text, ' '), *date;
	unsigned long long seconds = 0;

	if (!zone)
		return 0;
	*zone = '\0';
	date = strrchr(text, ' ');
	if (!date || !str_to_u64(date + 1, DATE_LAST, &seconds))
		return 0;
	return (long long)seconds;
}

int git_commit_parse(const char *text, char tree[GIT_HEX], long long *ret_date,
		     struct varve_error *err)
{
	const char *object = find_field(text, "tree");
	const char *committer = find_field(text, "committer");
	CLEANUP(free_ptr) char *hex = object ? xstrndup(object, hex_length(object)) : NULL;

	if (!hex || !git_is_object(hex) || !committer)
		return varve_error_set(err, -VARVE_E_FORMAT, "a commit without tree or committer");
	(void)snprintf(tree, GIT_HEX, "%s", hex);
	*ret_date = committer_date(committer);
	return 0;
}
