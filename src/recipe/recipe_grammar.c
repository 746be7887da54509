/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_grammar.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "recipe/recipe_template.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum { GRAMMAR_LONGEST_NAME = 128 };

struct rule {
	const char *first, *rest; /* characters of a name; NULL: the function decides */
	bool (*matches)(const char *text);
	const char *told; /* what would do, for the error */
};

static bool is_filled(const char *text)
{
	return text[0] != '\0';
}

static bool is_word(const char *text)
{
	return text[0] != '\0' && text[strcspn(text, " \t\n")] == '\0';
}

static bool is_snapshot(const char *text)
{
	const char *shape = "00000000T000000Z";

	if (strlen(text) != strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == '0' ? !strchr(DIGIT, text[i]) : text[i] != shape[i])
			return false;
	return true;
}

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && strspn(text, DIGIT "abcdef") == 64;
}

static bool is_href(const char *text)
{
	return is_word(text) && ((str_starts(text, "https://") && strlen(text) > 8) ||
				 (str_starts(text, "http://") && strlen(text) > 7));
}

static bool is_filename(const char *text)
{
	return path_is_clean(text) && !strchr(text, '/');
}

static bool is_absolute(const char *text)
{
	CLEANUP(free_ptr) char *clean = text[0] == '/' ? path_clean(text) : NULL;

	return clean != NULL;
}

static bool is_pattern(const char *text)
{
	CLEANUP(free_ptr) char *clean = path_clean(text);

	return clean && clean[0] != '\0';
}

static bool is_relative(const char *text)
{
	return text[0] != '\0' && text[0] != '/';
}

static bool is_mode(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 5 && strspn(text, "01234567") == len &&
	       (len < 5 || text[0] == '0');
}

static bool is_port(const char *text)
{
	CLEANUP(free_ptr) char *number = xstrndup(text, strcspn(text, "/"));
	const char *protocol = text + strlen(number);
	unsigned long long port;

	if (!str_to_u64(number, 65535, &port) || port == 0)
		return false;
	return protocol[0] == '\0' || str_equal(protocol, "/tcp") || str_equal(protocol, "/udp") ||
	       str_equal(protocol, "/sctp");
}

static bool is_registry(const char *text)
{
	size_t host = strcspn(text, "/");

	if (host == 0 || strspn(text, LOWER UPPER DIGIT ".-:[]") < host)
		return false;
	return text[host] == '\0' ||
	       (path_is_clean(text + host + 1) &&
		strspn(text + host + 1, LOWER DIGIT "._-/") == strlen(text + host + 1));
}

/* Where the host begins after "scheme://" or in HOST:PATH. A password would get into the lock. */
static bool is_git_host(const char *text, size_t len)
{
	const char *at = memchr(text, '@', len);
	size_t user = at ? (size_t)(at - text) : 0;

	if (at && memchr(text, ':', user))
		return false;
	return len > (at ? user + 1 : 0) && text[0] != '-' && text[at ? user + 1 : 0] != '-';
}

static bool is_git_url(const char *text)
{
	static const char *const schemes[] = {"https://", "http://", "ssh://", "git://"};
	size_t colon = strcspn(text, ":");

	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	if (text[0] == '-' || strstr(text, "::"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(text, schemes[i])) {
			text += strlen(schemes[i]);
			return is_git_host(text, strcspn(text, "/"));
		}
	if (str_starts(text, "file:///") || text[0] == '/' || str_starts(text, "./") ||
	    str_starts(text, "../"))
		return true;
	return text[colon] == ':' && strcspn(text, "/") > colon && text[colon + 1] != '\0' &&
	       text[colon + 1] != '-' && !str_starts(text + colon, "://") &&
	       is_git_host(text, colon);
}

/* git-check-ref-format(1), for a whole name or the short form of one. */
static bool is_git_ref(const char *text)
{
	if (text[0] == '\0' || text[0] == '-' || text[0] == '/' || str_ends(text, "/") ||
	    str_ends(text, ".") || str_equal(text, "@"))
		return false;
	if (strstr(text, "..") || strstr(text, "//") || strstr(text, "@{") || strstr(text, "/.") ||
	    text[0] == '.' || strstr(text, ".lock/") || str_ends(text, ".lock"))
		return false;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("~^:?*[\\", *c))
			return false;
	return strlen(text) < 1024;
}

static bool is_image(const char *text)
{
	const char *rest = strchr(text, ':');

	if (!recipe_is_image(text))
		return false;
	rest += str_starts(rest, "://") ? 3 : 1;
	return *rest != '\0' && *rest != ':';
}

static bool is_platform(const char *text)
{
	CLEANUP(free_ptr) char *clean = path_clean(text);
	size_t slashes = 0;

	for (const char *c = text; *c; c++)
		slashes += *c == '/';
	return str_equal(clean, text) && (slashes == 1 || slashes == 2) &&
	       strspn(text, LOWER DIGIT "._/") == strlen(text);
}

/* One "=" or "/" with something on both sides. */
static bool is_pin(const char *text)
{
	size_t name = strcspn(text, "=/");

	return is_word(text) && name > 0 && text[name] != '\0' && text[name + 1] != '\0' &&
	       (text[name] == '=' || !strchr(text + name + 1, '/'));
}

/* MAJOR.N */
static bool is_version(const char *text, const char *major)
{
	size_t len;

	if (!str_starts(text, major))
		return false;
	len = strspn(text + strlen(major), DIGIT);
	return len > 0 && len <= 3 && text[strlen(major) + len] == '\0';
}

static bool is_python(const char *text)
{
	return is_version(text, "3.");
}

static bool is_glibc(const char *text)
{
	return is_version(text, "2.");
}

/* A "0" in the shape stands for a digit. Returns what follows, or NULL. */
static const char *follow(const char *text, const char *shape)
{
	for (; *shape; shape++, text++)
		if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
			return NULL;
	return text;
}

static bool is_date(const char *text)
{
	const char *rest = follow(text, "0000-00-00");

	if (rest && *rest != '\0')
		rest = follow(rest, "T00:00:00Z");
	return rest && *rest == '\0';
}

/* What follows the name is for the resolver to read; what could lead it elsewhere is refused. */
static bool is_requirement(const char *text)
{
	return text[0] != '\0' && strchr(LOWER UPPER DIGIT, text[0]) &&
	       text[strcspn(text, "@\\#\n\r")] == '\0' && !strstr(text, "://") &&
	       !strstr(text, " -");
}

static const struct rule rules[] = {
	[GRAMMAR_NAME] = {LOWER DIGIT, LOWER DIGIT "._-", NULL,
			  "lower-case letters, digits, \".\", \"_\" and \"-\", a letter or digit "
			  "first"},
	[GRAMMAR_OPTION] = {LOWER, LOWER DIGIT "-", NULL,
			    "lower-case letters, digits and \"-\", a letter first"},
	[GRAMMAR_VARIABLE] = {LOWER, LOWER DIGIT "_-", NULL,
			      "lower-case letters, digits, \"_\" and \"-\", a letter first"},
	[GRAMMAR_SOURCE] = {LOWER DIGIT, LOWER DIGIT "_-", NULL,
			    "lower-case letters, digits, \"_\" and \"-\", a letter or digit first"},
	[GRAMMAR_ENVIRONMENT] = {LOWER UPPER "_", LOWER UPPER DIGIT "_", NULL,
				 "letters, digits and \"_\", no digit first"},
	[GRAMMAR_SECRET] = {LOWER UPPER DIGIT, LOWER UPPER DIGIT "._-", NULL,
			    "letters, digits, \".\", \"_\" and \"-\", a letter or digit first"},
	[GRAMMAR_LABEL] = {NULL, NULL, is_filled, "text that is not empty"},
	[GRAMMAR_SNAPSHOT] = {NULL, NULL, is_snapshot, "YYYYMMDDTHHMMSSZ"},
	[GRAMMAR_SHA256] = {NULL, NULL, is_sha256, "64 hexadecimal digits in lower case"},
	[GRAMMAR_HREF] = {NULL, NULL, is_href, "a URL that starts with https:// or http://"},
	[GRAMMAR_WORD] = {NULL, NULL, is_word, "one word without blanks"},
	[GRAMMAR_FILENAME] = {NULL, NULL, is_filename, "the name of a file without \"/\""},
	[GRAMMAR_ABSOLUTE] = {NULL, NULL, is_absolute,
			      "a path that starts with \"/\" and has no \"..\""},
	[GRAMMAR_RELATIVE] = {NULL, NULL, is_relative, "a path relative to the recipe"},
	[GRAMMAR_PATTERN] = {NULL, NULL, is_pattern,
			     "a path or a pattern from the root of the image, without \"..\""},
	[GRAMMAR_MODE] = {NULL, NULL, is_mode, "an octal mode from 0 to 07777"},
	[GRAMMAR_PORT] = {NULL, NULL, is_port,
			  "a port from 1 to 65535, with /tcp, /udp or /sctp or without"},
	[GRAMMAR_PIN] = {NULL, NULL, is_pin, "NAME=VERSION or NAME/SUITE, with * and ? in them"},
	[GRAMMAR_PYTHON] = {NULL, NULL, is_python, "two numbers, as \"3.11\""},
	[GRAMMAR_GLIBC] = {NULL, NULL, is_glibc, "two numbers, as \"2.36\""},
	[GRAMMAR_DATE] = {NULL, NULL, is_date, "YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ"},
	[GRAMMAR_REQUIREMENT] = {NULL, NULL, is_requirement,
				 "a name with extras, versions and markers, without options, "
				 "URLs and paths"},
	[GRAMMAR_REGISTRY] = {NULL, NULL, is_registry, "HOST[:PORT][/PREFIX]"},
	[GRAMMAR_GIT_URL] = {NULL, NULL, is_git_url,
			     "an https, http, ssh, git or file URL, [USER@]HOST:PATH, /PATH or "
			     "./PATH, without a password: that is for git's credential helpers"},
	[GRAMMAR_GIT_REF] = {NULL, NULL, is_git_ref, "the name of a branch or a tag, or a commit"},
	[GRAMMAR_IMAGE] =
		{NULL, NULL, is_image,
		 "docker://HOST/NAME[:TAG][@DIGEST], oci:DIR[:NAME], oci-archive:FILE[:NAME] or "
		 "docker-archive:FILE[:NAME]"},
	[GRAMMAR_PLATFORM] = {NULL, NULL, is_platform, "OS/ARCH or OS/ARCH/VARIANT"},
};

bool grammar_matches(enum grammar grammar, const char *text)
{
	const struct rule *rule = &rules[grammar];

	if (rule->matches)
		return rule->matches(text);
	return text[0] != '\0' && strchr(rule->first, text[0]) &&
	       strlen(text) <= GRAMMAR_LONGEST_NAME && strspn(text, rule->rest) == strlen(text);
}

int grammar_check(enum grammar grammar, const struct recipe_value *value, const char *what,
		  struct varve_error *err)
{
	int r;

	if (grammar_matches(grammar, value->text))
		return 0;
	r = recipe_error(&value->at, err, "\"%s\" cannot be %s", value->text, what);
	varve_error_hint(err, "it takes %s", rules[grammar].told);
	return r;
}

int grammar_check_literal(enum grammar grammar, const struct recipe_value *value, const char *what,
			  struct varve_error *err)
{
	if (!value->text || template_is(value->text))
		return 0;
	return grammar_check(grammar, value, what, err);
}
