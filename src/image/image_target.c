/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const struct {
	const char *prefix;
	enum image_transport transport;
	bool named; /* may end in ":name" */
} transports[] = {
	{"oci:", IMAGE_OCI, true},
	{"oci-archive:", IMAGE_OCI_ARCHIVE, true},
	{"docker-archive:", IMAGE_DOCKER_ARCHIVE, true},
	{"dir:", IMAGE_DIR, false},
};

void image_target_release(struct image_target *target)
{
	if (!target)
		return;
	free(target->path);
	free(target->name);
	target->path = NULL;
	target->name = NULL;
}

/* image-spec annotations.md, the grammar of org.opencontainers.image.ref.name. */
static bool is_ref_name(const char *name)
{
	bool after_alnum = false;

	for (const char *c = name; *c; c++) {
		if (isalnum((unsigned char)*c)) {
			after_alnum = true;
			continue;
		}
		if (!after_alnum || !strchr("-._:@+/", *c))
			return false;
		if (c[0] == '-' && c[1] == '-')
			c++;
		after_alnum = false;
	}
	return after_alnum;
}

static int check_name(const struct image_target *target, struct varve_error *err)
{
	if (!target->name)
		return 0;
	if (target->transport == IMAGE_DOCKER_ARCHIVE)
		return image_name_check(target->name, err);
	if (is_ref_name(target->name))
		return 0;
	return varve_error_set(err, -VARVE_E_USAGE,
			       "\"%.200s\" cannot be a reference name: letters and digits, between "
			       "them one of - . _ : @ + / or --",
			       target->name);
}

static int parse_rest(const char *text, const char *rest, bool named, struct image_target *target,
		      struct varve_error *err)
{
	/* As containers/image reads it: a path cannot hold a colon where a name may follow. */
	const char *colon = named ? strchr(rest, ':') : NULL;

	target->path = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	if (!*target->path)
		return varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\": the path is missing",
				       text);
	if (colon)
		target->name = xstrdup(colon + 1);
	return check_name(target, err);
}

bool image_target_known(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		if (str_starts(text, transports[i].prefix))
			return true;
	}
	return false;
}

int image_target_parse(const char *text, struct image_target *ret, struct varve_error *err)
{
	CLEANUP(image_target_release) struct image_target target = {0};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		if (!str_starts(text, transports[i].prefix))
			continue;
		target.transport = transports[i].transport;
		r = parse_rest(text, text + strlen(transports[i].prefix), transports[i].named,
			       &target, err);
		if (r < 0)
			return r;
		*ret = target;
		target = (struct image_target){0};
		return 0;
	}
	varve_error_set(err, -VARVE_E_USAGE, "\"%.200s\" is no output", text);
	varve_error_hint(err, "use oci:DIR[:name], oci-archive:FILE[:name], "
			      "docker-archive:FILE[:name] or dir:DIR");
	return -VARVE_E_USAGE;
}
