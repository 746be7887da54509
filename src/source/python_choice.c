/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_index.h"

static const char *text_of(const struct python_choice *c, const char *member)
{
	return json_optional_string(c->ret->spec, member, "");
}

static bool is_in_lock_file(const struct python_choice *c, const struct python_file *file)
{
	char hex[VARVE_DIGEST_HEX];

	/* A requirements.txt need not have hashes; a pylock.toml always has. */
	if (*c->lock == '\0' || !strstr(c->lock, "sha256"))
		return true;
	return file->has_sha256 && strstr(c->lock, varve_digest_hex(&file->sha256, hex)) != NULL;
}

/* -1: not what is wanted; else the less the better. */
static int rank(const struct python_choice *c, const struct python_pin *pin,
		const struct python_file *file)
{
	CLEANUP(free_ptr) char *project = NULL;
	CLEANUP(free_ptr) char *version = NULL;

	if (!python_split(file->name, &project, &version) || strcmp(project, pin->project) != 0 ||
	    !python_same_version(version, pin->version) || !is_in_lock_file(c, file))
		return -1;
	if (c->sdist)
		return !python_is_sdist(file->name) ? -1 : str_ends(file->name, ".zip");
	return python_rank(file->name, c->target);
}

static const struct python_file *best_file(const struct python_choice *c,
					   const struct python_pin *pin,
					   const struct python_page *page)
{
	const struct python_file *best = NULL;
	int best_rank = 0;
	size_t i;

	for (i = 0; i < page->count; i++) {
		int r = rank(c, pin, &page->files[i]);

		if (r < 0 ||
		    (best && (r > best_rank ||
			      (r == best_rank && strcmp(page->files[i].name, best->name) <= 0))))
			continue;
		best = &page->files[i];
		best_rank = r;
	}
	return best;
}

static bool has_version(const struct python_pin *pin, const struct python_page *page)
{
	size_t i;

	for (i = 0; i < page->count; i++) {
		CLEANUP(free_ptr) char *project = NULL;
		CLEANUP(free_ptr) char *version = NULL;

		if (python_split(page->files[i].name, &project, &version) &&
		    python_same_version(version, pin->version))
			return true;
	}
	return false;
}

static int no_file(const struct python_choice *c, const struct python_pin *pin,
		   const struct python_page *page, const char *index, struct varve_error *err)
{
	if (!has_version(pin, page))
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "index \"%s\" has no %s %s (any more)", index, pin->project,
				       pin->version);
	if (*c->lock && strstr(c->lock, "sha256")) {
		varve_error_set(
			err, -VARVE_E_RESOLVE,
			"%s %s: no file that fits Python %s on %s has a sha256 that is in %s",
			pin->project, pin->version, text_of(c, "python"), c->target->machine,
			text_of(c, "lock"));
		return -VARVE_E_RESOLVE;
	}
	varve_error_set(err, -VARVE_E_RESOLVE, "%s %s has no %s for Python %s on %s with glibc %s",
			pin->project, pin->version, c->sdist ? "source distribution" : "wheel",
			text_of(c, "python"), c->target->machine, text_of(c, "glibc"));
	if (!c->sdist)
		varve_error_hint(err, "lock it in a source of its own with \"sdist: true\" and "
				      "build it in a run step");
	return -VARVE_E_RESOLVE;
}

static struct lock_artifact *find_artifact(struct lock_source *source,
					   const struct varve_digest *sha256)
{
	size_t i;

	for (i = 0; i < source->count; i++)
		if (varve_digest_equal(&source->artifacts[i].sha256, sha256))
			return &source->artifacts[i];
	return NULL;
}

static int add_file(struct python_choice *c, const struct python_pin *pin,
		    const struct python_page *page, const char *index, struct varve_error *err)
{
	const struct python_file *file = best_file(c, pin, page);
	struct lock_artifact *artifact;
	struct varve_digest sha256;
	uint64_t size;
	int r;

	if (!file)
		return no_file(c, pin, page, index, err);
	r = python_file_identity(c->context, file, &sha256, &size, err);
	if (r < 0)
		return r;
	if (file->yanked)
		json_append(c->yanked, json_text(file->name));
	artifact = find_artifact(c->ret, &sha256);
	if (artifact) { /* uv itself is wanted too */
		json_set(artifact->extra, "tool", json_text("also"));
		return 0;
	}
	artifact = lock_source_add(c->ret);
	artifact->name = xstrdup(pin->project);
	artifact->version = xstrdup(pin->version);
	artifact->architecture = python_architecture(file->name);
	artifact->size = size;
	artifact->sha256 = sha256;
	artifact->date = file->date;
	artifact->from = python_from(c->context, index, file);
	return 0;
}

/* Asks one index for those that no index before it has; drops what it has from left. */
static int look_in(struct python_choice *c, const char *index, bool *found, struct varve_error *err)
{
	CLEANUP(free_ptr) struct python_page *pages = xcalloc(c->pins->count + 1, sizeof(*pages));
	CLEANUP(free_ptr) size_t *which = xcalloc(c->pins->count + 1, sizeof(*which));
	CLEANUP(strv_release) struct strv projects = STRV_INIT;
	size_t i;
	int r;

	for (i = 0; i < c->pins->count; i++) {
		if (found[i])
			continue;
		which[projects.count] = i;
		strv_add(&projects, c->pins->items[i].project);
	}
	r = python_pages(c->context, index, &projects, pages, err);
	for (i = 0; i < projects.count; i++) {
		if (r == 0 && pages[i].found) {
			found[which[i]] = true;
			r = add_file(c, &c->pins->items[which[i]], &pages[i], index, err);
		}
		python_page_release(&pages[i]);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct lock_artifact *x = a, *y = b;

	if (lock_artifact_is_tool(x) != lock_artifact_is_tool(y))
		return lock_artifact_is_tool(x) ? -1 : 1;
	return strcmp(x->name, y->name);
}

int python_choose(struct python_choice *c, struct varve_error *err)
{
	CLEANUP(free_ptr) bool *found = xcalloc(c->pins->count + 1, sizeof(*found));
	size_t i;
	int r = 0;

	for (i = 0; i < c->indexes->count && r == 0; i++)
		r = look_in(c, c->indexes->items[i], found, err);
	for (i = 0; i < c->pins->count && r == 0; i++)
		if (!found[i])
			r = varve_error_set(err, -VARVE_E_RESOLVE, "no index has %s %s (any more)",
					    c->pins->items[i].project, c->pins->items[i].version);
	qsort(c->ret->artifacts, c->ret->count, sizeof(*c->ret->artifacts), by_name);
	return r;
}
