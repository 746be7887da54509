/* SPDX-License-Identifier: Apache-2.0 */
#include "source/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "layer/layer_tar.h"
#include "store/store.h"

enum { PACK_BLOCK = 1 << 20, VALUE_PREFIX = 7 };

/* Something of the recipe and where it lies. */
struct place {
	char *path; /* absolute, without "." and ".."; links are not resolved */
	const json_t *spec; /* of a local source; NULL: a single file */
};
struct places {
	struct place *items;
	size_t count, alloc;
};

static void places_release(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->items[i].path);
	free(places->items);
}

void bundle_inputs_release(struct bundle_inputs *inputs)
{
	free(inputs->root);
	json_decref(inputs->files);
	*inputs = (struct bundle_inputs){0};
}

/* --- where things lie --------------------------------------------------------------------------
 */

/* "/a/b" and "../c/./d" -> "/a/c/d", by the text alone, as a recipe's reader sees it. */
static char *absolute(const char *directory, const char *path)
{
	CLEANUP(free_ptr) char *joined = *path == '/' ? xstrdup(path) : path_join(directory, path);
	struct buf out = BUF_INIT;

	for (const char *at = joined; *at; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");

		if (len == 2 && strncmp(at, "..", 2) == 0) {
			while (out.len > 0 && out.data[--out.len] != '/')
				;
			if (out.data)
				out.data[out.len] = '\0';
		} else if (len > 0 && !(len == 1 && *at == '.')) {
			buf_addc(&out, '/');
			buf_add(&out, at, len);
		}
		at += len;
	}
	return buf_steal(&out);
}

static void add_place(struct places *places, const char *directory, const char *path,
		      const json_t *spec)
{
	places->items =
		array_grow(places->items, places->count, &places->alloc, sizeof(*places->items));
	places->items[places->count++] = (struct place){absolute(directory, path), spec};
}

static int find_places(const struct source_context *context, const struct strv *paths,
		       const json_t *locals, struct places *ret, struct varve_error *err)
{
	CLEANUP(free_ptr) char *here = getcwd(NULL, 0);
	CLEANUP(free_ptr) char *directory = realpath(context->directory, NULL);

	if (!here || !directory)
		return varve_error_set(err, -errno, "find %s", context->directory);
	for (size_t i = 0; i < paths->count; i++)
		add_place(ret, here, paths->items[i], NULL);
	/* The recipe's directory may have been reached through a link: it is one place all the
	 * same. */
	for (size_t i = 0; i < ret->count; i++) {
		CLEANUP(free_ptr)
		char *parent = xstrndup(ret->items[i].path, path_dir_len(ret->items[i].path));
		CLEANUP(free_ptr) char *real = realpath(*parent ? parent : "/", NULL);
		char *moved;

		if (!real)
			return varve_error_set(err, -errno, "find %s", paths->items[i]);
		moved = xasprintf("%s/%s", str_equal(real, "/") ? "" : real,
				  path_base(ret->items[i].path));
		free(ret->items[i].path);
		ret->items[i].path = moved;
	}
	for (size_t i = 0; i < json_array_size(locals); i++) {
		const json_t *spec = json_array_get(locals, i);
		const char *path = json_optional_string(spec, "path", "");

		add_place(ret, directory, path + strspn(path, "/"), spec);
	}
	return 0;
}

/* The deepest directory that holds all: a whole number of components of the first one. */
static char *common_root(const struct places *places)
{
	const char *first = places->count > 0 ? places->items[0].path : "";
	char *root = xstrndup(first, path_dir_len(first));
	size_t len = strlen(root);

	for (size_t i = 1; i < places->count; i++) {
		const char *path = places->items[i].path;
		bool inside = places->items[i].spec != NULL;

		/* A local source may be the root itself; a file lies in it. */
		while (len > 0 && !(strncmp(path, root, len) == 0 &&
				    (path[len] == '/' || (inside && path[len] == '\0'))))
			while (len > 0 && root[--len] != '/')
				;
		root[len] = '\0';
	}
	return root;
}

static const char *below(const char *root, const char *path)
{
	path += strlen(root);
	return path + (*path == '/');
}

/* --- what lies there ---------------------------------------------------------------------------
 */

static void add_file(json_t *files, const char *path, const char *kind,
		     const struct varve_digest *digest)
{
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr) char *value = xasprintf("%s:%s", kind, varve_digest_hex(digest, hex));

	json_set(files, path, json_text(value));
}

static int collect_file(const struct place *place, struct bundle_inputs *ret,
			struct varve_error *err)
{
	CLEANUP(fd_close) int fd = open(place->path, O_RDONLY | O_CLOEXEC);
	struct varve_digest digest;
	int r;

	if (fd < 0)
		return varve_error_set(err, -errno, "open %s", place->path);
	r = digest_fd(fd, &digest, NULL);
	if (r < 0)
		return varve_error_set(err, r, "read %s", place->path);
	add_file(ret->files, below(ret->root, place->path), "100644", &digest);
	return 0;
}

/* The file with a source's ignore rules may be left out by them; the listing needs it again. */
static int collect_ignore(const struct place *place, struct bundle_inputs *ret,
			  struct varve_error *err)
{
	const char *name = json_optional_string(place->spec, "ignore", "");
	CLEANUP(free_ptr) char *path = path_join(place->path, *name ? name : ".varveignore");
	const struct place file = {path, NULL};
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    json_object_get(ret->files, below(ret->root, path)))
		return 0;
	return collect_file(&file, ret, err);
}

static int collect_local(struct source_context *context, const struct place *place,
			 struct bundle_inputs *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *listing = NULL;
	const char *top = below(ret->root, place->path), *path;
	struct varve_digest digest;
	struct stat st;
	json_t *value;
	int r = source_local_digest(context, place->spec, &digest, &listing, err);

	if (r < 0)
		return r;
	if (stat(place->path, &st) < 0)
		return varve_error_set(err, -errno, "look at %s", place->path);
	if (!S_ISDIR(st.st_mode))
		return collect_file(place, ret, err);
	if (*top && !json_object_get(ret->files, top))
		json_set(ret->files, top, json_text("040000:"));
	json_object_foreach(listing, path, value)
	{
		CLEANUP(free_ptr) char *whole = path_join(top, path);

		json_set(ret->files, whole, json_incref(value));
	}
	return collect_ignore(place, ret, err);
}

int bundle_inputs_collect(struct source_context *context, const struct strv *paths,
			  const json_t *locals, struct bundle_inputs *ret, struct varve_error *err)
{
	CLEANUP(places_release) struct places places = {0};
	CLEANUP(bundle_inputs_release) struct bundle_inputs inputs = {.files = json_object()};
	int r = find_places(context, paths, locals, &places, err);

	if (r < 0)
		return r;
	inputs.root = common_root(&places);
	for (size_t i = places.count; i-- > 0 && r == 0;)
		r = places.items[i].spec ? collect_local(context, &places.items[i], &inputs, err)
					 : collect_file(&places.items[i], &inputs, err);
	if (r < 0)
		return r;
	*ret = inputs;
	inputs = (struct bundle_inputs){0};
	return 0;
}

char *bundle_inputs_path(const struct bundle_inputs *inputs, const char *path)
{
	CLEANUP(free_ptr) char *here = getcwd(NULL, 0);
	CLEANUP(free_ptr) char *whole = absolute(here ? here : "/", path);
	CLEANUP(free_ptr) char *parent = xstrndup(whole, path_dir_len(whole));
	CLEANUP(free_ptr) char *real = realpath(*parent ? parent : "/", NULL);
	CLEANUP(free_ptr)
	char *moved =
		xasprintf("%s/%s", real && !str_equal(real, "/") ? real : "", path_base(whole));

	return xstrdup(below(inputs->root, moved));
}

/* --- the tar -----------------------------------------------------------------------------------
 */

struct packing {
	const struct bundle_inputs *inputs;
	struct sink *out;
	struct varve_error *err;
};

static int put(const struct packing *p, const struct tar_entry *entry)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT;

	tar_header(entry, &header);
	return sink_write(p->out, header.data, header.len);
}

static int changed(const struct packing *p, const char *path)
{
	return varve_error_set(p->err, -ESTALE, "%s/%s changed while it was packed",
			       p->inputs->root, path);
}

static int pack_data(const struct packing *p, const char *path, int fd, uint64_t size,
		     const struct varve_digest *want)
{
	static const char zeros[TAR_BLOCK];
	CLEANUP(free_ptr) char *block = xmalloc(PACK_BLOCK);
	struct hasher *hasher = hasher_new();
	struct varve_digest got;
	uint64_t done = 0;
	ssize_t n = 0;
	int r = 0;

	while (r == 0 && (n = fd_read_full(fd, block, PACK_BLOCK)) > 0) {
		hasher_update(hasher, block, (size_t)n);
		done += (uint64_t)n;
		r = done > size ? -ESTALE : sink_write(p->out, block, (size_t)n);
	}
	hasher_final(hasher, &got);
	hasher_free(hasher);
	if (n < 0)
		return varve_error_set(p->err, (int)n, "read %s/%s", p->inputs->root, path);
	if (r == -ESTALE || (r == 0 && (done != size || !varve_digest_equal(&got, want))))
		return changed(p, path);
	return r < 0 ? r : sink_write(p->out, zeros, tar_padding(size));
}

static int pack_file(const struct packing *p, const char *path, const char *value)
{
	CLEANUP(free_ptr) char *whole = path_join(p->inputs->root, path);
	CLEANUP(fd_close) int fd = open(whole, O_RDONLY | O_CLOEXEC);
	struct tar_entry entry = {
		.type = TAR_FILE, .path = path, .mode = str_starts(value, "100755") ? 0755 : 0644};
	struct varve_digest want;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return varve_error_set(p->err, -errno, "open %s", whole);
	if (varve_digest_parse_hex(value + VALUE_PREFIX, &want) < 0)
		return varve_error_set(p->err, -VARVE_E_FORMAT, "the listing of %s", path);
	entry.size = (uint64_t)st.st_size;
	r = put(p, &entry);
	return r < 0 ? r : pack_data(p, path, fd, entry.size, &want);
}

static int pack_entry(const struct packing *p, const char *path, const char *value)
{
	const struct tar_entry directory = {.type = TAR_DIRECTORY, .path = path, .mode = 0755};
	const struct tar_entry link = {
		.type = TAR_SYMLINK, .path = path, .mode = 0777, .link = value + VALUE_PREFIX};

	if (str_starts(value, "040000:"))
		return put(p, &directory);
	return str_starts(value, "120000:") ? put(p, &link) : pack_file(p, path, value);
}

static int pack_all(const struct packing *p)
{
	static const char end[TAR_END];
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	const char *path;
	json_t *value;
	int r = 0;

	json_object_foreach(p->inputs->files, path, value) strv_add(&paths, path);
	strv_sort(&paths);
	for (size_t i = 0; i < paths.count && r == 0; i++) {
		const char *text =
			json_string_value(json_object_get(p->inputs->files, paths.items[i]));

		r = pack_entry(p, paths.items[i], text);
	}
	return r < 0 ? r : sink_write(p->out, end, sizeof(end));
}

int bundle_inputs_pack(const struct bundle_inputs *inputs, struct varve_store *store,
		       struct varve_descriptor *ret, struct varve_error *err)
{
	CLEANUP(store_blob_abort) struct store_blob_writer writer = {0};
	struct packing packing = {inputs, &writer.sink, err};
	int r = store_blob_begin(store, &writer, err);

	if (r < 0)
		return r;
	r = pack_all(&packing);
	/* Where writing failed, the sink knows why. */
	if (r == 0 || writer.sink.error)
		r = sink_close(&writer.sink, err);
	if (r < 0)
		return r;
	(void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", VARVE_BUNDLE_INPUTS);
	ret->size = writer.written;
	return store_blob_commit(&writer, NULL, &ret->digest, err);
}
