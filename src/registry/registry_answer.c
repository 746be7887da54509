/* SPDX-License-Identifier: Apache-2.0
 * What registries say when they refuse: a JSON document with errors, or anything at all. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "registry/registry_state.h"
#include "registry/registry_trust.h"

enum {
	SHOWN = 300, /* characters of a server's text */
	SECRET_MINIMUM = 4, /* shorter ones are found by chance */
};

static json_t *errors_of(const struct http_answer *answer)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	struct varve_error unused;

	if (json_parse(buf_text(&answer->text), answer->text.len, "answer", &document, &unused) < 0)
		return NULL;
	return json_incref(json_object_get(document, "errors"));
}

bool registry_said(const struct http_answer *answer, const char *code)
{
	CLEANUP(json_decrefp) json_t *errors = errors_of(answer);
	const json_t *one;
	size_t i;

	json_array_foreach(errors, i, one)
	{
		if (str_equal(json_optional_string(one, "code", ""), code))
			return true;
	}
	return false;
}

/* Text of a server goes to a terminal: one line, no control characters. */
static void add_harmless(struct buf *out, const char *text)
{
	size_t shown = 0;

	for (text += strspn(text, " \t\r\n"); *text && shown < SHOWN; text++, shown++)
		buf_addc(out, iscntrl((unsigned char)*text) ? ' ' : *text);
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

static void add_reason(struct buf *out, const struct http_answer *answer)
{
	CLEANUP(json_decrefp) json_t *errors = errors_of(answer);
	const json_t *first = json_array_get(errors, 0);
	const char *server = http_header(&answer->headers, "Server");

	if (first) {
		add_harmless(out, json_optional_string(first, "code", ""));
		buf_addstr(out, ": ");
		add_harmless(out, json_optional_string(first, "message", ""));
	} else if (answer->text.len > 0 && memchr(answer->text.data, '<', answer->text.len)) {
		buf_addstr(out, "an HTML page, not a registry's answer");
		if (server)
			buf_addstr(out, ", from ");
		add_harmless(out, server ? server : "");
	} else {
		add_harmless(out, buf_text(&answer->text));
	}
}

static void blank(struct buf *text, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	char *at = text->data;

	if (!secret || !at || len < SECRET_MINIMUM)
		return;
	for (; (at = memmem(at, text->len - (size_t)(at - text->data), secret, len)); at += len)
		memset(at, '*', len);
}

/* A server may repeat what it was sent. */
static void blank_secrets(struct buf *text, const struct credentials *c)
{
	static const char *const schemes[] = {"Basic ", "Bearer "};

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && text->data; i++) {
		char *at = strcasestr(text->data, schemes[i]);

		for (; at; at = strcasestr(at + 1, schemes[i])) {
			char *token = at + strlen(schemes[i]);

			memset(token, '*', strcspn(token, " ,;)\""));
		}
	}
	blank(text, c->secret);
	blank(text, c->identity_token);
	blank(text, c->registry_token);
}

/* nginx takes the connection, and says it in a page. */
static bool wants_certificate(const struct http_answer *answer)
{
	return (answer->status == 400 || answer->status == 403) && answer->text.len > 0 &&
	       memmem(answer->text.data, answer->text.len, "SSL certificate",
		      strlen("SSL certificate"));
}

static void add_hint(const struct registry *registry, const struct http_answer *answer,
		     struct varve_error *err)
{
	if (wants_certificate(answer)) {
		CLEANUP(free_ptr)
		char *place = registry_trust_place(registry->cert_dir, registry->host);

		varve_error_hint(err,
				 "it wants a certificate from its clients: put NAME.cert and "
				 "NAME.key (PEM) into %s",
				 place);
	} else if (answer->status == 413)
		varve_error_hint(err, "a proxy before the registry limits request bodies; "
				      "--chunk-size sends smaller pieces");
	else if (answer->retry_after > 0)
		varve_error_hint(err, "it asks to wait %lld s", (long long)answer->retry_after);
}

int registry_blame(int code)
{
	return code == -VARVE_E_NOT_FOUND || code == -VARVE_E_DIGEST || code == -VARVE_E_FORMAT ||
			       code == -VARVE_E_LIMIT
		       ? -VARVE_E_NETWORK
		       : code;
}

int registry_complain(const struct registry *registry, const struct http_answer *answer,
		      struct varve_error *err, const char *what, ...)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf reason = BUF_INIT;
	va_list args;

	va_start(args, what);
	buf_addv(&text, what, args);
	va_end(args);
	add_reason(&reason, answer);
	blank_secrets(&reason, &registry->credentials);
	varve_error_set(err, -VARVE_E_NETWORK, "%s: %s: HTTP status %ld%s%s%s",
			registry_name(registry), buf_text(&text), answer->status,
			reason.len ? " (" : "", buf_text(&reason), reason.len ? ")" : "");
	add_hint(registry, answer, err);
	return -VARVE_E_NETWORK;
}
