/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/cleanup.h"

enum { RULES = 4096, MIRRORS = 32 };

static void rule_release(struct registry_rule *rule)
{
	for (size_t i = 0; i < rule->mirror_count; i++)
		free(rule->mirrors[i].location);
	free(rule->mirrors);
	free(rule->prefix);
	free(rule->location);
	free(rule->file);
	*rule = (struct registry_rule){0};
}

void registry_rules_release(struct registry_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		rule_release(&rules->items[i]);
	free(rules->items);
	*rules = (struct registry_rules){0};
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int wrong(const char *file, const char *what, const char *value, struct varve_error *err)
{
	return varve_error_set(err, -VARVE_E_USAGE, "%s: registry %s \"%.200s\"", file, what,
			       value);
}

static bool is_name(const char *text)
{
	struct reference reference = {0};
	bool is = reference_parse(text, &reference, NULL) == 0 && !str_starts(text, "docker://") &&
		  !strchr(text, '@');

	reference_release(&reference);
	return is;
}

/* HOST[:PORT][/PATH] */
static bool is_location(const char *text)
{
	CLEANUP(free_ptr) char *name = xasprintf("%s/x", text);

	return is_name(name);
}

static bool is_prefix(const char *text)
{
	if (str_starts(text, "*."))
		return !strchr(text, '/') && is_location(text + 2);
	return is_location(text) || is_name(text);
}

static int read_location(const char *text, const char *file, char **ret, struct varve_error *err)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '/')
		len--;
	*ret = xstrndup(text, len);
	if (is_location(*ret))
		return 0;
	return wrong(file, "location, which must be HOST[:PORT][/PATH] without a scheme,", text,
		     err);
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static int read_use(const json_t *object, bool digests_only, const char *file,
		    enum registry_mirror_use *ret, struct varve_error *err)
{
	static const char *const uses[] = {[REGISTRY_MIRROR_ALL] = "all",
					   [REGISTRY_MIRROR_DIGESTS] = "digest-only",
					   [REGISTRY_MIRROR_TAGS] = "tag-only"};
	const char *text = json_optional_string(object, "pull-from-mirror", "");

	*ret = digests_only ? REGISTRY_MIRROR_DIGESTS : REGISTRY_MIRROR_ALL;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		if (str_equal(text, uses[i])) {
			*ret = (enum registry_mirror_use)i;
			return 0;
		}
	}
	return *text ? wrong(file, "pull-from-mirror (all, digest-only or tag-only)", text, err)
		     : 0;
}

static int read_mirrors(const json_t *object, const char *file, struct registry_rule *rule,
			struct varve_error *err)
{
	const json_t *mirrors = json_object_get(object, "mirror"), *one;
	size_t count = json_array_size(mirrors), i;
	int r = 0;

	if (count > MIRRORS)
		return wrong(file, "with too many mirrors", rule->prefix, err);
	rule->mirrors = xcalloc(count + 1, sizeof(*rule->mirrors));
	json_array_foreach(mirrors, i, one)
	{
		struct registry_mirror *mirror = &rule->mirrors[rule->mirror_count++];

		r = read_location(json_optional_string(one, "location", ""), file,
				  &mirror->location, err);
		if (r == 0)
			r = read_use(one, is_true(object, "mirror-by-digest-only"), file,
				     &mirror->use, err);
		if (r < 0)
			return r;
		mirror->insecure = is_true(one, "insecure");
	}
	return 0;
}

static int read_rule(const json_t *object, const char *file, struct registry_rule *rule,
		     struct varve_error *err)
{
	const char *location = json_optional_string(object, "location", NULL);
	const char *prefix = json_optional_string(object, "prefix", "");
	int r = 0;

	rule->file = xstrdup(file);
	if (location || !*prefix)
		r = read_location(location ? location : "", file, &rule->location, err);
	else
		rule->location = xstrdup(str_starts(prefix, "*.") ? "" : prefix);
	if (r < 0)
		return r;
	rule->prefix = xstrdup(*prefix ? prefix : rule->location);
	if (!is_prefix(rule->prefix))
		return wrong(file, "prefix, which must be HOST[:PORT][/PATH] or *.DOMAIN,", prefix,
			     err);
	rule->insecure = is_true(object, "insecure");
	rule->blocked = is_true(object, "blocked");
	return read_mirrors(object, file, rule, err);
}

static struct registry_rule *place_for(struct registry_rules *rules, const char *prefix)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (str_equal(rules->items[i].prefix, prefix)) {
			rule_release(&rules->items[i]);
			return &rules->items[i];
		}
	}
	rules->items = array_grow(rules->items, rules->count, &rules->alloc, sizeof(*rules->items));
	return &rules->items[rules->count++];
}

int registry_rules_add(struct registry_rules *rules, const json_t *array, const char *file,
		       struct varve_error *err)
{
	const json_t *object;
	size_t i;

	if (json_array_size(array) + rules->count > RULES)
		return varve_error_set(err, -VARVE_E_LIMIT, "%s: more than %d registries", file,
				       (int)RULES);
	json_array_foreach(array, i, object)
	{
		struct registry_rule rule = {0};
		int r = read_rule(object, file, &rule, err);

		if (r < 0) {
			rule_release(&rule);
			return r;
		}
		*place_for(rules, rule.prefix) = rule;
	}
	return 0;
}

/* --- asking --------------------------------------------------------------------------------------
 */

/* "HOST/REPOSITORY[:TAG]": what prefixes are compared with. Caller frees. */
static char *name_of(const struct reference *reference)
{
	if (!*reference->repository)
		return xstrdup(reference->host);
	return xasprintf("%s/%s%s%s", reference->host, reference->repository,
			 reference->tag ? ":" : "", reference->tag ? reference->tag : "");
}

/* How much of the name the prefix stands for; 0: it does not fit. */
static size_t match(const char *prefix, const char *name)
{
	size_t len = strlen(prefix), host = strcspn(name, "/");

	if (str_starts(prefix, "*.")) {
		size_t domain = len - 1; /* with its dot */

		return host > domain && strncasecmp(name + host - domain, prefix + 1, domain) == 0
			       ? host
			       : 0;
	}
	if (strncmp(name, prefix, len) != 0)
		return 0;
	/* A host without a port is another one than the same with it. */
	return name[len] == '\0' || name[len] == '/' || (name[len] == ':' && len > host) ? len : 0;
}

const struct registry_rule *registry_rules_find(const struct registry_rules *rules,
						const struct reference *reference)
{
	CLEANUP(free_ptr) char *name = name_of(reference);
	const struct registry_rule *found = NULL;

	for (size_t i = 0; rules && i < rules->count; i++) {
		const struct registry_rule *rule = &rules->items[i];

		if (match(rule->prefix, name) > 0 &&
		    (!found || strlen(rule->prefix) > strlen(found->prefix)))
			found = rule;
	}
	return found;
}

int registry_rules_check(const struct registry_rule *rule, const struct reference *reference,
			 struct varve_error *err)
{
	if (!rule || !rule->blocked)
		return 0;
	return varve_error_set(err, -VARVE_E_HOST,
			       "%s/%s: this machine's settings block the registry %s (%s)",
			       reference->host, reference->repository, rule->prefix, rule->file);
}

/* --- where to read from --------------------------------------------------------------------------
 */

void registry_ways_release(struct registry_ways *ways)
{
	for (size_t i = 0; i < ways->count; i++)
		reference_release(&ways->items[i].reference);
	free(ways->items);
	*ways = (struct registry_ways){0};
}

/* reference with location in the place of the prefix. */
static int rewrite(const struct reference *reference, const char *prefix, const char *location,
		   struct reference *ret, struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *name = xasprintf("%s/%s", reference->host, reference->repository);
	size_t len = *location ? match(prefix, name) : 0;
	CLEANUP(free_ptr) char *other = NULL;
	int r;

	/* A prefix with a tag stands for all that is before the tag. */
	if (*location && len == 0)
		len = strlen(name);
	other = xasprintf("%s%s", location, name + len);
	r = reference_parse(other, ret, err);
	if (r < 0)
		return r;
	free(ret->tag);
	ret->tag = reference->tag ? xstrdup(reference->tag) : NULL;
	ret->digest = reference->digest;
	return 0;
}

static bool serves(const struct registry_mirror *mirror, const struct reference *reference)
{
	bool by_digest = !varve_digest_is_none(&reference->digest);

	return mirror->use == REGISTRY_MIRROR_ALL ||
	       (mirror->use == REGISTRY_MIRROR_DIGESTS) == by_digest;
}

static int add_mirrors(const struct registry_rule *rule, const struct reference *reference,
		       struct registry_ways *ways, struct varve_error *err)
{
	int r = 0;

	for (size_t i = 0; i < rule->mirror_count && r == 0; i++) {
		const struct registry_mirror *mirror = &rule->mirrors[i];
		struct registry_way *way = &ways->items[ways->count];

		if (!serves(mirror, reference))
			continue;
		*way = (struct registry_way){.insecure = mirror->insecure, .is_mirror = true};
		r = rewrite(reference, rule->prefix, mirror->location, &way->reference, err);
		ways->count++;
	}
	return r;
}

static int add_all(const struct registry_rule *rule, const struct reference *reference,
		   struct registry_ways *ways, struct varve_error *err)
{
	struct registry_way *way;
	int r = 0;

	ways->items = xcalloc(rule ? rule->mirror_count + 1 : 1, sizeof(*ways->items));
	if (rule)
		r = add_mirrors(rule, reference, ways, err);
	if (r < 0)
		return r;
	way = &ways->items[ways->count++];
	way->insecure = rule && rule->insecure;
	return rewrite(reference, rule ? rule->prefix : "", rule ? rule->location : "",
		       &way->reference, err);
}

int registry_ways_find(const struct registry_rules *rules, const struct reference *reference,
		       struct registry_ways *ret, struct varve_error *err)
{
	const struct registry_rule *rule = registry_rules_find(rules, reference);
	CLEANUP(registry_ways_release) struct registry_ways ways = {0};
	int r = registry_rules_check(rule, reference, err);

	if (r == 0)
		r = add_all(rule, reference, &ways, err);
	if (r < 0)
		return r;
	*ret = ways;
	ways = (struct registry_ways){0};
	return 0;
}
