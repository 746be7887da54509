/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opened_subject.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"

void opened_subject_release(struct opened_subject *s)
{
	registry_close(s->registry);
	image_layout_close(&s->layout);
	copy_source_release(&s->source);
	endpoint_release(&s->endpoint);
}

static int parse(const char *text, struct endpoint *ret, struct varve_error *err)
{
	int r = endpoint_parse_image(text, ret, err);

	if (r == 0 && !endpoint_has_referrers(ret))
		r = varve_error_set(err, -VARVE_E_USAGE,
				    "%.300s: only images in the store, in oci: layouts and "
				    "docker:// registries have something attached",
				    text);
	return r;
}

static int open_to_write(struct remote *remote, struct opened_subject *s, struct varve_error *err)
{
	int r = 0;

	if (s->endpoint.kind == ENDPOINT_REGISTRY) {
		r = registry_open(&remote->settings, &s->endpoint.reference, true, &s->registry,
				  err);
		s->end.registry = s->registry;
	} else if (s->end.layout) {
		r = image_layout_make(s->endpoint.target.path, &s->layout, err);
		s->end.layout = &s->layout;
	}
	s->end.sessions = remote->uploads;
	return r;
}

/* As for inspect --referrers: an index itself is meant, unless a platform is asked for. */
int opened_subject_open(struct remote *remote, struct cli *cli, bool write,
			struct opened_subject *s, struct varve_error *err)
{
	struct place landing;
	int r = parse(cli->arguments.items[0], &s->endpoint, err);

	if (r == 0)
		r = remote_platform(remote, cli, err);
	if (r < 0)
		return r;
	if (!cli->values.platform)
		remote->copy.platform = NULL;
	place_of_store(&landing, remote->session.store, remote->uploads);
	r = copy_source_open(&remote->copy, &s->endpoint, &landing, true, &s->source, err);
	place_release(&landing);
	if (r < 0)
		return r;
	s->self = s->source.root;
	s->end = copy_source_end(&s->source);
	return write ? open_to_write(remote, s, err) : 0;
}

void opened_subject_print(const struct opened_subject *subject, struct remote *remote,
			  const struct cli *cli, const struct varve_descriptor *attached)
{
	CLEANUP(json_decrefp) json_t *document = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char digest[VARVE_DIGEST_TEXT];

	progress_free(remote->session.progress);
	remote->session.progress = NULL;
	if (!cli->values.json) {
		printf("%s %s\n", varve_digest_text(&attached->digest, digest),
		       cli->arguments.items[0]);
		return;
	}
	document = descriptor_to_json(attached);
	json_set(document, "subject", descriptor_to_json(&subject->self));
	json_canonical(document, &text);
	puts(buf_text(&text));
}
