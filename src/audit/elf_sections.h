/* SPDX-License-Identifier: Apache-2.0
 * The sections of an ELF file, of either width and byte order. Pure; no offset is trusted. */
#ifndef AUDIT_ELF_SECTIONS_H
#define AUDIT_ELF_SECTIONS_H

#include <stdint.h>
#include "audit/findings.h"

enum { ELF_SECTIONS_MAX = 65535 };

struct elf_section {
	char *name; /* owned */
	const unsigned char *data; /* borrowed; NULL where it holds none in the file */
	size_t len;
	uint64_t flags; /* sh_flags */
	uint32_t type; /* sh_type */
	size_t order;
};

struct elf_sections {
	struct elf_section *items; /* by name, then by order; owned */
	size_t count;
	unsigned type; /* e_type: ET_REL, ET_EXEC, ET_DYN */
	unsigned machine; /* e_machine */
	uint64_t entry; /* e_entry */
};

/* False: malformed. */
bool elf_sections_parse(const struct content *c, struct elf_sections *ret);
void elf_sections_release(struct elf_sections *sections); /* usable with CLEANUP */

#endif
