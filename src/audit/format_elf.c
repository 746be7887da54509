/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include "audit/cause.h"
#include "audit/elf_sections.h"
#include "base/cleanup.h"

enum { NOTE_HEADER = 12, BUILD_ID_MAX = 64 };

struct elf_pair {
	struct findings *f;
	const struct elf_sections *a, *b;
};

/* Two sections of one name that differ. */
struct section_pair {
	struct findings *f;
	const struct elf_section *a, *b;
	bool linked; /* later: symbols and relocations count */
};

static bool same(const struct elf_section *a, const struct elf_section *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* --- sections that say who made the file ---------------------------------------------------------
 */

static void hex_of_note(const struct elf_section *s, char text[2 * BUILD_ID_MAX + 1])
{
	size_t at = NOTE_HEADER + 4; /* behind "GNU\0" */

	text[0] = '\0';
	for (size_t i = 0; at + i < s->len && i < BUILD_ID_MAX; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", s->data[at + i]);
}

static void compare_build_id(const struct section_pair *p)
{
	char left[2 * BUILD_ID_MAX + 1], right[2 * BUILD_ID_MAX + 1];

	hex_of_note(p->a, left);
	hex_of_note(p->b, right);
	findings_add(p->f, &(struct finding){.where = "build id",
					     .a = left,
					     .b = right,
					     .stamp = true,
					     .rule = CURE_BUILD_ID});
}

static void compare_strings(const struct section_pair *p, const char *where, enum cure_rule rule)
{
	CLEANUP(free_ptr) char *left = xstrndup((const char *)p->a->data, p->a->len);
	CLEANUP(free_ptr) char *right = xstrndup((const char *)p->b->data, p->b->len);

	findings_add(p->f,
		     &(struct finding){
			     .where = where, .a = left, .b = right, .stamp = true, .rule = rule});
}

static void compare_comment(const struct section_pair *p)
{
	compare_strings(p, "compiler (.comment)", CURE_COMPILER_VERSION);
}

static void compare_debug_link(const struct section_pair *p)
{
	compare_strings(p, "debug link", CURE_DEBUG_LINK);
}

/* --- the others ----------------------------------------------------------------------------------
 */

static bool is_debug(const char *name)
{
	return str_starts(name, ".debug_") || str_starts(name, ".zdebug_");
}

/* Names of symbols and sections, and what LTO keeps. */
static bool has_symbols(const char *name)
{
	return str_equal(name, ".strtab") || str_starts(name, ".gnu.lto_") ||
	       str_equal(name, ".shstrtab") || is_debug(name);
}

/* What words that differ in this section come from. */
static enum cure_rule cause_of_words(const char *section, const struct around *w)
{
	enum cure_rule rule;

	if (strstr(w->a, "tmpxft_") && strstr(w->b, "tmpxft_"))
		return CURE_NVCC;
	rule = cause_of(w->a, strlen(w->a), w->b, strlen(w->b));
	if (rule == CURE_TIMESTAMP)
		return CURE_GCC_DATE;
	if (rule == CURE_BUILD_PATH || rule == CURE_TEMPORARY_NAME)
		return CURE_GCC_PATH;
	if (rule == CURE_RANDOM && has_symbols(section))
		return CURE_GCC_SEED;
	/* The directory of the build itself. */
	if (rule == CURE_NONE && is_debug(section) && w->a[0] == '/' && w->b[0] == '/')
		return CURE_GCC_PATH;
	return rule == CURE_PROCESS_ID ? CURE_NONE : rule;
}

static void compare_bytes(const struct section_pair *p)
{
	CLEANUP(free_ptr) char *where = xasprintf("section %s", p->a->name);
	bool loaded = p->a->flags & SHF_ALLOC || p->b->flags & SHF_ALLOC;
	bool stamp = !loaded && (is_debug(p->a->name) || !p->linked);
	struct around w = {0};
	char left[32], right[32];

	if (p->a->data && p->b->data)
		(void)around_difference(p->a->data, p->a->len, p->b->data, p->b->len, &w);
	(void)snprintf(left, sizeof(left), "%zu bytes", p->a->len);
	(void)snprintf(right, sizeof(right), "%zu bytes", p->b->len);
	if (w.a[0] && w.b[0])
		findings_add(p->f, &(struct finding){.where = where,
						     .a = w.a,
						     .b = w.b,
						     .stamp = stamp,
						     .rule = cause_of_words(p->a->name, &w)});
	else
		findings_add(p->f, &(struct finding){
					   .where = where, .a = left, .b = right, .stamp = stamp});
}

static void compare_section(const struct section_pair *p)
{
	static const struct {
		const char *name;
		void (*compare)(const struct section_pair *p);
	} known[] = {
		{".note.gnu.build-id", compare_build_id},
		{".comment", compare_comment},
		{".gnu_debuglink", compare_debug_link},
	};

	if (same(p->a, p->b))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_equal(p->a->name, known[i].name)) {
			known[i].compare(p);
			return;
		}
	compare_bytes(p);
}

/* ".gnu.lto_main.0.3f9a...": the same names but for a random number at the end. */
static bool is_random_twin(const char *a, const char *b)
{
	const char *a_end = strrchr(a, '.'), *b_end = strrchr(b, '.');

	return str_starts(a, ".gnu.lto_") && a_end && b_end && a_end - a == b_end - b &&
	       !str_equal(a, b) && strncmp(a, b, (size_t)(a_end - a)) == 0 &&
	       strspn(a_end + 1, "0123456789abcdef") == strlen(a_end + 1) &&
	       strspn(b_end + 1, "0123456789abcdef") == strlen(b_end + 1);
}

static void add_lonely(const struct elf_pair *p, const struct elf_section *only, bool in_a)
{
	CLEANUP(free_ptr) char *where = xasprintf("section %s", only->name);
	bool loaded = only->flags & SHF_ALLOC;

	findings_add(p->f, &(struct finding){.where = where,
					     .a = in_a ? "there" : NULL,
					     .b = in_a ? NULL : "there",
					     .stamp = !loaded && p->a->type != ET_REL});
}

static int compare_names(const struct elf_section *a, const struct elf_section *b)
{
	return is_random_twin(a->name, b->name) ? 0 : strcmp(a->name, b->name);
}

static void compare_twins(const struct elf_pair *p, const struct elf_section *a,
			  const struct elf_section *b)
{
	if (str_equal(a->name, b->name))
		compare_section(&(struct section_pair){p->f, a, b, p->a->type == ET_REL});
	else
		findings_add(p->f, &(struct finding){.where = "name of a section",
						     .a = a->name,
						     .b = b->name,
						     .rule = CURE_GCC_SEED});
}

static void compare_sections(const struct elf_pair *p)
{
	const struct elf_sections *a = p->a, *b = p->b;
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		int side = i == a->count   ? 1
			   : k == b->count ? -1
					   : compare_names(&a->items[i], &b->items[k]);

		if (side == 0)
			compare_twins(p, &a->items[i], &b->items[k]);
		else
			add_lonely(p, side < 0 ? &a->items[i] : &b->items[k], side < 0);
		i += side <= 0;
		k += side >= 0;
	}
}

bool format_elf(struct findings *f, const struct content *a, const struct content *b)
{
	CLEANUP(elf_sections_release) struct elf_sections left = {0};
	CLEANUP(elf_sections_release) struct elf_sections right = {0};
	struct elf_pair p = {f, &left, &right};
	struct finding one = {0};

	if (!elf_sections_parse(a, &left) || !elf_sections_parse(b, &right))
		return false;
	one.where = "header: type";
	findings_add_numbers(f, &one, left.type, right.type);
	one.where = "header: machine";
	findings_add_numbers(f, &one, left.machine, right.machine);
	compare_sections(&p);
	one.where = "header: entry point";
	findings_add_numbers(f, &one, left.entry, right.entry);
	return true;
}
