/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

void endpoint_release(struct endpoint *endpoint)
{
	reference_release(&endpoint->reference);
	image_target_release(&endpoint->target);
	free(endpoint->name);
	*endpoint = (struct endpoint){0};
}

bool endpoint_is_layout(const struct endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_FILES && endpoint->target.transport == IMAGE_OCI;
}

bool endpoint_has_referrers(const struct endpoint *endpoint)
{
	return endpoint->kind != ENDPOINT_FILES || endpoint_is_layout(endpoint);
}

static int parse_store(const char *text, const char *name, struct endpoint *ret,
		       struct varve_error *err)
{
	if (!*name)
		return varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\": the name is missing",
				       text);
	ret->kind = ENDPOINT_STORE;
	ret->name = xstrdup(name);
	return 0;
}

int endpoint_parse(const char *text, struct endpoint *ret, struct varve_error *err)
{
	struct endpoint endpoint = {0};
	int r;

	if (str_starts(text, "docker://")) {
		endpoint.kind = ENDPOINT_REGISTRY;
		r = reference_parse(text, &endpoint.reference, err);
	} else if (str_starts(text, "store:")) {
		r = parse_store(text, text + strlen("store:"), &endpoint, err);
	} else if (!strchr(text, ':') || !image_target_known(text)) {
		varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\" is no place of an image", text);
		varve_error_hint(err, "use docker://HOST/NAME:TAG, store:NAME, oci:DIR[:NAME], "
				      "oci-archive:FILE, docker-archive:FILE or dir:DIR");
		r = -VARVE_E_USAGE;
	} else {
		endpoint.kind = ENDPOINT_FILES;
		r = image_target_parse(text, &endpoint.target, err);
	}
	if (r < 0)
		return r;
	*ret = endpoint;
	return 0;
}

int endpoint_parse_image(const char *text, struct endpoint *ret, struct varve_error *err)
{
	static const char *const transports[] = {
		"docker://", "oci:", "oci-archive:", "dir:", "docker-archive:", "store:"};

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(text, transports[i]))
			return endpoint_parse(text, ret, err);
	return parse_store(text, text, ret, err);
}
