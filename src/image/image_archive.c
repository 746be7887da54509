/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image_blobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/index.h"
#include "base/path.h"
#include "base/sink.h"
#include "image/image_document.h"
#include "image/image_index.h"
#include "image/image_tar.h"
#include "store/store.h"

/* --- oci-archive: oci-layout, index.json, blobs by digest
 * ----------------------------------------- */

static int add_index(const struct image_job *job, struct image_tar *tar, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *index = index_new();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < job->count; i++)
		(void)image_index_put(index, job->images[i].image, image_export_name(job, i));
	json_canonical(index, &text);
	return image_tar_text(tar, "index.json", &text, err);
}

static int add_blob(const struct image_job *job, struct image_tar *tar, const char *name,
		    const struct varve_descriptor *blob, struct varve_error *err)
{
	CLEANUP(fd_close) int fd = -1;
	int r = varve_store_open_blob(job->store, &blob->digest, &fd, err);

	if (r < 0)
		return r;
	return image_tar_file(tar, name, fd, blob->size, err);
}

static int add_blobs(const struct image_job *job, struct image_tar *tar, struct varve_error *err)
{
	CLEANUP(free_ptr) const struct varve_descriptor **blobs = NULL;
	size_t count = image_blobs(job, &blobs);
	char name[sizeof("blobs/sha256/") + VARVE_DIGEST_HEX];
	char hex[VARVE_DIGEST_HEX];
	int r = image_tar_directory(tar, "blobs", err);

	if (r >= 0)
		r = image_tar_directory(tar, "blobs/sha256", err);
	for (size_t i = 0; i < count && r >= 0; i++) {
		(void)snprintf(name, sizeof(name), "blobs/sha256/%s",
			       varve_digest_hex(&blobs[i]->digest, hex));
		r = add_blob(job, tar, name, blobs[i], err);
	}
	return r;
}

int image_export_oci_archive(const struct image_job *job, struct varve_error *err)
{
	CLEANUP(image_tar_abort) struct image_tar tar = IMAGE_TAR_INIT;
	CLEANUP(buf_release) struct buf layout = BUF_INIT;
	int r;

	r = image_tar_begin(job->target->path, &tar, err);
	if (r < 0)
		return r;
	buf_addstr(&layout, IMAGE_LAYOUT_FILE);
	r = image_tar_text(&tar, "oci-layout", &layout, err);
	if (r >= 0)
		r = add_index(job, &tar, err);
	if (r >= 0)
		r = add_blobs(job, &tar, err);
	if (r < 0)
		return r;
	return image_tar_commit(&tar, err);
}

/* --- docker-archive: manifest.json, configs, layers as tars
 * ---------------------------------------- */

enum { MEMBER_NAME = VARVE_DIGEST_HEX + 8 };

static const char *member_name(const struct varve_digest *digest, const char *suffix,
			       char name[MEMBER_NAME])
{
	char hex[VARVE_DIGEST_HEX];

	(void)snprintf(name, MEMBER_NAME, "%s%s", varve_digest_hex(digest, hex), suffix);
	return name;
}

/* A tag must be written here: readers refuse a name without one. */
static json_t *repo_tag(const char *name)
{
	const char *base = path_base(name);
	CLEANUP(free_ptr)
	char *tagged = strchr(base, ':') ? xstrdup(name) : xasprintf("%s:latest", name);

	return json_text(tagged);
}

static json_t *docker_entry(const struct image_job *job, size_t index)
{
	const struct image *image = job->images[index].image;
	json_t *entry = json_object();
	json_t *layers = json_array();
	json_t *tags = json_array();
	char name[MEMBER_NAME];

	for (size_t i = 0; i < image->layer_count; i++)
		json_append(layers,
			    json_text(member_name(&image->layers[i].diff_id, ".tar", name)));
	json_append(tags, repo_tag(image_export_name(job, index)));
	json_set(entry, "Config",
		 json_text(member_name(&image->config_descriptor.digest, ".json", name)));
	json_set(entry, "RepoTags", tags);
	json_set(entry, "Layers", layers);
	return entry;
}

static int add_docker_manifest(const struct image_job *job, struct image_tar *tar,
			       struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *manifest = json_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < job->count; i++)
		json_append(manifest, docker_entry(job, i));
	json_canonical(manifest, &text);
	return image_tar_text(tar, "manifest.json", &text, err);
}

/* The size of a compressed layer's tar is not known before it was unpacked, so the header is
 * written again afterwards: the archive is a file that we can seek in. */
static int stream_layer(const struct image_job *job, struct image_tar *tar,
			const struct varve_layer *layer, struct varve_error *err)
{
	CLEANUP(sink_hash_release) struct sink_hash hash = {.hasher = NULL};
	CLEANUP(fd_close) int fd = -1;
	struct sink_fd out;
	char text[VARVE_DIGEST_TEXT];
	int r;

	r = varve_store_open_blob(job->store, &layer->blob.digest, &fd, err);
	if (r < 0)
		return r;
	sink_fd_init(&out, image_tar_fd(tar));
	sink_hash_init(&hash, &out.sink);
	r = job->unpack(fd, &layer->blob, &hash.sink, err);
	if (r < 0)
		return r;
	if (!varve_digest_equal(&hash.digest, &layer->diff_id))
		return varve_error_set(err, -VARVE_E_DIGEST,
				       "layer %s does not unpack to its diff id",
				       varve_digest_text(&layer->blob.digest, text));
	return image_tar_end(tar, hash.written, err);
}

static int add_layer(const struct image_job *job, struct image_tar *tar,
		     const struct varve_layer *layer, struct varve_error *err)
{
	char name[MEMBER_NAME];
	uint64_t size = layer->tar_size;
	int r;

	member_name(&layer->diff_id, ".tar", name);
	if (str_equal(layer->blob.media_type, VARVE_MEDIA_LAYER))
		size = layer->blob.size;
	/* Once is enough but for a tar of 8 GiB or more whose size was not known: its header is
	 * longer. */
	for (int attempt = 0; attempt < 2; attempt++) {
		r = image_tar_start(tar, name, size, err);
		if (r >= 0)
			r = stream_layer(job, tar, layer, err);
		if (r != IMAGE_TAR_AGAIN)
			return r;
		size = tar->size;
	}
	return varve_error_set(err, -VARVE_E_FORMAT, "the size of %s changed", name);
}

static bool seen_before(const struct image_job *job, size_t image_index, size_t layer_index)
{
	const struct image *image = job->images[image_index].image;
	const struct varve_digest *wanted = &image->layers[layer_index].diff_id;

	for (size_t i = 0; i <= image_index; i++) {
		const struct image *other = job->images[i].image;
		size_t count = i < image_index ? other->layer_count : layer_index;

		for (size_t j = 0; j < count; j++) {
			if (varve_digest_equal(&other->layers[j].diff_id, wanted))
				return true;
		}
	}
	return false;
}

static int add_layers(const struct image_job *job, size_t index, struct image_tar *tar,
		      struct varve_error *err)
{
	const struct image *image = job->images[index].image;
	int r = 0;

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		if (!seen_before(job, index, i))
			r = add_layer(job, tar, &image->layers[i], err);
	}
	return r;
}

static bool config_seen_before(const struct image_job *job, size_t index)
{
	const struct varve_digest *wanted = &job->images[index].image->config_descriptor.digest;

	for (size_t i = 0; i < index; i++) {
		if (varve_digest_equal(&job->images[i].image->config_descriptor.digest, wanted))
			return true;
	}
	return false;
}

static int add_docker_image(const struct image_job *job, size_t index, struct image_tar *tar,
			    struct varve_error *err)
{
	const struct varve_descriptor *config = &job->images[index].image->config_descriptor;
	char name[MEMBER_NAME];
	int r;

	if (!config_seen_before(job, index)) {
		r = add_blob(job, tar, member_name(&config->digest, ".json", name), config, err);
		if (r < 0)
			return r;
	}
	return add_layers(job, index, tar, err);
}

int image_export_docker_archive(const struct image_job *job, struct varve_error *err)
{
	CLEANUP(image_tar_abort) struct image_tar tar = IMAGE_TAR_INIT;
	int r;

	r = image_tar_begin(job->target->path, &tar, err);
	if (r < 0)
		return r;
	r = add_docker_manifest(job, &tar, err);
	for (size_t i = 0; i < job->count && r >= 0; i++)
		r = add_docker_image(job, i, &tar, err);
	if (r < 0)
		return r;
	return image_tar_commit(&tar, err);
}
