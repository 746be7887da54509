/* SPDX-License-Identifier: Apache-2.0
 * The layer code as a program, for tests that are written in other languages and for measuring:
 *	layer_tool pack DIR [COMPRESSION [BLOB [THREADS [IMPLIED|- [BEFORE [STORE]]]]]]
 *	layer_tool remember DIR STORE
 *	layer_tool apply BLOB MEDIA_TYPE DIGEST SIZE DIFF_ID DIR
 *	layer_tool normalise UPPER LOWER|- EPOCH
 *	layer_tool unpack ARCHIVE DIR STRIP
 * BEFORE: an earlier blob of zstd:chunked, whose frames may be used again. With STORE also its
 *marks (beside it, where pack writes them), as far as files have the stat that `remember` saw. A
 *directory's implied parents are written to, and read from, lines of text. */
#include "layer/layer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <varve/store.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sink.h"
#include "base/strv.h"
#include "layer/layer_frames.h"
#include "layer/layer_marks.h"
#include "layer/layer_vouch.h"
#include "layer/layer_walk.h"
#include "source/source_stat.h"

static const struct owners owners_root = {.mode = OWNER_ROOT};

static int fail(const struct varve_error *err)
{
	(void)fprintf(stderr, "layer_tool: %s\n", err->text);
	return 1;
}

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void print_lines(const struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		(void)printf("%s\n", v->items[i]);
}

static void read_lines(const char *path, struct strv *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char *rest, *line;

	if (fd_read_file(AT_FDCWD, path, 1 << 24, &text, NULL) < 0)
		return;
	rest = text.data;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			strv_add(ret, line);
	strv_sort(ret);
}

/* --- what is known of a directory's files ------------------------------------------------------
 */

struct memory {
	struct varve_store *store;
	struct source_stat *stat;
};

static void memory_release(struct memory *m)
{
	source_stat_free(m->stat);
	varve_store_close(m->store);
}

static int memory_open(struct memory *m, const char *directory, const char *store,
		       struct varve_error *err)
{
	int r = varve_store_open(store, &m->store, err);

	if (r == 0)
		m->stat = source_stat_open(m->store, directory, "");
	return r;
}

static bool vouch(void *cookie, const struct walk_entry *file, struct varve_digest *ret)
{
	return source_stat_find(cookie, &file->st, ret);
}

static int remember_all(struct memory *m, int tree, struct varve_error *err)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct varve_digest digest;
	struct walk_entry e;
	int r = layer_walk_new(tree, &owners_root, &walk, err);

	while (r >= 0 && (r = layer_walk_next(walk, &e, err)) > 0)
		if (!e.leave && S_ISREG(e.st.st_mode))
			r = source_stat_digest(m->stat, e.dirfd, e.name, &e.st, &digest);
	if (r == 0)
		source_stat_save(m->stat);
	return r;
}

static int remember(char **argv)
{
	CLEANUP(memory_release) struct memory memory = {NULL, NULL};
	CLEANUP(fd_close) int tree = open_directory(argv[2]);
	struct varve_error err = {.code = 0};

	if (memory_open(&memory, argv[2], argv[3], &err) < 0 ||
	    remember_all(&memory, tree, &err) < 0)
		return fail(&err);
	return 0;
}

static char *marks_path(const char *blob)
{
	return xasprintf("%s.marks", blob);
}

static void write_marks(const char *blob, const struct layer_marks *marks)
{
	CLEANUP(free_ptr) char *path = marks_path(blob);
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	layer_marks_write(marks, &bytes);
	(void)fd_write_all(fd, bytes.data, bytes.len);
}

static bool read_marks(const char *blob, struct layer_marks *ret)
{
	CLEANUP(free_ptr) char *path = marks_path(blob);
	CLEANUP(buf_release) struct buf bytes = BUF_INIT;

	return fd_read_file(AT_FDCWD, path, 1 << 24, &bytes, NULL) == 0 &&
	       layer_marks_parse(bytes.data, bytes.len, ret);
}

/* --- packing -----------------------------------------------------------------------------------
 */

struct packing {
	int tree;
	struct strv implied;
	struct layer_compression c;
	unsigned threads; /* 0: as layer_pack chooses */
	struct sink_fd blob;
	int before; /* an earlier blob, or -1 */
	struct layer_frames *frames;
	struct memory memory;
	struct layer_marks known, made;
	struct layer_vouch vouch;
};

static void packing_release(struct packing *p)
{
	fd_close(&p->tree);
	fd_close(&p->blob.fd);
	layer_frames_freep(&p->frames);
	fd_close(&p->before);
	memory_release(&p->memory);
	layer_marks_release(&p->known);
	layer_marks_release(&p->made);
	strv_release(&p->implied);
}

/* layer_pack with a number of threads of our choice: that must not matter. */
static int pack_with_threads(struct packing *p, struct varve_layer *ret, struct varve_error *err)
{
	struct sink_hash tar, blob;
	struct sink *compressor = NULL;
	int r;

	sink_hash_init(&blob, &p->blob.sink);
	r = layer_compressor_new(&p->c, p->threads, &blob.sink, &compressor, err);
	if (r < 0)
		return r;
	sink_hash_init(&tar, compressor);
	r = layer_write(p->tree, &p->implied, &owners_root, &tar.sink, &ret->entry_count, err);
	ret->diff_id = tar.digest;
	ret->tar_size = tar.written;
	ret->blob.digest = blob.digest;
	ret->blob.size = blob.written;
	layer_compressor_free(compressor);
	sink_hash_release(&tar);
	sink_hash_release(&blob);
	return r;
}

static void print_layer(const struct packing *p, const struct varve_layer *layer)
{
	char diff_id[VARVE_DIGEST_TEXT], digest[VARVE_DIGEST_TEXT];

	(void)printf("{\"diffId\":\"%s\",\"digest\":\"%s\",\"size\":%" PRIu64
		     ",\"tarSize\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"mediaType\":\"%s\"}\n",
		     varve_digest_text(&layer->diff_id, diff_id),
		     varve_digest_text(&layer->blob.digest, digest), layer->blob.size,
		     layer->tar_size, layer->entry_count, layer_media_type(p->c.kind));
}

static int use_before(struct packing *p, int argc, char **argv, struct varve_error *err)
{
	int r;

	p->before = open(argv[7], O_RDONLY | O_CLOEXEC);
	r = layer_frames_new(p->before, &p->frames, err);
	p->c.known = p->frames;
	if (r < 0 || argc < 9 || !read_marks(argv[7], &p->known))
		return r;
	p->c.before = &p->known;
	p->c.vouch = &p->vouch;
	layer_frames_trust(p->frames);
	r = memory_open(&p->memory, argv[2], argv[8], err);
	p->vouch = (struct layer_vouch){vouch, p->memory.stat};
	return r;
}

static int pack(int argc, char **argv)
{
	CLEANUP(packing_release) struct packing p = {.tree = open_directory(argv[2]), .before = -1};
	struct varve_layer layer = {.entry_count = 0};
	struct varve_error err = {.code = 0};
	int r;

	sink_fd_init(&p.blob, open(argc > 4 ? argv[4] : "/dev/null",
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	p.threads = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
	if (argc > 6 && !str_equal(argv[6], "-"))
		read_lines(argv[6], &p.implied);
	r = layer_compression_parse(argc > 3 ? argv[3] : "zstd", &p.c, &err);
	if (r == 0 && argc > 7)
		r = use_before(&p, argc, argv, &err);
	if (p.c.kind == LAYER_CHUNKED && p.threads == 0)
		p.c.marks = &p.made;
	if (r == 0 && p.threads > 0)
		r = pack_with_threads(&p, &layer, &err);
	else if (r == 0)
		r = layer_pack(p.tree, &p.implied, &owners_root, &p.c, &p.blob.sink, &layer, &err);
	if (r < 0)
		return fail(&err);
	if (p.c.marks && argc > 4)
		write_marks(argv[4], p.c.marks);
	print_layer(&p, &layer);
	return 0;
}

static int apply(char **argv)
{
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(fd_close) int blob = open(argv[2], O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_close) int tree = open_directory(argv[7]);
	struct varve_layer layer = {.blob = {.size = strtoull(argv[5], NULL, 10)}};
	struct varve_error err = {.code = 0};

	(void)snprintf(layer.blob.media_type, sizeof(layer.blob.media_type), "%s", argv[3]);
	if (varve_digest_parse(argv[4], &layer.blob.digest) < 0 ||
	    varve_digest_parse(argv[6], &layer.diff_id) < 0)
		return 2;
	if (layer_apply(blob, &layer, tree, &owners_root, &implied, &err) < 0)
		return fail(&err);
	print_lines(&implied);
	return 0;
}

static int normalise(char **argv)
{
	CLEANUP(strv_release) struct strv implied = STRV_INIT;
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(fd_close) int upper = open_directory(argv[2]);
	CLEANUP(fd_close) int lower = str_equal(argv[3], "-") ? -1 : open_directory(argv[3]);
	const struct layer_rules rules = {.owners = &owners_root,
					  .epoch = strtoll(argv[4], NULL, 10)};
	const struct layer_notices notices = {&lines};
	struct varve_error err = {.code = 0};

	if (layer_normalise(upper, lower, &rules, &notices, &implied, &err) < 0)
		return fail(&err);
	print_lines(&implied);
	for (size_t i = 0; i < lines.count; i++)
		(void)fprintf(stderr, "notice: %s\n", lines.items[i]);
	return 0;
}

static int unpack(char **argv)
{
	CLEANUP(fd_close) int archive = open(argv[2], O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_close) int directory = open_directory(argv[3]);
	struct varve_error err = {.code = 0};

	if (layer_unpack_archive(archive, directory, (unsigned)strtoul(argv[4], NULL, 10), &err) <
	    0)
		return fail(&err);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && str_equal(argv[1], "pack"))
		return pack(argc, argv);
	if (argc == 4 && str_equal(argv[1], "remember"))
		return remember(argv);
	if (argc == 8 && str_equal(argv[1], "apply"))
		return apply(argv);
	if (argc == 5 && str_equal(argv[1], "normalise"))
		return normalise(argv);
	if (argc == 5 && str_equal(argv[1], "unpack"))
		return unpack(argv);
	(void)fprintf(stderr, "usage: layer_tool pack|remember|apply|normalise|unpack ...\n");
	return 2;
}
