/* SPDX-License-Identifier: Apache-2.0
 * What this machine says of registries: mirrors, other locations, which are insecure or blocked.
 *From varve's settings ("registries", an array) and from the container tools' registries.conf,
 *whose terms these are. Matters of the machine: never in recipes or locks.
 *
 *	rule   = { prefix, location, insecure, blocked, mirror-by-digest-only, mirror: [ mirror ] }
 *	mirror = { location, insecure, pull-from-mirror: "all" / "digest-only" / "tag-only" }
 *
 * prefix: HOST[:PORT][/PATH] or *.DOMAIN; the longest that fits a name counts. location: what
 *stands for the prefix where images are read. Other members are left out. Short names are not
 *guessed. */
#ifndef REGISTRY_REGISTRY_RULES_H
#define REGISTRY_REGISTRY_RULES_H

#include <stdbool.h>
#include "base/json.h"
#include "registry/reference.h"

enum registry_mirror_use { REGISTRY_MIRROR_ALL, REGISTRY_MIRROR_DIGESTS, REGISTRY_MIRROR_TAGS };

struct registry_mirror {
	char *location;
	enum registry_mirror_use use;
	bool insecure;
};

struct registry_rule {
	char *prefix, *location; /* never NULL */
	char *file; /* that says so */
	bool insecure, blocked;
	struct registry_mirror *mirrors; /* in the order in which they are asked */
	size_t mirror_count;
};

struct registry_rules {
	struct registry_rule *items;
	size_t count, alloc;
};

/* Where to ask for an image. */
struct registry_way {
	struct reference reference;
	bool insecure; /* certificates are not checked, and http will do */
	bool is_mirror;
};

struct registry_ways {
	struct registry_way *items; /* mirrors, then the registry itself */
	size_t count;
};

/* Adds an array of rules as above; one with a prefix that is there replaces that one. file names
 * its origin in errors (-VARVE_E_USAGE). Pure. */
int registry_rules_add(struct registry_rules *rules, const json_t *array, const char *file,
		       struct varve_error *err);
void registry_rules_release(struct registry_rules *rules);
/* registries.conf of the container tools: $CONTAINERS_REGISTRIES_CONF alone where that is set; else
 * the user's (in $XDG_CONFIG_HOME or ~/.config) or /etc's, and *.conf in registries.conf.d of both.
 */
int registry_rules_read(struct registry_rules *rules, struct varve_error *err);

/* The rule for an image's name, or NULL; rules may be NULL. Pure. */
const struct registry_rule *registry_rules_find(const struct registry_rules *rules,
						const struct reference *reference);
/* -VARVE_E_HOST when this machine blocks it. Pure. */
int registry_rules_check(const struct registry_rule *rule, const struct reference *reference,
			 struct varve_error *err);
/* Where to read it from, in order. Pure. */
int registry_ways_find(const struct registry_rules *rules, const struct reference *reference,
		       struct registry_ways *ret, struct varve_error *err);
void registry_ways_release(struct registry_ways *ways);

#endif
