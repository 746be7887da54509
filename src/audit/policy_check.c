/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "audit/attestation.h"
#include "audit/layer_files.h"
#include "audit/policy.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "image/image.h"
#include "layer/layer_tar.h"

enum { SETUID = 06000 /* and setgid */, LISTED = 5 /* names in a reason */ };

/* --- what the image says -------------------------------------------------------------------------
 */

static void check_hermetic(const struct verify_facts *facts, struct verify_rows *rows)
{
	const json_t *details = json_object_get(facts->provenance, "runDetails");
	const json_t *metadata = json_object_get(details, "metadata");
	const char *why = NULL;

	if (!facts->provenance)
		why = "there is no provenance to be believed that says so";
	else if (!json_is_true(json_object_get(metadata, "varve_hermetic")) &&
		 !json_is_true(json_object_get(metadata, "buildkit_hermetic")))
		why = "its provenance does not say that the build was hermetic";
	verify_rows_add(rows, "policy: hermetic", why);
}

static const char *predicate_of(const char *name)
{
	if (str_equal(name, "spdx"))
		return PREDICATE_SPDX;
	if (str_equal(name, "cyclonedx"))
		return PREDICATE_CYCLONEDX;
	return str_equal(name, "provenance") ? PREDICATE_PROVENANCE : name;
}

static void check_attested(const struct policy *policy, const struct verify_facts *facts,
			   struct verify_rows *rows)
{
	for (size_t i = 0; i < policy->attested.count; i++) {
		const char *name = policy->attested.items[i].text;
		CLEANUP(free_ptr) char *what = xasprintf("policy: attested %.200s", name);
		bool there = strv_contains(&facts->attested, predicate_of(name));

		verify_rows_add(rows, what,
				there ? NULL : "nothing of this kind is attached that counts");
	}
}

static void check_base(const struct policy *policy, const struct image_side *side,
		       struct verify_rows *rows)
{
	const json_t *annotations = json_object_get(side->manifest.document, "annotations");
	const char *base = json_optional_string(annotations, IMAGE_BASE_DIGEST, "scratch");
	CLEANUP(free_ptr) char *why = NULL;
	bool allowed = false;

	if (policy->base_digest.count == 0)
		return;
	for (size_t i = 0; i < policy->base_digest.count; i++)
		allowed = allowed || str_equal(policy->base_digest.items[i].text, base);
	if (!allowed && str_equal(base, "scratch"))
		why = xstrdup("the image does not say what it stands on");
	else if (!allowed)
		why = xasprintf("it stands on %.100s", base);
	verify_rows_add(rows, "policy: base-digest", why);
}

static void check_labels(const struct policy *policy, const struct image_side *side,
			 struct verify_rows *rows)
{
	const json_t *config = json_object_get(side->config, "config");
	const json_t *labels = json_object_get(config, "Labels");

	for (size_t i = 0; i < policy->labels.count; i++) {
		const char *name = policy->labels.items[i].name.text;
		const char *want = policy->labels.items[i].value.text;
		const char *have = json_optional_string(labels, name, NULL);
		CLEANUP(free_ptr) char *what = xasprintf("policy: label %.200s", name);
		CLEANUP(free_ptr) char *why = NULL;

		if (!have)
			why = xstrdup("the image has no such label");
		else if (!str_equal(want, "*") && !str_equal(want, have))
			why = xasprintf("is \"%.200s\", not \"%.200s\"", have, want);
		verify_rows_add(rows, what, why);
	}
}

static void check_layers(const struct policy *policy, const struct image_side *side,
			 struct verify_rows *rows)
{
	CLEANUP(free_ptr) char *why = NULL;

	if (policy->max_layers == 0)
		return;
	if (side->layer_count > (uint64_t)policy->max_layers)
		why = xasprintf("%zu layers", side->layer_count);
	verify_rows_add(rows, "policy: max-layers", why);
}

/* --- files ---------------------------------------------------------------------------------------
 */

/* Names that are against the policy, the first few of them. */
struct names {
	struct buf text; /* owned */
	size_t count;
};

static void add_name(struct names *names, const char *name)
{
	if (names->count++ < LISTED)
		buf_addf(&names->text, "%s%.200s", names->text.len ? ", " : "", name);
}

static void add_names_row(struct verify_rows *rows, const char *what, struct names *names)
{
	if (names->count > LISTED)
		buf_addf(&names->text, " and %zu more", names->count - LISTED);
	verify_rows_add(rows, what, names->count ? buf_text(&names->text) : NULL);
	buf_release(&names->text);
}

static bool is_excepted(const struct recipe_values *paths, const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		CLEANUP(free_ptr) char *clean = path_clean(paths->items[i].text);

		if (str_equal(clean, path))
			return true;
	}
	return false;
}

/* DIR/.wh.NAME or an opaque DIR: what is below is gone. */
static bool is_whited_out(const struct layer_files *files, const char *dir, const char *name)
{
	CLEANUP(free_ptr) char *mark = xasprintf(".wh.%s", name);
	CLEANUP(free_ptr) char *own = path_join(dir, mark);
	CLEANUP(free_ptr) char *opaque = path_join(dir, ".wh..wh..opq");

	return layer_files_find(files, own) || layer_files_find(files, opaque);
}

/* A layer above replaces or removes the path, or a directory that it lies in. */
static bool is_hidden(const struct layer_files *files, const char *path)
{
	CLEANUP(free_ptr) char *at = xstrdup(path);
	const struct layer_file *there = layer_files_find(files, path);

	for (;;) {
		CLEANUP(free_ptr) char *dir = xstrndup(at, path_dir_len(at));

		if (there || is_whited_out(files, dir, path_base(at)))
			return true;
		if (!*dir)
			return false;
		at[strlen(dir)] = '\0';
		there = layer_files_find(files, at);
		if (there && there->type == TAR_DIRECTORY)
			there = NULL;
	}
}

static bool is_hidden_above(const struct image_side *side, const struct layer_files *layers,
			    size_t layer, const char *path)
{
	for (size_t i = layer + 1; i < side->layer_count; i++)
		if (is_hidden(&layers[i], path))
			return true;
	return false;
}

/* File capabilities raise rights just so. */
static bool is_setuid(const struct layer_file *file)
{
	return (file->type == TAR_FILE || file->type == TAR_LINK) &&
	       ((file->mode & SETUID) || file->capable);
}

static void check_setuid(const struct policy *policy, const struct image_side *side,
			 const struct layer_files *layers, struct verify_rows *rows)
{
	struct names names = {BUF_INIT, 0};

	for (size_t i = 0; i < side->layer_count; i++)
		for (size_t k = 0; k < layers[i].count; k++) {
			const struct layer_file *file = &layers[i].items[k];

			if (is_setuid(file) && !is_excepted(&policy->setuid, file->path) &&
			    !is_hidden_above(side, layers, i, file->path))
				add_name(&names, file->path);
		}
	add_names_row(rows, "policy: no-setuid-except", &names);
}

/* --- secrets -------------------------------------------------------------------------------------
 */

/* The first LAYER_FILE_HEAD bytes of private keys. */
static const char *const key_heads[] = {
	"-----BEGIN PRIVA", "-----BEGIN RSA P", "-----BEGIN EC PR", "-----BEGIN DSA P",
	"-----BEGIN OPENS", "-----BEGIN ENCRY", "PuTTY-User-Key-F",
};
static const char *const secret_files[] = {
	".netrc",           ".git-credentials", ".docker/config.json",
	".aws/credentials", ".ssh/id_rsa",      ".ssh/id_ecdsa",
	".ssh/id_ed25519",  ".ssh/id_dsa",      "containers/auth.json",
};
static const char *const secret_words[] = {"PASSWORD", "PASSWD",  "SECRET",
					   "TOKEN",    "API_KEY", "PRIVATE_KEY"};

static bool is_secret(const struct layer_file *file)
{
	if (file->type != TAR_FILE || file->size == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(key_heads); i++)
		if (memcmp(file->head, key_heads[i], LAYER_FILE_HEAD) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(secret_files); i++) {
		size_t len = strlen(file->path), own = strlen(secret_files[i]);

		if (str_ends(file->path, secret_files[i]) &&
		    (len == own || file->path[len - own - 1] == '/'))
			return true;
	}
	return false;
}

/* NAME=VALUE whose name says that the value is one. */
static bool is_secret_variable(const char *variable)
{
	CLEANUP(free_ptr) char *name = xstrndup(variable, strcspn(variable, "="));

	if (!variable[strlen(name)] || !variable[strlen(name) + 1])
		return false;
	for (char *c = name; *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	for (size_t i = 0; i < ARRAY_SIZE(secret_words); i++)
		if (str_ends(name, secret_words[i]))
			return true;
	return false;
}

static void add_secret_variables(const struct image_side *side, struct names *names)
{
	const json_t *config = json_object_get(side->config, "config"), *one;
	size_t i;

	json_array_foreach(json_object_get(config, "Env"), i, one)
	{
		const char *text = json_string_value(one);
		CLEANUP(free_ptr) char *name = NULL;

		if (!text || !is_secret_variable(text))
			continue;
		name = xasprintf("$%.*s", (int)strcspn(text, "="), text);
		add_name(names, name);
	}
}

/* Also what a layer above hides: its bytes are in the image all the same. */
static void check_secrets(const struct policy *policy, const struct image_side *side,
			  const struct layer_files *layers, struct verify_rows *rows)
{
	struct names names = {BUF_INIT, 0};

	for (size_t i = 0; i < side->layer_count; i++)
		for (size_t k = 0; k < layers[i].count; k++) {
			const struct layer_file *file = &layers[i].items[k];

			if (is_secret(file) && !is_excepted(&policy->secrets, file->path))
				add_name(&names, file->path);
		}
	add_secret_variables(side, &names);
	add_names_row(rows, "policy: no-secrets-except", &names);
}

/* --- all -----------------------------------------------------------------------------------------
 */

void policy_check(const struct policy *policy, const struct image_side *side,
		  const struct layer_files *layers, const struct verify_facts *facts,
		  struct verify_rows *rows)
{
	static const char unread[] = "a layer could not be read";

	if (policy->hermetic)
		check_hermetic(facts, rows);
	check_attested(policy, facts, rows);
	check_base(policy, side, rows);
	check_labels(policy, side, rows);
	check_layers(policy, side, rows);
	if (policy->no_setuid && layers)
		check_setuid(policy, side, layers, rows);
	else if (policy->no_setuid)
		verify_rows_add(rows, "policy: no-setuid-except", unread);
	if (policy->no_secrets && layers)
		check_secrets(policy, side, layers, rows);
	else if (policy->no_secrets)
		verify_rows_add(rows, "policy: no-secrets-except", unread);
}
