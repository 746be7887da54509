/* SPDX-License-Identifier: Apache-2.0
 * The shape of an image's documents (image-spec 1.1: manifest.md, config.md). Pure. What readers
 * need beyond that (media types that fit, numbers of layers) is checked where it is read. */
#include <ctype.h>
#include <string.h>
#include "audit/image_verify.h"
#include "base/buf.h"
#include "base/cleanup.h"

enum shape {
	TEXT,
	TEXTS, /* list of texts */
	TEXT_MAP, /* object of texts */
	VARIABLES, /* list of NAME=VALUE */
	SET, /* object of empty objects */
	OBJECT,
	DATE, /* RFC 3339 */
	FLAG,
};

struct field {
	const char *name; /* members separated by dots */
	enum shape shape;
	bool required;
};

static const struct field manifest_fields[] = {
	{"config", OBJECT, true},      {"annotations", TEXT_MAP, false},
	{"artifactType", TEXT, false}, {"subject", OBJECT, false},
	{NULL, TEXT, false},
};
static const struct field config_fields[] = {
	{"architecture", TEXT, true},
	{"os", TEXT, true},
	{"variant", TEXT, false},
	{"created", DATE, false},
	{"author", TEXT, false},
	{"rootfs.type", TEXT, true},
	{"config", OBJECT, false},
	{"config.User", TEXT, false},
	{"config.WorkingDir", TEXT, false},
	{"config.StopSignal", TEXT, false},
	{"config.Env", VARIABLES, false},
	{"config.Entrypoint", TEXTS, false},
	{"config.Cmd", TEXTS, false},
	{"config.Labels", TEXT_MAP, false},
	{"config.Volumes", SET, false},
	{"config.ExposedPorts", SET, false},
	{NULL, TEXT, false},
};
static const struct field history_fields[] = {
	{"created", DATE, false}, {"created_by", TEXT, false},  {"author", TEXT, false},
	{"comment", TEXT, false}, {"empty_layer", FLAG, false}, {NULL, TEXT, false},
};

/* --- shapes --------------------------------------------------------------------------------------
 */

static bool are_texts(const json_t *list, bool variables)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *text = json_string_value(one);

		if (!text || (variables && (!strchr(text, '=') || text[0] == '=')))
			return false;
	}
	return json_is_array(list);
}

static bool is_map(const json_t *object, bool (*fits)(const json_t *value))
{
	json_t *borrowed = (json_t *)(uintptr_t)object, *value; /* jansson's lack the const */
	const char *key;

	if (!json_is_object(object))
		return false;
	json_object_foreach(borrowed, key, value)
	{
		if (!fits(value))
			return false;
	}
	return true;
}

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

static bool is_object(const json_t *value)
{
	return json_is_object(value);
}

/* "2026-01-02T03:04:05[.678](Z|+01:00)" */
static bool is_date(const char *text)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd";
	size_t i;

	for (i = 0; pattern[i]; i++)
		if (pattern[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != pattern[i])
			return false;
	text += i;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (str_equal(text, "Z"))
		return true;
	return strlen(text) == 6 && strchr("+-", text[0]) && text[3] == ':' &&
	       strspn(text + 1, "0123456789:") == 5;
}

static bool has_shape(const json_t *value, enum shape shape)
{
	switch (shape) {
	case TEXT:
		return json_is_string(value);
	case TEXTS:
		return are_texts(value, false);
	case VARIABLES:
		return are_texts(value, true);
	case TEXT_MAP:
		return is_map(value, is_text);
	case SET:
		return is_map(value, is_object);
	case OBJECT:
		return json_is_object(value);
	case DATE:
		return json_is_string(value) && is_date(json_string_value(value));
	case FLAG:
		return json_is_boolean(value);
	}
	return false;
}

/* --- documents -----------------------------------------------------------------------------------
 */

static const json_t *get(const json_t *object, const char *name)
{
	CLEANUP(free_ptr) char *path = xstrdup(name);
	char *rest = path, *member;

	while (object && (member = strsep(&rest, ".")))
		object = json_object_get(object, member);
	return object;
}

static char *fields_fault(const json_t *object, const struct field *fields)
{
	for (; fields->name; fields++) {
		const json_t *value = get(object, fields->name);

		if (json_is_null(value)) /* Docker's clients write it for what is empty */
			value = NULL;
		if (!value && fields->required)
			return xasprintf("member \"%s\" is missing", fields->name);
		if (value && !has_shape(value, fields->shape))
			return xasprintf("member \"%s\" has a value of the wrong kind",
					 fields->name);
	}
	return NULL;
}

static char *layers_fault(const json_t *manifest)
{
	const json_t *layers = json_object_get(manifest, "layers"), *layer;
	size_t i;

	if (json_array_size(layers) == 0)
		return xstrdup("an image without a layer");
	json_array_foreach(layers, i, layer)
	{
		const json_t *annotations = json_object_get(layer, "annotations");

		if (json_object_get(layer, "urls"))
			return xasprintf("layer %zu is to be fetched from elsewhere (urls)", i + 1);
		if (annotations && !has_shape(annotations, TEXT_MAP))
			return xasprintf("layer %zu: annotations that are no texts", i + 1);
	}
	return NULL;
}

const char *verify_config_type(const json_t *manifest)
{
	const json_t *config = json_object_get(manifest, "config");
	const char *type = json_optional_string(config, "mediaType", "");

	if (str_equal(type, VARVE_MEDIA_CONFIG) ||
	    str_equal(type, "application/vnd.docker.container.image.v1+json"))
		return NULL;
	return "the config's media type is not that of an image";
}

char *verify_manifest(const json_t *manifest)
{
	char *why = fields_fault(manifest, manifest_fields);
	const char *type = why ? NULL : verify_config_type(manifest);

	if (type)
		return xstrdup(type);
	return why ? why : layers_fault(manifest);
}

static char *history_fault(const json_t *history)
{
	const json_t *one;
	size_t i;

	if (history && !json_is_array(history))
		return xstrdup("member \"history\" is no list");
	json_array_foreach(history, i, one)
	{
		CLEANUP(free_ptr) char *why = fields_fault(one, history_fields);

		if (!json_is_object(one))
			return xasprintf("history: entry %zu is no object", i + 1);
		if (why)
			return xasprintf("history: entry %zu: %s", i + 1, why);
	}
	return NULL;
}

char *verify_config(const json_t *config)
{
	char *why = fields_fault(config, config_fields);

	if (why)
		return why;
	if (!str_equal(json_string_value(get(config, "rootfs.type")), "layers"))
		return xstrdup("rootfs.type is not \"layers\"");
	return history_fault(json_object_get(config, "history"));
}

/* --- indexes -------------------------------------------------------------------------------------
 */

static char *entry_fault(const json_t *entries, size_t i)
{
	const json_t *entry = json_array_get(entries, i), *one;
	char platform[MANIFEST_PLATFORM], other[MANIFEST_PLATFORM];
	const char *digest = json_optional_string(entry, "digest", "");
	size_t k;

	if (json_object_get(entry, "urls"))
		return xasprintf("entry %zu is to be fetched from elsewhere (urls)", i + 1);
	manifest_platform(entry, platform);
	json_array_foreach(entries, k, one)
	{
		if (k >= i)
			break;
		if (str_equal(json_optional_string(one, "digest", ""), digest))
			return xasprintf("entries %zu and %zu are the same", k + 1, i + 1);
		if (*platform && str_equal(manifest_platform(one, other), platform))
			return xasprintf("entries %zu and %zu are both for %s", k + 1, i + 1,
					 platform);
	}
	return NULL;
}

char *verify_index_document(const json_t *index)
{
	const json_t *entries = json_object_get(index, "manifests");
	char *why = NULL;

	for (size_t i = 0; i < json_array_size(entries) && !why; i++)
		why = entry_fault(entries, i);
	return why;
}

char *verify_platform(const json_t *entry, const json_t *config)
{
	const json_t *platform = json_object_get(entry, "platform");
	static const char *const members[] = {"os", "architecture", "variant"};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *said = json_optional_string(platform, members[i], NULL);
		const char *is = json_optional_string(config, members[i], NULL);

		/* A variant may be left out. */
		if (said && is && !str_equal(said, is))
			return xasprintf("the index says %s %.40s, the config %.40s", members[i],
					 said, is);
	}
	return NULL;
}
