/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/fd.h"
#include "base/size_text.h"
#include "cli/settings.h"
#include "layer/layer.h"

enum { STALL_LIMIT = 3600, PARALLEL_LIMIT = 64, MIB = 1 << 20, CHUNK_LIMIT_MIB = 1024 };

/* --- options -------------------------------------------------------------------------------------
 */

/* "4M", "512k", "4194304". */
static int read_size(const char *text, uint64_t *ret, struct varve_error *err)
{
	size_t len = strlen(text);
	unsigned shift = 0;
	CLEANUP(free_ptr) char *digits = NULL;
	unsigned long long value;

	if (len > 0 && strchr("kK", text[len - 1]))
		shift = 10;
	else if (len > 0 && strchr("mM", text[len - 1]))
		shift = 20;
	digits = xstrndup(text, shift ? len - 1 : len);
	if (!str_to_u64(digits, UINT64_C(1) << 30, &value) || value << shift < 64 << 10 ||
	    value << shift > (uint64_t)CHUNK_LIMIT_MIB * MIB)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--chunk-size %s: bytes, at least 64k and at most 1024M",
				       text);
	*ret = value << shift;
	return 0;
}

static int read_number(const char *option, const char *text, unsigned maximum, unsigned *ret,
		       struct varve_error *err)
{
	unsigned long long value;

	if (!text)
		return 0;
	if (!str_to_u64(text, maximum, &value) || value == 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--%s %s: a number from 1 to %u is needed", option, text,
				       maximum);
	*ret = (unsigned)value;
	return 0;
}

static int read_verify(const char *text, struct registry_settings *settings,
		       struct varve_error *err)
{
	if (!text || str_equal(text, "true"))
		return 0;
	if (!str_equal(text, "false"))
		return varve_error_set(err, -VARVE_E_USAGE, "--tls-verify %s: true or false", text);
	settings->insecure = true;
	return 0;
}

static int read_options(const struct cli_values *values, struct registry_settings *settings,
			struct varve_error *err)
{
	int r;

	settings->authfile = values->authfile;
	settings->cert_dir = values->cert_dir;
	settings->plain_http = values->plain_http;
	settings->trusted_realms = &values->trust_realms;
	r = read_verify(values->tls_verify, settings, err);
	if (r == 0)
		r = read_number("stall-timeout", values->stall_timeout, STALL_LIMIT,
				&settings->stall_seconds, err);
	if (r == 0)
		r = read_number("parallel", values->parallel, PARALLEL_LIMIT, &settings->parallel,
				err);
	if (r == 0 && values->chunk_size)
		r = read_size(values->chunk_size, &settings->chunk, err);
	return r;
}

/* --- progress ------------------------------------------------------------------------------------
 */

static void tell_progress(void *cookie, const char *what, uint64_t done, uint64_t total)
{
	const struct remote *remote = cookie;
	const struct varve_report *report;

	if (!remote->session.progress || total == 0)
		return;
	report = progress_report(remote->session.progress);
	report->event(
		report->cookie,
		&(struct varve_event){.kind = remote->pushes ? VARVE_EVENT_PUSH : VARVE_EVENT_FETCH,
				      .step = what,
				      .done = done,
				      .total = total});
}

static void tell_notice(void *cookie, const char *text)
{
	struct remote *remote = cookie;
	const struct varve_report *report;

	if (!remote->session.progress || strv_contains(&remote->warned, text))
		return;
	strv_add(&remote->warned, text);
	report = progress_report(remote->session.progress);
	report->event(report->cookie, &(struct varve_event){.kind = VARVE_EVENT_NOTICE,
							    .step = "registry",
							    .text = text});
}

/* --- opening -------------------------------------------------------------------------------------
 */

/* The container tools' settings, then varve's own, which win. */
static int read_rules(struct registry_rules *rules, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *settings = NULL;
	int r = registry_rules_read(rules, err);

	if (r == 0)
		r = settings_read(&settings, err);
	return r < 0 ? r
		     : registry_rules_add(rules, json_object_get(settings, "registries"),
					  "varve's config.json", err);
}

int remote_begin(struct remote *remote, struct cli *cli, struct varve_store *store, bool pushes,
		 struct varve_error *err)
{
	int r = read_options(&cli->values, &remote->settings, err);

	if (r == 0)
		r = read_rules(&remote->rules, err);
	if (r == 0)
		r = store_open_dir(store, "uploads", &remote->uploads, err);
	if (r < 0)
		return r;
	remote->pushes = pushes;
	remote->settings.rules = &remote->rules;
	remote->settings.progress = tell_progress;
	remote->settings.notice = tell_notice;
	remote->settings.cookie = remote;
	remote->copy = (struct copy){.settings = &remote->settings,
				     .store = store,
				     .uploads = remote->uploads,
				     .referrers = cli->values.referrers,
				     .artifact_type = cli->values.artifact_type,
				     .unpack = layer_unpack_stream};
	return 0;
}

int remote_open(struct remote *remote, struct cli *cli, bool pushes, struct varve_error *err)
{
	int r;

	*remote = (struct remote){.uploads = -1};
	r = session_open_store(&remote->session, cli, err);
	return r < 0 ? r : remote_begin(remote, cli, remote->session.store, pushes, err);
}

int remote_platform(struct remote *remote, struct cli *cli, struct varve_error *err)
{
	const struct cli_values *values = &cli->values;

	if (values->artifact_type && !values->referrers)
		return varve_error_set(err, -VARVE_E_USAGE, "--artifact-type needs --referrers");
	if (values->platform && values->all_platforms)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--platform and --all-platforms exclude each other");
	if (values->platform && !session_is_platform(values->platform))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "--platform %s: OS/ARCH is needed, as %s", values->platform,
				       session_host_platform());
	if (!values->all_platforms)
		remote->copy.platform =
			values->platform ? values->platform : session_host_platform();
	return 0;
}

void remote_end(struct remote *remote)
{
	fd_close(&remote->uploads);
	strv_release(&remote->warned);
	registry_rules_release(&remote->rules);
}

void remote_release(struct remote *remote)
{
	remote_end(remote);
	session_release(&remote->session);
}

/* --- copying -------------------------------------------------------------------------------------
 */

static char *target_text(const struct endpoint *to)
{
	if (to->kind == ENDPOINT_REGISTRY)
		return reference_text(&to->reference);
	if (to->kind == ENDPOINT_STORE)
		return xstrdup(to->name);
	return xstrdup(to->target.path);
}

static void print_result(const struct remote *remote, const struct endpoint *to, size_t count,
			 const struct copy_result *result)
{
	CLEANUP(json_decrefp) json_t *all = json_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char digest[VARVE_DIGEST_TEXT];

	for (size_t i = 0; i < count; i++) {
		CLEANUP(free_ptr) char *name = target_text(&to[i]);
		json_t *one = descriptor_to_json(&result->root);

		json_set(one, "name", json_text(name));
		json_append(all, one);
		if (!remote->session.cli->values.json)
			printf("%s %s\n", varve_digest_text(&result->root.digest, digest), name);
	}
	if (remote->session.cli->values.json) {
		json_canonical(all, &text);
		puts(buf_text(&text));
	}
}

static void tell_summary(const struct remote *remote, const struct copy_result *result)
{
	const struct varve_report *report = progress_report(remote->session.progress);
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(free_ptr) char *more = NULL;
	char size[16];

	if (remote->copy.referrers)
		more = xasprintf("; %zu referrers", result->referrers);
	text = xasprintf("%zu blobs moved (%s), %zu mounted, %zu were there%s", result->moved,
			 size_text(result->bytes, size), result->mounted, result->there,
			 more ? more : "");
	report->event(report->cookie,
		      &(struct varve_event){.kind = VARVE_EVENT_NOTICE, .text = text});
}

int remote_copy(struct remote *remote, const struct endpoint *from, const struct endpoint *to,
		size_t count, struct varve_error *err)
{
	struct copy_result result = {0};
	int r = copy_run(&remote->copy, from, to, count, &result, err);

	if (r < 0)
		return r;
	tell_summary(remote, &result);
	progress_free(remote->session.progress);
	remote->session.progress = NULL;
	print_result(remote, to, count, &result);
	return 0;
}
