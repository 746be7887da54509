/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { HOST_LIMIT = 300 };

static const char token[] =
	"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

void record_head_release(struct record_head *head)
{
	free(head->text);
	free(head->fields);
	*head = (struct record_head){0};
}

size_t record_head_length(const char *text, size_t len)
{
	size_t i, line = 0;

	for (i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		if (i > 0 && (i == line || (i == line + 1 && text[line] == '\r')))
			return i + 1;
		line = i + 1;
	}
	return 0;
}

static int wrong(struct varve_error *err, const char *what)
{
	return varve_error_set(err, -VARVE_E_FORMAT, "the request has %s", what);
}

/* Cuts the next line off, without its end. */
static char *take_line(char **rest)
{
	char *line = strsep(rest, "\n");
	size_t len = line ? strlen(line) : 0;

	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	return line;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return true;
	return false;
}

static int parse_first(char *line, struct record_head *ret, struct varve_error *err)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version || has_control(line))
		return wrong(err, "no request line");
	*target++ = '\0';
	*version++ = '\0';
	if (!*line || line[strspn(line, token)] || !*target || strlen(target) > RECORD_URL_LIMIT)
		return wrong(err, "no method or target that makes sense");
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return wrong(err, "another version than HTTP/1.1");
	ret->method = line;
	ret->target = target;
	ret->minor = version[7] == '1' ? 1 : 0;
	return 0;
}

static int parse_field(char *line, struct record_head *ret, struct varve_error *err)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (!colon || colon == line || has_control(line))
		return wrong(err, "a line that is no field");
	*colon = '\0';
	if (line[strspn(line, token)])
		return wrong(err, "a field whose name makes no sense");
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = value + strlen(value); end > value && strchr(" \t", end[-1]);)
		*--end = '\0';
	if (ret->count == RECORD_FIELD_LIMIT)
		return wrong(err, "too many fields");
	ret->fields = array_grow(ret->fields, ret->count, &ret->alloc, sizeof(*ret->fields));
	ret->fields[ret->count++] = (struct record_field){line, value};
	return 0;
}

static int read_length(struct record_head *head, struct varve_error *err)
{
	const char *coding = record_head_field(head, "Transfer-Encoding");
	const char *length = record_head_field(head, "Content-Length");
	unsigned long long value = 0;
	size_t i;

	for (i = 0; i < head->count; i++)
		if (strcasecmp(head->fields[i].name, "Content-Length") == 0 &&
		    strcmp(head->fields[i].value, length) != 0)
			return wrong(err, "two different lengths");
	if (length && (coding || !str_to_u64(length, INT64_MAX, &value)))
		return wrong(err, "a length that makes no sense");
	if (coding && strcasecmp(coding, "chunked") != 0)
		return wrong(err, "an unknown transfer coding");
	head->length = value;
	head->chunked = coding != NULL;
	head->has_body = coding || value > 0;
	return 0;
}

static void read_connection(struct record_head *head)
{
	const char *connection = record_head_field(head, "Connection");
	const char *expect = record_head_field(head, "Expect");

	if (!connection)
		connection = record_head_field(head, "Proxy-Connection");
	head->close = head->minor == 0 || (connection && strcasestr(connection, "close"));
	head->expects = expect && strcasecmp(expect, "100-continue") == 0;
}

int record_head_parse(const char *text, size_t len, struct record_head *ret,
		      struct varve_error *err)
{
	CLEANUP(record_head_release) struct record_head head = {0};
	char *rest, *line;
	int r;

	if (memchr(text, '\0', len))
		return wrong(err, "a zero byte");
	head.text = xstrndup(text, len);
	rest = head.text;
	r = parse_first(take_line(&rest), &head, err);
	while (r == 0 && (line = take_line(&rest)) && *line)
		r = parse_field(line, &head, err);
	if (r == 0)
		r = read_length(&head, err);
	if (r < 0)
		return r;
	read_connection(&head);
	*ret = head;
	head = (struct record_head){0};
	return 0;
}

const char *record_head_field(const struct record_head *head, const char *name)
{
	size_t i;

	for (i = 0; i < head->count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

char *record_head_python(const struct record_head *head)
{
	static const char *const before[] = {"\"python\":\"3.", "Python-urllib/3."};
	const char *agent = record_head_field(head, "User-Agent");
	size_t i;

	for (i = 0; agent && i < ARRAY_SIZE(before); i++) {
		const char *at = strstr(agent, before[i]);
		const char *minor = at ? at + strlen(before[i]) : "";
		size_t digits = strspn(minor, "0123456789");

		if (digits > 0 && digits < 3)
			return xasprintf("3.%.*s", (int)digits, minor);
	}
	return NULL;
}

bool record_field_is_hop(const char *name)
{
	static const char *const names[] = {
		"Connection", "Keep-Alive",     "TE",   "Trailer",        "Transfer-Encoding",
		"Upgrade",    "HTTP2-Settings", "Host", "Content-Length", "Expect"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return strncasecmp(name, "Proxy-", 6) == 0;
}

bool record_head_has_credentials(const struct record_head *head)
{
	static const char *const names[] = {"Authorization", "Cookie",       "Private-Token",
					    "X-Api-Key",     "X-Auth-Token", "Job-Token"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (record_head_field(head, names[i]))
			return true;
	return false;
}

/* True for nothing, and for ":443". */
static bool is_port(const char *text)
{
	unsigned long long port;

	return !*text || (*text == ':' && str_to_u64(text + 1, UINT16_MAX, &port) && port > 0);
}

bool record_is_host(const char *text)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t len;

	if (strlen(text) >= HOST_LIMIT)
		return false;
	if (*text == '[') {
		len = strspn(text + 1, "0123456789abcdefABCDEF:.");
		return len > 0 && text[1 + len] == ']' && is_port(text + len + 2);
	}
	len = strspn(text, allowed);
	return len > 0 && is_port(text + len);
}

/* "user:secret@host:1" -> "host:1" */
static const char *without_user(const char *authority, size_t *len)
{
	const char *at = memrchr(authority, '@', *len);

	if (!at)
		return authority;
	*len -= (size_t)(at + 1 - authority);
	return at + 1;
}

char *record_head_url(const struct record_head *head, const char *scheme, const char *host)
{
	const char *target = head->target, *authority, *path;
	CLEANUP(free_ptr) char *name = NULL;
	size_t len;

	if (*target == '/') {
		authority = host ? host : record_head_field(head, "Host");
		path = target;
		len = authority ? strlen(authority) : 0;
	} else {
		authority = strstr(target, "://");
		if (!authority || strncasecmp(target, "http", 4) != 0)
			return NULL;
		scheme = strncasecmp(target, "https:", 6) == 0 ? "https" : "http";
		authority += strlen("://");
		len = strcspn(authority, "/?#");
		path = authority + len;
		authority = without_user(authority, &len);
	}
	name = xstrndup(authority ? authority : "", len);
	if (!record_is_host(name))
		return NULL;
	return xasprintf("%s://%s%s%.*s", scheme, name, *path == '/' ? "" : "/",
			 (int)strcspn(path, "#"), path);
}
