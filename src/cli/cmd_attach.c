/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "audit/signature.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/cli_options.h"
#include "cli/opened_subject.h"

/* --- arguments -----------------------------------------------------------------------------------
 */

/* Short names, and the ends of file names that say the same. */
static const struct {
	const char *name, *type, *suffix;
} known[] = {
	{"spdx", ATTESTATION_SPDX, ".spdx.json"},
	{"cyclonedx", ATTESTATION_CYCLONEDX, ".cdx.json"},
	{"statement", ATTESTATION_STATEMENT, ".intoto.json"},
};

static int find_type(const struct cli *cli, const char **ret, struct varve_error *err)
{
	const char *given = cli->values.type, *file = cli->arguments.items[1];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (given ? str_equal(given, known[i].name) : str_ends(file, known[i].suffix)) {
			*ret = known[i].type;
			return 0;
		}
	if (!given)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "what is %.200s? --type is needed: spdx, cyclonedx, "
				       "statement, or a media type",
				       file);
	*ret = given;
	return 0;
}

static int read_annotations(const struct strv *given, json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *annotations = json_object();

	for (size_t i = 0; i < given->count; i++) {
		const char *text = given->items[i], *equals = strchr(text, '=');
		CLEANUP(free_ptr) char *name = NULL;

		if (!equals || equals == text)
			return varve_error_set(err, -VARVE_E_USAGE,
					       "--annotation %.200s: NAME=VALUE is needed", text);
		name = xstrndup(text, (size_t)(equals - text));
		json_set(annotations, name, json_text(equals + 1));
	}
	*ret = steal_ptr(&annotations);
	return 0;
}

static int open_file(const char *path, int *ret_fd, struct varve_error *err)
{
	*ret_fd = str_equal(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? varve_error_set(err, -errno, "open %.300s", path) : 0;
}

static int read_document(int fd, const char *path, struct buf *ret, struct varve_error *err)
{
	int r = fd_read_all(fd, ATTESTATION_LIMIT, ret);

	return r < 0 ? varve_error_set(err, r, "read %.300s", path) : 0;
}

/* --- attaching -----------------------------------------------------------------------------------
 */

/* What is signed, or has to be about the image, is read whole; anything else may be of any size. */
static int attach(const char *path, const struct opened_subject *subject,
		  const struct attestation *attestation, struct varve_descriptor *ret,
		  struct varve_error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	CLEANUP(fd_close) int fd = -1;
	int r = open_file(path, &fd, err);

	if (r < 0)
		return r;
	if (!attestation->key && !str_equal(attestation->type, ATTESTATION_STATEMENT))
		return attestation_put_file(&subject->end, &subject->self, attestation, fd, ret,
					    err);
	r = read_document(fd, path, &bytes, err);
	if (r == 0)
		r = signature_put_document(&subject->end, &subject->self, attestation, &bytes, ret,
					   err);
	if (r == -VARVE_E_FORMAT)
		varve_error_prefix(err, "%.300s", path);
	return r;
}

int cmd_attach(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(opened_subject_release) struct opened_subject subject = OPENED_SUBJECT_INIT;
	CLEANUP(signature_key_freep) struct signature_key *key = NULL;
	CLEANUP(json_decrefp) json_t *annotations = NULL;
	const char *path = cli->arguments.items[1];
	struct attestation attestation = {.title = str_equal(path, "-") ? NULL : path_base(path)};
	struct varve_descriptor attached;
	int r = find_type(cli, &attestation.type, err);

	if (r == 0)
		r = read_annotations(&cli->values.annotations, &annotations, err);
	if (r == 0 && cli->values.keys.count > 0)
		r = signature_key_read(cli->values.keys.items[0], true, &key, err);
	attestation.annotations = annotations;
	attestation.key = key;
	if (r == 0)
		r = remote_open(&remote, cli, true, err);
	if (r == 0)
		r = opened_subject_open(&remote, cli, true, &subject, err);
	if (r == 0)
		r = attach(path, &subject, &attestation, &attached, err);
	if (r < 0)
		return r;
	opened_subject_print(&subject, &remote, cli, &attached);
	return 0;
}
