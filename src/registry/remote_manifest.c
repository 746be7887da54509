/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/remote_manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/digest.h"

/* "TYPE; charset=utf-8" without the parameters. Caller frees. */
static char *content_type(const struct http_answer *answer)
{
	const char *value = http_header(&answer->headers, "Content-Type");
	char *type = xstrdup(value ? value : "");

	type[strcspn(type, "; \t")] = '\0';
	return type;
}

static int check_digest(const struct registry *registry, const struct varve_digest *actual,
			const char *said, const char *by, struct varve_error *err)
{
	char have[VARVE_DIGEST_TEXT];
	struct varve_digest want;

	/* Of a digest of another kind nothing is known. */
	if (!said || varve_digest_parse(said, &want) < 0 || varve_digest_equal(actual, &want))
		return 0;
	return varve_error_set(err, -VARVE_E_DIGEST,
			       "%s: the manifest's bytes are %s, but %s says %.80s",
			       registry_name(registry), varve_digest_text(actual, have), by, said);
}

static int not_there(const struct registry *registry, const struct http_answer *answer,
		     const char *target, struct varve_error *err)
{
	bool unknown = registry_said(answer, "NAME_UNKNOWN");

	varve_error_set(err, -VARVE_E_NOT_FOUND, "%s: %s \"%s\"", registry_name(registry),
			unknown ? "the registry knows no such repository; asked for"
				: "the registry has no",
			target);
	return -VARVE_E_NOT_FOUND;
}

static int parse(const struct registry *registry, struct http_answer *answer, const char *target,
		 struct manifest *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *type = content_type(answer);
	struct varve_digest actual;
	int r;

	digest_bytes(answer->text.data, answer->text.len, &actual);
	r = check_digest(registry, &actual, strchr(target, ':') ? target : NULL,
			 "what was asked for", err);
	if (r == 0)
		r = check_digest(registry, &actual,
				 http_header(&answer->headers, "Docker-Content-Digest"),
				 "the registry", err);
	if (r < 0)
		return r;
	r = manifest_parse(&answer->text, manifest_type_is_known(type) ? type : "", ret, err);
	if (r < 0)
		varve_error_prefix(err, "%s: %s", registry_name(registry), target);
	return r;
}

int remote_manifest_get(struct registry *registry, struct http_client *client, const char *target,
			struct manifest *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *version = NULL;

	return remote_manifest_get_version(registry, client, target, ret, &version, err);
}

int remote_manifest_get_version(struct registry *registry, struct http_client *client,
				const char *target, struct manifest *ret, char **ret_version,
				struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(free_ptr) char *path = xasprintf("manifests/%s", target);
	const struct registry_call call = {
		.method = "GET", .path = path, .headers = &headers, .limit = MANIFEST_LIMIT};
	int r;

	strv_add(&headers, MANIFEST_ACCEPT);
	r = registry_call(registry, client, &call, &answer, err);
	if (r < 0)
		return r;
	if (answer.status == 404)
		return not_there(registry, &answer, target, err);
	if (answer.status != 200)
		return registry_complain(registry, &answer, err, "get manifest %s", target);
	r = parse(registry, &answer, target, ret, err);
	if (r == 0 && http_header(&answer.headers, "ETag"))
		*ret_version = xstrdup(http_header(&answer.headers, "ETag"));
	return r;
}

int remote_manifest_look(struct registry *registry, struct http_client *client, const char *target,
			 struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(free_ptr) char *path = xasprintf("manifests/%s", target);
	CLEANUP(free_ptr) char *type = NULL;
	const struct registry_call call = {.method = "HEAD", .path = path, .headers = &headers};
	const char *digest, *length;
	unsigned long long size;
	int r;

	strv_add(&headers, MANIFEST_ACCEPT);
	r = registry_call(registry, client, &call, &answer, err);
	if (r < 0)
		return r;
	type = content_type(&answer);
	digest = http_header(&answer.headers, "Docker-Content-Digest");
	length = http_header(&answer.headers, "Content-Length");
	if (answer.status != 200 || !digest || !length || !manifest_type_is_known(type) ||
	    varve_digest_parse(digest, &ret->digest) < 0 ||
	    !str_to_u64(length, MANIFEST_LIMIT, &size))
		return 0;
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", type);
	ret->size = size;
	return 1;
}

static bool misses_blob(const struct http_answer *answer)
{
	return registry_said(answer, "MANIFEST_BLOB_UNKNOWN") ||
	       registry_said(answer, "BLOB_UNKNOWN");
}

int remote_manifest_put(struct registry *registry, struct http_client *client, const char *target,
			const struct manifest *manifest, bool *ret_subject, struct varve_error *err)
{
	const struct remote_version any = {.target = target};

	return remote_manifest_put_over(registry, client, &any, manifest, ret_subject, err);
}

int remote_manifest_put_over(struct registry *registry, struct http_client *client,
			     const struct remote_version *over, const struct manifest *manifest,
			     bool *ret_subject, struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(strv_release) struct strv headers = STRV_INIT;
	CLEANUP(free_ptr) char *path = xasprintf("manifests/%s", over->target);
	const struct registry_call call = {.method = "PUT",
					   .path = path,
					   .headers = &headers,
					   .text = manifest->bytes.data,
					   .size = manifest->bytes.len};
	int r;

	if (manifest->bytes.len > MANIFEST_PUSH_LIMIT)
		return varve_error_set(err, -VARVE_E_LIMIT,
				       "%s: a manifest of %zu bytes is more than registries take",
				       registry_name(registry), manifest->bytes.len);
	strv_addf(&headers, "Content-Type: %s", manifest->self.media_type);
	if (over->version)
		strv_addf(&headers, "If-Match: %s", over->version);
	r = registry_call(registry, client, &call, &answer, err);
	if (r < 0)
		return r;
	if (over->version && answer.status == 412)
		return -ESTALE;
	if (answer.status / 100 != 2) {
		r = registry_complain(registry, &answer, err, "put manifest %s", over->target);
		return misses_blob(&answer) ? -VARVE_E_NOT_FOUND : r;
	}
	if (ret_subject)
		*ret_subject = http_header(&answer.headers, "OCI-Subject") != NULL;
	r = check_digest(registry, &manifest->self.digest,
			 http_header(&answer.headers, "Docker-Content-Digest"), "the registry",
			 err);
	/* The registry's mistake, not one of bytes that came from it. */
	return r < 0 ? -VARVE_E_NETWORK : 0;
}

int remote_manifest_delete(struct registry *registry, struct http_client *client,
			   const char *target, struct varve_error *err)
{
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(free_ptr) char *path = xasprintf("manifests/%s", target);
	const struct registry_call call = {.method = "DELETE", .path = path};
	int r = registry_call(registry, client, &call, &answer, err);

	if (r < 0 || answer.status / 100 == 2 || answer.status == 404)
		return r;
	return registry_complain(registry, &answer, err, "delete manifest %s", target);
}
