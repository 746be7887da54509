/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/elf_sections.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

/* Where the fields lie. Every number is read byte by byte: the file's order is not ours. */
struct layout {
	size_t header, entry, table, table_entry, table_count, table_names; /* of the header */
	size_t word; /* bytes of an address */
	size_t section, flags, offset, size; /* of a section's entry */
};
static const struct layout wide = {64, 24, 40, 58, 60, 62, 8, 64, 8, 24, 32};
static const struct layout narrow = {52, 24, 32, 46, 48, 50, 4, 40, 8, 16, 20};
enum {
	TYPE_AT = 16,
	MACHINE_AT = 18,
	SECTION_NAME_AT = 0,
	SECTION_TYPE_AT = 4,
	NAME_MAX_LEN = 256,
	TIMES_MAX = 4
};

struct elf {
	const struct content *content;
	const struct layout *layout;
	bool big; /* the most significant byte is first */
};

static uint64_t number(const struct elf *e, const unsigned char *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[e->big ? i : len - 1 - i];
	return value;
}

/* The bytes of the file from at on; NULL where they are not all there. */
static const unsigned char *range(const struct elf *e, uint64_t at, uint64_t len)
{
	const struct content *c = e->content;

	return at <= c->len && len <= c->len - at ? c->data + at : NULL;
}

static bool begin(const struct content *c, struct elf *ret)
{
	if (c->len < EI_NIDENT || memcmp(c->data, ELFMAG, SELFMAG) != 0)
		return false;
	*ret = (struct elf){.content = c, .big = c->data[EI_DATA] == ELFDATA2MSB};
	if (c->data[EI_CLASS] == ELFCLASS64)
		ret->layout = &wide;
	else if (c->data[EI_CLASS] == ELFCLASS32)
		ret->layout = &narrow;
	else
		return false;
	return c->len >= ret->layout->header && (ret->big || c->data[EI_DATA] == ELFDATA2LSB);
}

static bool read_section(const struct elf *e, const unsigned char *entry, struct elf_section *ret)
{
	const struct layout *l = e->layout;
	uint64_t offset = number(e, entry + l->offset, l->word),
		 size = number(e, entry + l->size, l->word);

	ret->type = (uint32_t)number(e, entry + SECTION_TYPE_AT, 4);
	ret->flags = number(e, entry + l->flags, l->word);
	if (ret->type == SHT_NOBITS || ret->type == SHT_NULL)
		return true;
	ret->data = range(e, offset, size);
	ret->len = (size_t)size;
	return ret->data != NULL;
}

static char *name_of(const struct elf *e, const unsigned char *entry,
		     const struct elf_section *names)
{
	uint64_t at = number(e, entry + SECTION_NAME_AT, 4);
	size_t len;

	if (!names->data || at >= names->len)
		return xstrdup("");
	len = names->len - (size_t)at;
	return xstrndup((const char *)names->data + at, len < NAME_MAX_LEN ? len : NAME_MAX_LEN);
}

static int by_name(const void *left, const void *right)
{
	const struct elf_section *a = left, *b = right;
	int r = strcmp(a->name, b->name);

	return r != 0 ? r : (a->order > b->order) - (a->order < b->order);
}

static bool read_table(const struct elf *e, const unsigned char *table, size_t count,
		       size_t names_at, struct elf_sections *ret)
{
	struct elf_section names = {0};
	uint64_t total = 0;

	if (names_at >= count || !read_section(e, table + names_at * e->layout->section, &names))
		return false;
	ret->items = xcalloc(count, sizeof(*ret->items));
	for (size_t i = 0; i < count; i++) {
		const unsigned char *entry = table + i * e->layout->section;
		struct elf_section *s = &ret->items[i];

		/* Sections that lie in each other would be compared over and over. */
		if (!read_section(e, entry, s) || (total += s->len) / TIMES_MAX > e->content->len)
			return false;
		s->order = i;
		s->name = name_of(e, entry, &names);
		ret->count++;
	}
	qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
	return true;
}

bool elf_sections_parse(const struct content *c, struct elf_sections *ret)
{
	CLEANUP(elf_sections_release) struct elf_sections sections = {0};
	const unsigned char *header = c->data, *table;
	struct elf e;
	uint64_t at;
	size_t count;

	if (!begin(c, &e))
		return false;
	sections.type = (unsigned)number(&e, header + TYPE_AT, 2);
	sections.machine = (unsigned)number(&e, header + MACHINE_AT, 2);
	sections.entry = number(&e, header + e.layout->entry, e.layout->word);
	at = number(&e, header + e.layout->table, e.layout->word);
	count = (size_t)number(&e, header + e.layout->table_count, 2);
	table = range(&e, at, count * e.layout->section);
	if (at == 0 || count == 0 || !table ||
	    number(&e, header + e.layout->table_entry, 2) != e.layout->section ||
	    !read_table(&e, table, count, (size_t)number(&e, header + e.layout->table_names, 2),
			&sections))
		return false;
	*ret = sections;
	sections = (struct elf_sections){0};
	return true;
}

void elf_sections_release(struct elf_sections *sections)
{
	for (size_t i = 0; i < sections->count; i++)
		free(sections->items[i].name);
	free(sections->items);
	*sections = (struct elf_sections){0};
}
