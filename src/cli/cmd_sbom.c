/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/sbom.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "cli/cli_options.h"
#include "cli/opened_image.h"
#include "cli/written_file.h"

static const struct {
	const char *name;
	json_t *(*make)(const struct sbom *sbom);
} formats[] = {{"spdx", sbom_spdx}, {"cyclonedx", sbom_cyclonedx}};

static int find_format(const char *name, size_t *ret, struct varve_error *err)
{
	for (*ret = 0; *ret < ARRAY_SIZE(formats); ++*ret)
		if (!name || strcmp(formats[*ret].name, name) == 0)
			return 0;
	return varve_error_set(err, -VARVE_E_USAGE, "--format %s: spdx or cyclonedx is needed",
			       name);
}

/* The same image has the same name wherever it lies: not the path of a layout or archive. */
static char *name_of(const struct opened_image *image, const char *argument)
{
	const json_t *labels =
		json_object_get(json_object_get(image->side.config, "config"), "Labels");

	if (image->endpoint.kind == ENDPOINT_FILES)
		return xstrdup(image->endpoint.target.name
				       ? image->endpoint.target.name
				       : json_optional_string(labels, "dev.varve.image", "image"));
	if (str_starts(argument, "docker://"))
		return xstrdup(argument + strlen("docker://"));
	return xstrdup(str_starts(argument, "store:") ? argument + strlen("store:") : argument);
}

static int set_time(struct sbom *sbom, struct varve_error *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	unsigned long long epoch;

	if (!text || !*text)
		return 0;
	if (!str_to_u64(text, 253402300799ULL, &epoch)) /* the last second of year 9999 */
		return varve_error_set(err, -VARVE_E_USAGE,
				       "SOURCE_DATE_EPOCH=%s: seconds since 1970 are needed", text);
	sbom_set_time(sbom, (int64_t)epoch);
	return 0;
}

static int write_out(const struct cli *cli, const struct sbom *sbom, size_t format,
		     struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *document = formats[format].make(sbom);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	json_canonical(document, &text);
	buf_addc(&text, '\n');
	for (size_t i = 0; i < sbom->packages.unread.count; i++)
		fprintf(stderr, "varve: not read: the package database /%s\n",
			sbom->packages.unread.items[i]);
	if (cli->values.outputs.count > 0)
		return written_file(cli->values.outputs.items[cli->values.outputs.count - 1], &text,
				    err);
	if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
		return varve_error_set(err, -errno, "write to stdout");
	return 0;
}

int cmd_sbom(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_image_release)
	struct opened_image image = {.source.layout = IMAGE_LAYOUT_INIT};
	CLEANUP(sbom_release) struct sbom sbom = {0};
	CLEANUP(free_ptr) char *name = NULL;
	size_t format;
	int r = find_format(cli->values.format, &format, err);

	if (r == 0)
		r = remote_open(&remote, cli, false, err);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (r == 0)
		r = opened_image_open(&remote, cli->arguments.items[0], &image, err);
	if (r < 0)
		return r;
	name = name_of(&image, cli->arguments.items[0]);
	r = sbom_read(remote.session.store, &image.side, name, cli->values.files, &sbom, err);
	if (r == 0)
		r = set_time(&sbom, err);
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	return r < 0 ? r : write_out(cli, &sbom, format, err);
}
