/* SPDX-License-Identifier: Apache-2.0
 * Where an image's bytes are: layer by layer, down to directories and packages. */
#include "cli/report_page.h"

#include <stdlib.h>
#include <string.h>
#include "audit/sbom.h"
#include "base/buf.h"
#include "base/cleanup.h"

enum { PARTS = 800 /* what is smaller than this part of a layer is put together */ };

/* One layer's files, as a tree: {"n": name, "s": bytes, "c": [children, by size]}. */
struct layer_tree {
	const struct image_content *content;
	unsigned layer;
	uint64_t least; /* bytes of a node of its own */
};

static json_t *node(const char *name, size_t len, uint64_t size)
{
	CLEANUP(free_ptr) char *text = xstrndup(name, len);
	json_t *made = json_object();

	json_set(made, "n", json_text(text));
	json_set(made, "s", json_integer((json_int_t)size));
	return made;
}

/* Children of a node: large ones as such, the others in one. */
struct children {
	json_t *list;
	uint64_t all, rest; /* bytes; those that have no node */
	size_t rest_count;
};

static void add_child(struct children *children, json_t *take_child, uint64_t size, uint64_t least)
{
	children->all += size;
	if (size >= least && size > 0) {
		json_append(children->list, take_child);
		return;
	}
	children->rest += size;
	children->rest_count += size > 0;
	json_decref(take_child);
}

static void end_children(struct children *children, json_t *parent)
{
	CLEANUP(free_ptr) char *name = xasprintf("%zu small", children->rest_count);

	if (children->rest > 0 && json_array_size(children->list) > 0) {
		json_t *rest = node(name, strlen(name), children->rest);

		json_set(rest, "r", json_true());
		json_append(children->list, rest);
	}
	json_set(parent, "s", json_integer((json_int_t)children->all));
	if (json_array_size(children->list) > 0)
		json_set(parent, "c", children->list);
	else
		json_decref(children->list);
}

/* Items first..end have the same prefix of "depth" bytes. Those of a directory are neighbours. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as a path is */
static void add_directory(const struct layer_tree *tree, size_t first, size_t end, size_t depth,
			  json_t *parent)
{
	struct children children = {.list = json_array()};
	const struct content_file *items = tree->content->items;

	for (size_t i = first, next; i < end; i = next) {
		const char *name = items[i].path + depth, *slash = strchr(name, '/');
		size_t len = slash ? (size_t)(slash - name) : strlen(name);
		json_t *child = node(name, len, items[i].layer == tree->layer ? items[i].size : 0);

		next = i + 1;
		while (slash && next < end && strncmp(items[next].path + depth, name, len + 1) == 0)
			next++;
		if (slash)
			add_directory(tree, i, next, depth + len + 1, child);
		add_child(&children, child,
			  (uint64_t)json_integer_value(json_object_get(child, "s")), tree->least);
	}
	end_children(&children, parent);
}

static json_t *packages_of(const struct sbom *sbom, const struct layer_tree *tree)
{
	const struct packages *packages = &sbom->packages;
	CLEANUP(free_ptr)
	uint64_t *sizes = xcalloc(packages->count + 1, sizeof(*sizes));
	struct children children = {.list = json_array()};
	json_t *all = node("packages", 8, 0);

	for (size_t i = 0; i < sbom->content.count; i++) {
		const struct content_file *file = &sbom->content.items[i];
		int owner = packages->owners[i];

		if (file->layer == tree->layer)
			sizes[owner < 0 ? packages->count : (size_t)owner] += file->size;
	}
	for (size_t i = 0; i <= packages->count; i++) {
		const char *name = i < packages->count ? packages->items[i].name : "no package";

		add_child(&children, node(name, strlen(name), sizes[i]), sizes[i], tree->least);
	}
	end_children(&children, all);
	return all;
}

static json_t *layer_of(const struct sbom *sbom, unsigned index)
{
	const struct image_side *side = sbom->side;
	struct layer_tree tree = {.content = &sbom->content, .layer = index};
	char digest[VARVE_DIGEST_TEXT];
	json_t *made = json_object(), *directories = node("/", 1, 0);
	uint64_t total = 0;

	for (size_t i = 0; i < sbom->content.count; i++)
		if (sbom->content.items[i].layer == index)
			total += sbom->content.items[i].size;
	tree.least = total / PARTS + 1;
	add_directory(&tree, 0, sbom->content.count, 0, directories);
	json_set(made, "by", json_text(sbom_created_by(sbom, index)));
	json_set(made, "diffId", json_text(varve_digest_text(&side->diff_ids[index], digest)));
	json_set(made, "blob", json_integer((json_int_t)side->manifest.children[index + 1].size));
	json_set(made, "directories", directories);
	json_set(made, "packages", packages_of(sbom, &tree));
	return made;
}

static json_t *package_rows(const struct packages *packages)
{
	static const char *const kinds[] = {[PACKAGE_DEB] = "deb",
					    [PACKAGE_APK] = "apk",
					    [PACKAGE_PYTHON] = "python",
					    [PACKAGE_SOURCE] = "source"};
	json_t *list = json_array();

	for (size_t i = 0; i < packages->count; i++) {
		const struct package *package = &packages->items[i];
		json_t *row = json_object();

		json_set(row, "kind", json_text(kinds[package->kind]));
		json_set(row, "name", json_text(package->name));
		json_set(row, "version", json_text(package->version));
		json_set(row, "license", json_text(package->license));
		json_set(row, "layer", json_integer(package->build_only ? 0 : package->layer + 1));
		json_append(list, row);
	}
	return list;
}

json_t *report_image(const struct sbom *sbom)
{
	json_t *image = json_object(), *layers = json_array();
	char digest[VARVE_DIGEST_TEXT];

	for (unsigned i = 0; i < sbom->side->layer_count; i++)
		json_append(layers, layer_of(sbom, i));
	json_set(image, "name", json_text(sbom->name));
	json_set(image, "digest",
		 json_text(varve_digest_text(&sbom->side->manifest.self.digest, digest)));
	json_set(image, "system", json_text(sbom->packages.pretty));
	json_set(image, "layers", layers);
	json_set(image, "packages", package_rows(&sbom->packages));
	return image;
}
