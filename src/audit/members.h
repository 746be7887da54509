/* SPDX-License-Identifier: Apache-2.0
 * Members of two archives of one format, compared: what ar, tar and zip have in common. Pure. */
#ifndef AUDIT_MEMBERS_H
#define AUDIT_MEMBERS_H

#include <stdint.h>
#include "audit/findings.h"

enum { MEMBERS_MAX = 1 << 18 };

struct member {
	char *name; /* owned */
	char *link; /* target; NULL: none; owned */
	char type; /* '0' for a file, as in a tar */
	unsigned mode;
	uint64_t uid, gid;
	int64_t time; /* in the format's own unit, compared and printed */
	const unsigned char *data; /* as it lies in the archive; borrowed */
	size_t len;
	bool deflated; /* data is raw deflate data */
	bool opaque; /* data cannot be looked into: a method that nobody knows */
	uint64_t size; /* bytes of the data itself */
	uint32_t checksum; /* of a zip's member, else 0 */
	struct content extra; /* further fields of its header */
	size_t order; /* place in the archive */
};

struct members {
	struct member *items; /* owned */
	size_t count, alloc;
};

/* What the format's differences mean. */
struct members_rules {
	enum cure_rule stamp; /* dates, owners, modes */
	enum cure_rule order;
	bool order_matters; /* to those who read the archive */
	bool owner_matters; /* owners, modes, links are what unpacking gives */
};

/* NULL when there are MEMBERS_MAX. The member is all zero but for its order. */
struct member *members_add(struct members *members);
void members_release(struct members *members); /* usable with CLEANUP */
/* Two archives of one format. read: false where one is malformed; then nothing was added and false
 * is returned. otherwise: where they differ when all members are equal. */
bool members_compare_archives(struct findings *f, const struct members_rules *rules,
			      const struct content *a, const struct content *b,
			      bool (*read)(const struct content *c, struct members *ret),
			      const char *otherwise);
/* Sorts both. Members of one name are paired in their order. */
void members_compare(struct findings *f, const struct members_rules *rules, struct members *a,
		     struct members *b);

#endif
