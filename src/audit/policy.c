/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/policy.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "audit/attestation.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "recipe/recipe_schema.h"
#include "recipe/recipe_yaml.h"

enum { POLICY_LIMIT = 1 << 20 /* bytes */, LAYERS = 1000 };

/* --- shape ---------------------------------------------------------------------------------------
 */

static int read_setuid(const struct node *node, const struct schema_subject *subject, void *object,
		       struct varve_error *err)
{
	struct policy *policy = object;

	(void)subject;
	policy->no_setuid = true;
	return schema_values(node, "\"no-setuid-except\"", &policy->setuid, err);
}

static int read_secrets(const struct node *node, const struct schema_subject *subject, void *object,
			struct varve_error *err)
{
	struct policy *policy = object;

	(void)subject;
	policy->no_secrets = true;
	return schema_values(node, "\"no-secrets-except\"", &policy->secrets, err);
}

static int read_layers(const struct node *node, const struct schema_subject *subject, void *object,
		       struct varve_error *err)
{
	struct policy *policy = object;
	struct recipe_value value = {NULL, node->at};
	int r = schema_want(node, NODE_SCALAR, "\"max-layers\"", err);

	(void)subject;
	if (r < 0)
		return r;
	value.text = node->text;
	return recipe_integer(&value, node->text, 1, LAYERS, &policy->max_layers, err);
}

static const char *const kinds[] = {"a policy", NULL};

#define FIELD(name) offsetof(struct policy, name)
static const struct schema_key keys[] = {
	{"hermetic", SCHEMA_FLAG, FIELD(hermetic), 0, 0, NAMES_IGNORE, NULL},
	{"signed-by", SCHEMA_VALUES, FIELD(signed_by), 0, 0, NAMES_IGNORE, NULL},
	{"attested", SCHEMA_VALUES, FIELD(attested), 0, 0, NAMES_IGNORE, NULL},
	{"base-digest", SCHEMA_VALUES, FIELD(base_digest), 0, 0, NAMES_IGNORE, NULL},
	{"no-setuid-except", SCHEMA_OWN, 0, 0, 0, NAMES_IGNORE, read_setuid},
	{"no-secrets-except", SCHEMA_OWN, 0, 0, 0, NAMES_IGNORE, read_secrets},
	{"labels", SCHEMA_PAIRS, FIELD(labels), 0, 0, NAMES_IGNORE, NULL},
	{"max-layers", SCHEMA_OWN, 0, 0, 0, NAMES_IGNORE, read_layers},
	{NULL, SCHEMA_OWN, 0, 0, 0, NAMES_NONE, NULL},
};
#undef FIELD
static const struct schema schema_policy = {keys, kinds};

void policy_release(struct policy *policy)
{
	schema_release(&schema_policy, policy);
	values_release(&policy->setuid);
	values_release(&policy->secrets);
	free(policy->path);
	*policy = (struct policy){0};
}

/* --- meaning -------------------------------------------------------------------------------------
 */

static int check_digests(const struct recipe_values *values, struct varve_error *err)
{
	struct varve_digest unused;

	for (size_t i = 0; i < values->count; i++) {
		const struct recipe_value *value = &values->items[i];

		if (varve_digest_parse(value->text, &unused) < 0 &&
		    !str_equal(value->text, "scratch"))
			return recipe_error(
				&value->at, err,
				"\"%.200s\" is neither a digest (sha256:...) nor scratch",
				value->text);
	}
	return 0;
}

static int check_types(const struct recipe_values *values, struct varve_error *err)
{
	static const char *const known[] = {"spdx", "cyclonedx", "provenance", NULL};

	for (size_t i = 0; i < values->count; i++) {
		const struct recipe_value *value = &values->items[i];
		CLEANUP(free_ptr) char *suggestion = suggest(value->text, known);
		bool fits = strstr(value->text, "://");

		for (size_t k = 0; known[k]; k++)
			fits = fits || str_equal(value->text, known[k]);
		if (!fits)
			return recipe_error(
				&value->at, err,
				"\"%.200s\" is neither spdx, cyclonedx or provenance nor "
				"the URL of a predicate%s",
				value->text, suggestion);
	}
	return 0;
}

static int check_paths(const struct recipe_values *values, struct varve_error *err)
{
	for (size_t i = 0; i < values->count; i++) {
		const struct recipe_value *value = &values->items[i];
		CLEANUP(free_ptr) char *clean = path_clean(value->text);

		if (value->text[0] != '/' || !clean || !*clean)
			return recipe_error(&value->at, err,
					    "\"%.200s\" is no absolute path without \"..\"",
					    value->text);
	}
	return 0;
}

static int check(const struct policy *policy, struct varve_error *err)
{
	int r = check_digests(&policy->base_digest, err);

	if (r == 0)
		r = check_types(&policy->attested, err);
	if (r == 0)
		r = check_paths(&policy->setuid, err);
	return r < 0 ? r : check_paths(&policy->secrets, err);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int read_root(const struct node *root, struct policy *policy, struct varve_error *err)
{
	const struct schema_subject subject = {.label = "\"require\""};
	const struct node *require = NULL;
	int r = schema_want(root, NODE_MAP, "a policy", err);

	if (r < 0)
		return r;
	require = node_get(root, "require");
	if (!require || root->count != 1)
		return recipe_error(&root->at, err,
				    "a policy is a map with the one key \"require\"");
	r = schema_read(&schema_policy, &subject, require, policy, err);
	return r < 0 ? r : check(policy, err);
}

int policy_parse(const char *text, size_t len, const char *path, struct policy *ret,
		 struct varve_error *err)
{
	CLEANUP(policy_release) struct policy policy = {.path = xstrdup(path)};
	CLEANUP(node_pool_release) struct node_pool pool = {0};
	struct node *root = NULL;
	int r = yaml_read(text, len, policy.path, &pool, &root, err);

	if (r == 0)
		r = read_root(root, &policy, err);
	if (r < 0)
		return r;
	*ret = policy;
	policy = (struct policy){0};
	return 0;
}

int policy_read(const char *path, struct policy *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_file(AT_FDCWD, path, POLICY_LIMIT, &text, err);

	if (r < 0) {
		varve_error_prefix(err, "--policy");
		return r;
	}
	return policy_parse(buf_text(&text), text.len, path, ret, err);
}

int policy_add_keys(const struct policy *policy, struct verify_keys *all, struct varve_error *err)
{
	const char *base = policy->path ? path_base(policy->path) : "";

	for (size_t i = 0; i < policy->signed_by.count; i++) {
		const struct recipe_value *value = &policy->signed_by.items[i];
		CLEANUP(free_ptr)
		char *path = value->text[0] == '/' ? xstrdup(value->text)
						   : xasprintf("%.*s%s", (int)(base - policy->path),
							       policy->path, value->text);
		int r = verify_keys_add(all, path, err);

		if (r < 0) {
			varve_error_prefix(err, "%s:%u", policy->path, value->at.line);
			return r;
		}
	}
	return 0;
}
