/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/attestation_tree.h"

#include <string.h>
#include "audit/signature.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/size_text.h"
#include "registry/reference.h"

enum { REFERRERS = 1000 }; /* of an image, with theirs */

/* One walk. */
struct walk {
	const struct referrers_end *end;
	size_t count; /* so far */
};

/* --- reading -------------------------------------------------------------------------------------
 */

static int read_below(struct walk *walk, const struct varve_digest *subject, int depth,
		      json_t **ret, struct varve_error *err);

static json_t *node_of(const struct attestation_entry *entry)
{
	json_t *node = descriptor_to_json(&entry->manifest);

	json_set(node, "artifactType", json_text(entry->type));
	if (json_is_object(entry->annotations))
		json_set(node, "annotations", json_deep_copy(entry->annotations));
	return node;
}

/* What a list of referrers says may be a loop; a true one is impossible (copy_referrers.c). */
static int read_node(struct walk *walk, const struct attestation_entry *entry, int depth,
		     json_t *nodes, struct varve_error *err)
{
	json_t *node, *below = NULL;
	int r;

	if (++walk->count > REFERRERS)
		return varve_error_set(err, -VARVE_E_LIMIT, "more than %d referrers",
				       (int)REFERRERS);
	r = read_below(walk, &entry->manifest.digest, depth + 1, &below, err);
	if (r < 0)
		return r;
	node = node_of(entry);
	json_set(node, "referrers", below);
	json_append(nodes, node);
	return 0;
}

static int read_below(struct walk *walk, const struct varve_digest *subject, int depth,
		      json_t **ret, struct varve_error *err)
{
	CLEANUP(attestation_list_release) struct attestation_list list = {0};
	CLEANUP(json_decrefp) json_t *nodes = json_array();
	int r = 0;

	if (depth <= MANIFEST_DEPTH)
		r = attestation_list(walk->end, subject, NULL, &list, err);
	for (size_t i = 0; i < list.count && r == 0; i++)
		r = read_node(walk, &list.items[i], depth, nodes, err);
	if (r == 0)
		*ret = steal_ptr(&nodes);
	return r;
}

/* Signatures of the older form are found by their name. */
static int read_simple(struct walk *walk, const struct varve_digest *subject, json_t *nodes,
		       struct varve_error *err)
{
	CLEANUP(referrers_named_release) struct referrers_named named = {.version = NULL};
	char name[REFERENCE_SIGNATURES_TAG];
	json_t *node;
	int r = referrers_end_find(walk->end, reference_signatures_tag(subject, name), &named, err);

	if (r <= 0)
		return r;
	node = descriptor_to_json(&named.manifest.self);
	json_set(node, "artifactType", json_text(SIMPLE_LAYER));
	json_set(node, "name", json_text(name));
	json_set(node, "signatures", json_integer((json_int_t)named.manifest.child_count - 1));
	json_set(node, "referrers", json_array());
	json_append(nodes, node);
	return 0;
}

int attestation_tree(const struct referrers_end *end, const struct varve_descriptor *subject,
		     json_t **ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *tree = descriptor_to_json(subject);
	struct walk walk = {.end = end};
	json_t *nodes = NULL;
	int r = read_below(&walk, &subject->digest, 0, &nodes, err);

	if (r < 0)
		return r;
	json_set(tree, "referrers", nodes);
	r = read_simple(&walk, &subject->digest, nodes, err);
	if (r == 0)
		*ret = steal_ptr(&tree);
	return r;
}

/* --- printing ------------------------------------------------------------------------------------
 */

/* What a registry says; a terminal obeys control characters. */
static void add_text(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addc(out, (char)((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text));
}

static void print_node(const json_t *node, const char *name, int depth, struct buf *out)
{
	json_t *annotations = json_object_get(node, "annotations"), *value;
	json_int_t bytes = json_integer_value(json_object_get(node, "size"));
	const char *key;
	const json_t *below;
	char size[16];
	size_t i;

	buf_addf(out, "%*s", depth * 2, "");
	add_text(out, json_optional_string(node, "digest", "?"));
	buf_addf(out, " %s ", size_text(bytes > 0 ? (uint64_t)bytes : 0, size));
	add_text(out, name);
	buf_addc(out, '\n');
	json_object_foreach(annotations, key, value)
	{
		buf_addf(out, "%*s", depth * 2 + 4, "");
		add_text(out, key);
		buf_addc(out, '=');
		add_text(out, json_is_string(value) ? json_string_value(value) : "?");
		buf_addc(out, '\n');
	}
	json_array_foreach(json_object_get(node, "referrers"), i, below)
		print_node(below, json_optional_string(below, "artifactType", "?"), depth + 1, out);
}

void attestation_tree_print(const json_t *tree, const char *name, struct buf *out)
{
	print_node(tree, name, 0, out);
}
