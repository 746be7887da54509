/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "base/size_text.h"

static void print(const struct cli *cli, const struct image *image)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *name = cli->arguments.items[0];

	if (cli->values.json) {
		CLEANUP(json_decrefp) json_t *document = image_inspect_json(image, name);

		json_canonical(document, &text);
		buf_addc(&text, '\n');
	} else {
		image_print(image, name, &text);
	}
	fputs(buf_text(&text), stdout);
}

/* Of an image in a registry only manifest and config are fetched. */
static int open_remote(struct remote *remote, struct cli *cli, struct image *ret,
		       struct varve_error *err)
{
	CLEANUP(endpoint_release) struct endpoint from = {0};
	struct varve_descriptor manifest;
	int r = endpoint_parse(cli->arguments.items[0], &from, err);

	if (r == 0)
		r = remote_open(remote, cli, false, err);
	if (r == 0)
		r = remote_platform(remote, cli, err);
	if (r == 0)
		r = copy_look(&remote->copy, &from, &manifest, err);
	if (r < 0)
		return r;
	progress_free(remote->session.progress);
	remote->session.progress = NULL;
	return image_open_manifest(remote->session.store, &manifest, ret, err);
}

/* --- what refers to it ---------------------------------------------------------------------------
 */

/* What a registry says; a terminal obeys control characters. */
static void print_text(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_entry(const json_t *entry)
{
	json_t *annotations = json_object_get(entry, "annotations"), *value;
	json_int_t bytes = json_integer_value(json_object_get(entry, "size"));
	const char *key;
	char size[16];

	print_text(json_optional_string(entry, "digest", "?"));
	printf(" %s ", size_text(bytes > 0 ? (uint64_t)bytes : 0, size));
	print_text(json_optional_string(entry, "artifactType", "?"));
	putchar('\n');
	json_object_foreach(annotations, key, value)
	{
		printf("  ");
		print_text(key);
		putchar('=');
		print_text(json_is_string(value) ? json_string_value(value) : "?");
		putchar('\n');
	}
}

static void print_referrers(const struct varve_descriptor *subject, json_t *index, bool as_json)
{
	CLEANUP(json_decrefp) json_t *document = json_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *manifests = json_object_get(index, "manifests");
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		if (!as_json)
			print_entry(entry);
	}
	if (!as_json)
		return;
	json_set(document, "subject", descriptor_to_json(subject));
	json_set(document, "referrers", json_incref(manifests));
	json_canonical(document, &text);
	puts(buf_text(&text));
}

/* Of what the name stands for: of an index itself, unless a platform is asked for. */
static int inspect_referrers(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(endpoint_release) struct endpoint from = {0};
	CLEANUP(json_decrefp) json_t *index = NULL;
	struct varve_descriptor subject;
	int r = endpoint_parse(cli->arguments.items[0], &from, err);

	if (r == 0)
		r = remote_open(&remote, cli, false, err);
	if (r == 0)
		r = remote_platform(&remote, cli, err);
	if (!cli->values.platform)
		remote.copy.platform = NULL;
	if (r == 0)
		r = copy_list_referrers(&remote.copy, &from, &subject, &index, err);
	if (r < 0)
		return r;
	progress_free(remote.session.progress);
	remote.session.progress = NULL;
	print_referrers(&subject, index, cli->values.json);
	return 0;
}

int cmd_inspect(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(image_release) struct image image = {0};
	const char *name = cli->arguments.items[0];
	int r;

	if (cli->values.referrers)
		return inspect_referrers(cli, err);
	if (str_starts(name, "docker://")) {
		r = open_remote(&remote, cli, &image, err);
	} else {
		r = session_open_store(&remote.session, cli, err);
		if (r == 0)
			r = image_open(remote.session.store, name, &image, err);
	}
	if (r == 0)
		print(cli, &image);
	return r;
}
