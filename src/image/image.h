/* SPDX-License-Identifier: Apache-2.0
 * Images: config, manifest, index (image-spec 1.1), OCI layouts and archives. Takes descriptors and
 * diff ids, knows nothing of how layers are made. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/descriptor.h>
#include <varve/store.h>
#include "base/json.h"
#include "base/strv.h"

struct sink;

/* Annotations of a manifest: a reference to the image that it stands on, and the digest of that
 * one's manifest (image-spec, annotations.md). */
#define IMAGE_BASE_NAME "org.opencontainers.image.base.name"
#define IMAGE_BASE_DIGEST "org.opencontainers.image.base.digest"

struct image_layer {
	struct varve_layer layer; /* entry_count 0: only a history entry, empty_layer */
	const char *created_by; /* "install system", "run make": text of history; borrowed */
	const char *comment; /* the step's key as text */
	int64_t epoch;
	const json_t *annotations; /* of its descriptor in the manifest; object or NULL; borrowed */
};

/* Everything an image is made of; borrowed. */
struct image_spec {
	const char *platform; /* "linux/amd64", "linux/arm64/v8" */
	const json_t *config; /* members of config.config, image-spec names */
	const struct image_layer *layers; /* bottom first */
	size_t layer_count;
	size_t base_count; /* of the layers, those of a base image: base_history has their entries
			    */
	const json_t *base_history; /* array, taken over as it is; NULL: none */
	int64_t epoch; /* created */
	const json_t *annotations; /* of the manifest; object or NULL */
};

/* RFC 3339 in UTC, as image-spec wants times ("2026-11-24T00:00:00Z"); returns the buffer. Years
 * before 0 and after 9999 become the nearest of them. */
enum { IMAGE_TIME = 24 };
const char *image_time(int64_t epoch, char buffer[IMAGE_TIME]);

/* Documents, pure and canonical. Where no layer has entries a layer without entries is named, since
 * manifests must name one (image_write stores it). */
json_t *image_config_json(const struct image_spec *spec);
json_t *image_manifest_json(const struct image_spec *spec, const struct varve_descriptor *config);

/* Config and manifest as blobs, the manifest under name: for the store, once the batch is written.
 * Returns the manifest's descriptor. */
struct store_batch;
void image_write(const struct image_spec *spec, const char *name, struct store_batch *batch,
		 struct varve_descriptor *ret_manifest);

/* An image read from a store or layout: parsed and checked documents. */
struct image {
	struct varve_descriptor manifest_descriptor, config_descriptor;
	json_t *manifest, *config; /* owned */
	struct varve_layer *layers; /* bottom first; owned (tar_size unknown: 0; entry_count 1) */
	size_t layer_count;
};
void image_release(struct image *image);
int image_open(struct varve_store *store, const char *name_or_digest, struct image *ret,
	       struct varve_error *err);
/* The same for a manifest that the index may not name. */
int image_open_manifest(struct varve_store *store, const struct varve_descriptor *manifest,
			struct image *ret, struct varve_error *err);
/* Human text, and one JSON document, of `varve inspect`. */
void image_print(const struct image *image, const char *name, struct buf *out);
json_t *image_inspect_json(const struct image *image, const char *name);

/* Writes an index over images of the store (names or digests), each of another platform, and enters
 * it under name. */
int image_write_index(struct varve_store *store, const char *name, const char *const *images,
		      size_t count, struct varve_descriptor *ret, struct varve_error *err);

/* "oci:DIR[:name]", "oci-archive:FILE[:name]", "docker-archive:FILE[:name]", "dir:DIR". */
enum image_transport { IMAGE_OCI, IMAGE_OCI_ARCHIVE, IMAGE_DOCKER_ARCHIVE, IMAGE_DIR };
struct image_target {
	enum image_transport transport;
	char *path;
	char *name; /* NULL: the image's own */
};
/* -VARVE_E_USAGE listing the transports. */
int image_target_parse(const char *text, struct image_target *ret, struct varve_error *err);
void image_target_release(struct image_target *target);
bool image_target_known(const char *text); /* begins with one of the transports */

/* Streams the tar of a layer blob (decompressed, verified) into out; given by a caller that knows
 * how (layer_unpack_stream). docker-archive needs it. */
typedef int (*image_unpack)(int fd, const struct varve_descriptor *blob, struct sink *take_out,
			    struct varve_error *err);

/* An image to export, with its name. */
struct image_export {
	const struct image *image;
	const char *name;
};
/* Exports images to one target. A layout directory is added to (blobs reflinked or hard-linked
 * where the file system allows, else copied; index.json replaced last, atomically; entries of other
 * names stay); archives are written whole to a temporary name and renamed, members in a fixed
 * order, times 0. Without a name in the target the index gets the image's whole own name: `skopeo
 * inspect oci:DIR` (one image), `skopeo inspect oci:DIR:NAME`, `umoci unpack --image DIR:NAME` and
 * `podman load` then all work. docker-archive: layers as tars, each once; where a tar's size is not
 * known its header is corrected afterwards, so no layer is unpacked twice (but one of 8 GiB or
 * more, whose header is longer). dir: blobs of an image that was there before stay. */
int image_export(struct varve_store *store, const struct image_export *images, size_t count,
		 const struct image_target *target, image_unpack unpack, struct varve_error *err);

/* Brings what an archive or a "dir:" holds into the store, verified and without a name there: the
 * image of the target's name, or the only one. oci-archive and dir: bytes as they are.
 * docker-archive: its layers are plain tars, for which a manifest is made. */
int image_import(struct varve_store *store, const struct image_target *from,
		 struct varve_descriptor *ret, struct varve_error *err);

/* An OCI layout as a directory of blobs and of names, for those that move images as they are. */
struct image_layout {
	int fd; /* the directory, locked against other writers where it is written to */
	int blobs; /* blobs/sha256 */
	int lock; /* of a directory that is written to and cannot be locked itself; else -1 */
};
#define IMAGE_LAYOUT_INIT                                                                          \
	{                                                                                          \
		-1, -1, -1                                                                         \
	}
/* To read from. -VARVE_E_FORMAT where the directory is no layout. */
int image_layout_open(const char *path, struct image_layout *ret, struct varve_error *err);
/* To write to: made where it is missing. */
int image_layout_make(const char *path, struct image_layout *ret, struct varve_error *err);
/* The entry of this name; NULL: the only one there is. */
int image_layout_find(const struct image_layout *layout, const char *name,
		      struct varve_descriptor *ret, struct varve_error *err);
/* Enters a manifest or index under a name; blobs are there by then. */
int image_layout_enter(const struct image_layout *layout, const char *name,
		       const struct varve_descriptor *manifest, struct varve_error *err);
void image_layout_close(struct image_layout *layout);

/* Reads a reference name: [HOST/]PATH[:TAG]; -VARVE_E_USAGE says what is wrong with it (upper case,
 * length, characters), per distribution-spec. */
int image_name_check(const char *name, struct varve_error *err);

#endif
