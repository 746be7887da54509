/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "image/image.h"

#define TRANSPORT "docker://"

void reference_release(struct reference *reference)
{
	free(reference->host);
	free(reference->repository);
	free(reference->tag);
	*reference = (struct reference){0};
}

static bool is_host(const char *text, size_t len)
{
	return memchr(text, '.', len) || memchr(text, ':', len) ||
	       (len == 9 && strncmp(text, "localhost", 9) == 0);
}

static bool port_is_possible(const char *name)
{
	CLEANUP(free_ptr) char *host = xstrndup(name, strcspn(name, "/"));
	const char *colon = strrchr(host, ':');
	unsigned long long port;

	return !colon || strchr(colon, ']') || (str_to_u64(colon + 1, 65535, &port) && port > 0);
}

static int no_host(const char *text, const char *name, struct varve_error *err)
{
	varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\" names no registry: HOST/PATH is needed",
			text);
	varve_error_hint(err, "for Docker's own registry write %sdocker.io/%s%.200s",
			 str_starts(text, TRANSPORT) ? TRANSPORT : "",
			 strchr(name, '/') ? "" : "library/", name);
	return -VARVE_E_USAGE;
}

/* name: without transport and digest, checked. */
static void split(const char *name, struct reference *ret)
{
	const char *slash = strchr(name, '/');
	const char *colon = strchr(strrchr(name, '/'), ':');
	size_t len = colon ? (size_t)(colon - slash - 1) : strlen(slash + 1);

	ret->host = xstrndup(name, (size_t)(slash - name));
	ret->repository = xstrndup(slash + 1, len);
	if (str_equal(ret->host, "docker.io") && !strchr(ret->repository, '/')) {
		char *official = xasprintf("library/%s", ret->repository);

		free(ret->repository);
		ret->repository = official;
	}
	if (colon)
		ret->tag = xstrdup(colon + 1);
}

int reference_parse(const char *text, struct reference *ret, struct varve_error *err)
{
	const char *start = str_starts(text, TRANSPORT) ? text + strlen(TRANSPORT) : text;
	const char *at = strchr(start, '@');
	CLEANUP(free_ptr)
	char *name = at ? xstrndup(start, (size_t)(at - start)) : xstrdup(start);
	const char *slash = strchr(name, '/');
	struct reference reference = {0};
	int r;

	if (at && varve_digest_parse(at + 1, &reference.digest) < 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "\"%.200s\": what follows \"@\" is no sha256 digest", text);
	r = image_name_check(name, err);
	if (r < 0)
		return r;
	if (slash && is_host(name, (size_t)(slash - name)) && !port_is_possible(name))
		return varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\": ports end at 65535", text);
	if (!slash || !is_host(name, (size_t)(slash - name)))
		return no_host(text, name, err);
	split(name, &reference);
	*ret = reference;
	return 0;
}

int reference_check_host(const char *host, struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s/name", host);

	if (!*host || strchr(host, '/') || strchr(host, '@') || !is_host(host, strlen(host)) ||
	    image_name_check(name, NULL) < 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "\"%.200s\" is no registry: HOST or HOST:PORT is needed",
				       host);
	return 0;
}

char *reference_text(const struct reference *reference)
{
	struct buf text = BUF_INIT;
	char digest[VARVE_DIGEST_TEXT];

	buf_addf(&text, "%s/%s", reference->host, reference->repository);
	if (reference->tag)
		buf_addf(&text, ":%s", reference->tag);
	if (!varve_digest_is_none(&reference->digest))
		buf_addf(&text, "@%s", varve_digest_text(&reference->digest, digest));
	return buf_steal(&text);
}

const char *reference_target(const struct reference *reference, char buffer[REFERENCE_TARGET])
{
	char digest[VARVE_DIGEST_TEXT];

	if (!varve_digest_is_none(&reference->digest))
		(void)snprintf(buffer, REFERENCE_TARGET, "%s",
			       varve_digest_text(&reference->digest, digest));
	else
		(void)snprintf(buffer, REFERENCE_TARGET, "%s",
			       reference->tag ? reference->tag : "latest");
	return buffer;
}

const char *reference_api_host(const struct reference *reference)
{
	return str_equal(reference->host, "docker.io") ? "registry-1.docker.io" : reference->host;
}

const char *reference_referrers_tag(const struct varve_digest *digest,
				    char buffer[VARVE_DIGEST_TEXT])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(buffer, VARVE_DIGEST_TEXT, "sha256-%s", varve_digest_hex(digest, hex));
	return buffer;
}

const char *reference_signatures_tag(const struct varve_digest *digest,
				     char buffer[REFERENCE_SIGNATURES_TAG])
{
	char tag[VARVE_DIGEST_TEXT];

	(void)snprintf(buffer, REFERENCE_SIGNATURES_TAG, "%s.sig",
		       reference_referrers_tag(digest, tag));
	return buffer;
}
