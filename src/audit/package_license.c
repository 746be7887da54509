/* SPDX-License-Identifier: Apache-2.0
 * Licences by the names that SPDX has for them. */
#include "audit/package.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* How Debian, Python and Alpine write it; SPDX's name. */
static const struct {
	const char *name, *id;
} names[] = {
	{"0BSD", NULL},
	{"AFL-2.1", NULL},
	{"AGPL-3", "AGPL-3.0-only"},
	{"AGPL-3+", "AGPL-3.0-or-later"},
	{"AGPL-3.0-only", NULL},
	{"AGPL-3.0-or-later", NULL},
	{"Apache", "Apache-2.0"},
	{"Apache 2.0", "Apache-2.0"},
	{"Apache License 2.0", "Apache-2.0"},
	{"Apache License, Version 2.0", "Apache-2.0"},
	{"Apache Software License", "Apache-2.0"},
	{"Apache-2", "Apache-2.0"},
	{"Apache-2.0", NULL},
	{"Artistic", "Artistic-1.0-Perl"},
	{"Artistic-1.0-Perl", NULL},
	{"Artistic-2", "Artistic-2.0"},
	{"Artistic-2.0", NULL},
	{"BSD 3-Clause", "BSD-3-Clause"},
	{"BSD 3-Clause License", "BSD-3-Clause"},
	{"BSD-2-Clause", NULL},
	{"BSD-3-Clause", NULL},
	{"BSD-4-Clause", NULL},
	{"BSL-1.0", NULL},
	{"CC-BY-3.0", NULL},
	{"CC-BY-4.0", NULL},
	{"CC-BY-SA-4.0", NULL},
	{"CC0", "CC0-1.0"},
	{"CC0-1.0", NULL},
	{"Expat", "MIT"},
	{"FSFAP", NULL},
	{"FSFUL", NULL},
	{"FSFULLR", NULL},
	{"GFDL-1.2-or-later", NULL},
	{"GFDL-1.3+", "GFDL-1.3-or-later"},
	{"GFDL-1.3-or-later", NULL},
	{"GNU General Public License v3 (GPLv3)", "GPL-3.0-only"},
	{"GPL-1", "GPL-1.0-only"},
	{"GPL-1+", "GPL-1.0-or-later"},
	{"GPL-2", "GPL-2.0-only"},
	{"GPL-2+", "GPL-2.0-or-later"},
	{"GPL-2.0", "GPL-2.0-only"},
	{"GPL-2.0+", "GPL-2.0-or-later"},
	{"GPL-2.0-only", NULL},
	{"GPL-2.0-or-later", NULL},
	{"GPL-3", "GPL-3.0-only"},
	{"GPL-3+", "GPL-3.0-or-later"},
	{"GPL-3.0", "GPL-3.0-only"},
	{"GPL-3.0+", "GPL-3.0-or-later"},
	{"GPL-3.0-only", NULL},
	{"GPL-3.0-or-later", NULL},
	{"HPND", NULL},
	{"ISC", NULL},
	{"ISC License (ISCL)", "ISC"},
	{"LGPL-2", "LGPL-2.0-only"},
	{"LGPL-2+", "LGPL-2.0-or-later"},
	{"LGPL-2.0-or-later", NULL},
	{"LGPL-2.1", "LGPL-2.1-only"},
	{"LGPL-2.1+", "LGPL-2.1-or-later"},
	{"LGPL-2.1-only", NULL},
	{"LGPL-2.1-or-later", NULL},
	{"LGPL-3", "LGPL-3.0-only"},
	{"LGPL-3+", "LGPL-3.0-or-later"},
	{"LGPL-3.0-only", NULL},
	{"LGPL-3.0-or-later", NULL},
	{"MIT", NULL},
	{"MIT License", "MIT"},
	{"MIT-0", NULL},
	{"MPL-1.1", NULL},
	{"MPL-2.0", NULL},
	{"Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"},
	{"NCSA", NULL},
	{"OFL-1.1", NULL},
	{"OLDAP-2.8", NULL},
	{"OpenSSL", NULL},
	{"PSF-2.0", NULL},
	{"Python Software Foundation License", "PSF-2.0"},
	{"The Unlicense (Unlicense)", "Unlicense"},
	{"Unicode-DFS-2016", NULL},
	{"Unlicense", NULL},
	{"Vim", NULL},
	{"X11", NULL},
	{"ZPL-2.1", NULL},
	{"Zlib", NULL},
	{"curl", NULL},
};

static const char *known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].name, name) == 0)
			return names[i].id ? names[i].id : names[i].name;
	return NULL;
}

/* A name that SPDX does not have. */
static char *reference(const char *name, struct strv *licenses)
{
	CLEANUP(buf_release) struct buf id = BUF_INIT;
	CLEANUP(free_ptr) char *row = NULL;

	buf_addstr(&id, "LicenseRef-");
	for (; *name && isspace((unsigned char)*name);)
		name++;
	for (const char *at = name; *at; at++)
		buf_addc(&id, isalnum((unsigned char)*at) || *at == '.' ? *at : '-');
	row = xasprintf("%s\t%s", buf_text(&id), name);
	if (!strv_contains(licenses, row))
		strv_add(licenses, row);
	return buf_steal(&id);
}

/* The next " and ", " or ", "," or "/" outside of parentheses' reach; ret_len: its length. */
static const char *next_joint(const char *text, size_t *ret_len)
{
	static const char *const joints[] = {" and ", " or ", ", ", "/", ";"};

	for (; *text; text++)
		for (size_t i = 0; i < ARRAY_SIZE(joints); i++)
			if (strncasecmp(text, joints[i], strlen(joints[i])) == 0) {
				*ret_len = strlen(joints[i]);
				return text;
			}
	return NULL;
}

static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text) || *text == '(')
		text++;
	for (len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	if (len > 0 && text[len - 1] == ')' && !strchr(text, '('))
		text[len - 1] = '\0';
	return text;
}

static void add_name(struct buf *out, char *name, struct strv *licenses)
{
	CLEANUP(free_ptr) char *made = NULL;

	name = trim(name);
	if (*name == '\0')
		return;
	made = known(name) ? xstrdup(known(name)) : reference(name, licenses);
	buf_addstr(out, made);
}

/* An expression already, of names that SPDX has. */
static bool is_expression(const char *text)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *at, *word;

	for (word = strtok_r(copy, " ()", &at); word; word = strtok_r(NULL, " ()", &at)) {
		const char *id = known(word);

		if (strcmp(word, "AND") != 0 && strcmp(word, "OR") != 0 &&
		    !(id && strcmp(id, word) == 0))
			return false;
	}
	return true;
}

/* One name, or names that are all joined by "or", or all by what means "and". Anything richer keeps
 * its name as a whole: what was misunderstood would be worse than what was not. */
char *license_expression(const char *text, struct strv *licenses)
{
	CLEANUP(free_ptr) char *whole = xstrdup(text);
	struct buf out = BUF_INIT;
	bool any = false, all = false;
	const char *joint;
	char *at = whole + strspn(whole, " \t");
	size_t len;

	if (is_expression(at))
		return xstrdup(at);
	if (known(trim(at)))
		return xstrdup(known(trim(at)));
	for (joint = next_joint(at, &len); joint; joint = next_joint(joint + len, &len)) {
		any = any || strncasecmp(joint, " or ", 4) == 0 || *joint == '/';
		all = all || !(strncasecmp(joint, " or ", 4) == 0 || *joint == '/');
	}
	if ((any && all) || (!any && !all) || strcasestr(text, " with ")) {
		add_name(&out, at, licenses);
		return buf_steal(&out);
	}
	while ((joint = next_joint(at, &len))) {
		char *end = at + (joint - at);

		*end = '\0';
		add_name(&out, at, licenses);
		buf_addstr(&out, any ? " OR " : " AND ");
		at = end + len;
	}
	add_name(&out, at, licenses);
	return buf_steal(&out);
}

static void add_unique(struct strv *all, char *take_expression)
{
	if (*take_expression && !strv_contains(all, take_expression))
		strv_take(all, take_expression);
	else
		free(take_expression);
}

char *license_of_copyright(const char *text, struct strv *licenses)
{
	CLEANUP(strv_release) struct strv all = STRV_INIT;
	struct buf out = BUF_INIT;

	if (!str_starts(text, "Format:") && !strstr(text, "\nFormat:"))
		return xstrdup("");
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		CLEANUP(free_ptr) char *name = NULL;

		if (!str_starts(text, "License:"))
			continue;
		name = xstrndup(text + 8, strcspn(text + 8, "\r\n"));
		add_unique(&all, license_expression(name, licenses));
	}
	strv_sort(&all);
	for (size_t i = 0; i < all.count; i++) {
		bool parts = strchr(all.items[i], ' ') && all.count > 1;

		buf_addf(&out, "%s%s%s%s", i > 0 ? " AND " : "", parts ? "(" : "", all.items[i],
			 parts ? ")" : "");
	}
	return buf_steal(&out);
}
