/* SPDX-License-Identifier: Apache-2.0
 * What differs inside two files of one path. Pure: bytes in, findings out. Formats are recognised
 * by name and first bytes, and looked into down to members of archives in archives; no byte is
 * trusted.
 *
 *	two struct content -> content_compare -> struct findings
 *	content_compare -> format_elf, format_ar, ... (formats.h) -> findings_add */
#ifndef AUDIT_FINDINGS_H
#define AUDIT_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include "audit/cure.h"
#include "base/buf.h"

enum {
	FINDINGS_MAX = 16, /* per file; the rest is counted */
	FINDING_TEXT = 120, /* bytes of a value that are kept */
	CONTENT_DEPTH = 4, /* archives in archives */
};

/* One of the two files, or of the two members. */
struct content {
	const char *name; /* path; borrowed, as the data */
	const unsigned char *data; /* NULL: empty */
	size_t len;
};

struct finding {
	const char *where; /* "line 3", "section .text" */
	const char *a, *b; /* the two values; NULL: absent there */
	bool stamp; /* does not change what the file does */
	enum cure_rule rule;
};

struct findings {
	json_t *inside; /* array of {where, a, b, rule}; owned */
	size_t count; /* all, those that were left out too */
	bool effect; /* one is more than a stamp */
	const char *kind; /* of the two files, in words; static */
	enum cure_rule rule; /* of the first finding that has one; those with an effect first */
	bool rule_effect; /* that one has an effect */
	struct buf prefix; /* of where: members that are being compared */
	unsigned depth;
	size_t inflated; /* bytes that members of archives were decompressed to */
};

void findings_init(struct findings *f);
void findings_release(struct findings *f); /* usable with CLEANUP */
void findings_add(struct findings *f, const struct finding *one);
/* The same with two numbers, where they differ. */
void findings_add_numbers(struct findings *f, const struct finding *one, unsigned long long a,
			  unsigned long long b);
/* What the whole comes from: a stamp's rule explains no more than stamps. */
enum cure_rule findings_rule(const struct findings *f);
/* Names the kind, when it is the file itself (and no member) that is being compared. */
void findings_name_kind(struct findings *f, const char *kind);

/* Of two files by names and first bytes, in words. */
const char *content_kind(const struct content *a, const struct content *b, bool text);
/* Contents that differ. At least one finding, and a kind. */
void content_compare(struct findings *f, const struct content *a, const struct content *b);
/* Members of both; where: "member x.o". Nothing when they are equal. */
void content_compare_members(struct findings *f, const char *where, const struct content *a,
			     const struct content *b);

#endif
