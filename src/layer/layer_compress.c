/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_compress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { THREADS_MAX = 16 };

struct kind {
	const char *name;
	const char *media_type;
	const char *(*version)(void);
	enum layer_compression_kind kind;
	int level, minimum, maximum; /* maximum 0: it has no levels */
};

static const struct kind kinds[] = {
	{"none", VARVE_MEDIA_LAYER, NULL, LAYER_PLAIN, 0, 0, 0},
	{"gzip", VARVE_MEDIA_LAYER_GZIP, zlibVersion, LAYER_GZIP, 6, 1, 9},
	{"zstd", VARVE_MEDIA_LAYER_ZSTD, ZSTD_versionString, LAYER_ZSTD, 3, 1, 19},
	{"zstd:chunked", VARVE_MEDIA_LAYER_ZSTD, ZSTD_versionString, LAYER_CHUNKED, 3, 1, 19},
};

/* The kind whose name text begins with; the longest, since one is the beginning of another. */
static const struct kind *find_kind(const char *text)
{
	for (size_t i = ARRAY_SIZE(kinds); i-- > 0;) {
		size_t len = strlen(kinds[i].name);

		if (str_starts(text, kinds[i].name) && (text[len] == '\0' || text[len] == ':'))
			return &kinds[i];
	}
	return NULL;
}

int layer_compression_parse(const char *text, struct layer_compression *ret,
			    struct varve_error *err)
{
	const struct kind *k = find_kind(text);
	const char *level_text = k ? text + strlen(k->name) : "";
	unsigned long long level;

	if (!k)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "unknown compression \"%s\": there are zstd, zstd:chunked, "
				       "gzip and none",
				       text);
	level = (unsigned long long)k->level;
	if (*level_text && k->maximum == 0)
		return varve_error_set(err, -VARVE_E_USAGE, "compression \"none\" has no level");
	if (*level_text && (!str_to_u64(level_text + 1, (unsigned long long)k->maximum, &level) ||
			    level < (unsigned long long)k->minimum))
		return varve_error_set(err, -VARVE_E_USAGE,
				       "compression %s: the level is a number from %d to %d", text,
				       k->minimum, k->maximum);
	*ret = (struct layer_compression){.kind = k->kind, .level = (int)level};
	return 0;
}

const char *layer_compression_name(const struct layer_compression *c, char buffer[16])
{
	if (kinds[c->kind].maximum == 0)
		(void)snprintf(buffer, 16, "%s", kinds[c->kind].name);
	else
		(void)snprintf(buffer, 16, "%s:%d", kinds[c->kind].name, c->level);
	return buffer;
}

const char *layer_media_type(enum layer_compression_kind kind)
{
	return kinds[kind].media_type;
}

const char *layer_compressor_version(enum layer_compression_kind kind)
{
	static _Thread_local char text[32]; /* of the library that runs, not of its headers */

	if (kind == LAYER_PLAIN)
		return "none";
	(void)snprintf(text, sizeof(text), "%s %s", kind == LAYER_GZIP ? "zlib" : "zstd",
		       kinds[kind].version());
	return text;
}

int layer_compressor_emit(struct layer_compressor *c, const void *data, size_t len,
			  struct varve_error *err)
{
	int r = sink_write(c->next, data, len);

	if (r < 0 && err)
		*err = c->next->text;
	return r;
}

int layer_compressor_end(struct layer_compressor *c, int r, struct varve_error *err)
{
	struct varve_error ignored;
	int closed = sink_close(c->next, r < 0 ? &ignored : err);

	return r < 0 ? r : closed;
}

static int plain_write(struct sink *sink, const void *data, size_t len, struct varve_error *err)
{
	return layer_compressor_emit((struct layer_compressor *)sink, data, len, err);
}

static int plain_close(struct sink *sink, struct varve_error *err)
{
	return layer_compressor_end((struct layer_compressor *)sink, 0, err);
}

static void plain_free(struct layer_compressor *c)
{
	free(c);
}

static int plain_new(struct sink *next, struct layer_compressor **ret)
{
	static const struct sink_ops ops = {plain_write, plain_close, NULL};
	struct layer_compressor *c = xcalloc(1, sizeof(*c));

	*c = (struct layer_compressor){.sink = {.ops = &ops}, .next = next, .free = plain_free};
	*ret = c;
	return 0;
}

static unsigned thread_count(unsigned threads)
{
	long cores = threads > 0 ? (long)threads : sysconf(_SC_NPROCESSORS_ONLN);

	if (cores < 1)
		return 1;
	return cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
}

int layer_compressor_new(const struct layer_compression *c, unsigned threads,
			 struct sink *take_next, struct sink **ret, struct varve_error *err)
{
	struct layer_compressor *made = NULL;
	struct varve_error ignored;
	int r;

	threads = thread_count(threads);
	switch (c->kind) {
	case LAYER_ZSTD:
		r = layer_zstd_new(c->level, threads, take_next, &made, err);
		break;
	case LAYER_CHUNKED:
		r = layer_chunked_new(c, threads, take_next, &made, err);
		break;
	case LAYER_GZIP:
		r = layer_gzip_new(c->level, threads, take_next, &made, err);
		break;
	case LAYER_PLAIN:
	default:
		r = plain_new(take_next, &made);
		break;
	}
	if (r < 0) {
		(void)sink_close(take_next, &ignored);
		return r;
	}
	*ret = &made->sink;
	return 0;
}

void layer_compressor_free(struct sink *compressor)
{
	struct layer_compressor *c = (struct layer_compressor *)compressor;

	if (c)
		c->free(c);
}
