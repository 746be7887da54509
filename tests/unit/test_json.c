/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/strv.h"
#include "scratch.h"

static json_t *parse(const char *text)
{
	struct varve_error err = {.code = 0};
	json_t *value = NULL;

	if (json_parse(text, strlen(text), "test", &value, &err) < 0)
		fail_msg("%s", err.text);
	return value;
}

static void canonical_form(void **state)
{
	static const struct {
		const char *text, *canonical;
	} table[] = {
		{" { } ", "{}"},
		{"[ ]", "[]"},
		{"{\"b\":1,\"a\":[true , false,null]}", "{\"a\":[true,false,null],\"b\":1}"},
		/* By bytes: upper case first, a prefix before what it starts, UTF-8 last. */
		{"{\"a\":1,\"B\":2,\"\xc3\xa4\":3,\"ab\":4,\"\":5,\"~\":6}",
		 "{\"\":5,\"B\":2,\"a\":1,\"ab\":4,\"~\":6,\"\xc3\xa4\":3}"},
		{"[\"\\u0041\\/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001F\"]",
		 "[\"A/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\"]"},
		{"[\"\\u00e9\\u2028\\ud83d\\ude00\x7f\"]",
		 "[\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\x7f\"]"},
		{"[-1,0,9223372036854775807,-9223372036854775808]",
		 "[-1,0,9223372036854775807,-9223372036854775808]"},
		{"{\"o\":{\"z\":{},\"y\":[{}]}}", "{\"o\":{\"y\":[{}],\"z\":{}}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(json_decrefp) json_t *value = parse(table[i].text);
		CLEANUP(json_decrefp) json_t *again = NULL;
		CLEANUP(buf_release) struct buf out = BUF_INIT;

		json_canonical(value, &out);
		assert_string_equal(buf_text(&out), table[i].canonical);
		again = parse(buf_text(&out));
		assert_true(json_equal(value, again));
	}
}

static void digest_of_canonical_form(void **state)
{
	CLEANUP(json_decrefp) json_t *value = parse("{ \"b\" : 2, \"a\" : 1 }");
	struct varve_digest digest, expected;

	(void)state;
	json_digest(value, &digest);
	digest_bytes("{\"a\":1,\"b\":2}", 13, &expected);
	assert_true(varve_digest_equal(&digest, &expected));
}

static void malformed_documents(void **state)
{
	static const struct {
		const char *text, *error; /* how the error starts */
	} table[] = {
		{"", "doc:1:1: "},           {"{\n \"a\": 1,\n \"a\": 2}", "doc:3:"},
		{"{} {}", "doc:1:4: "},      {"{\"a\":}", "doc:1:6: "},
		{"1", "doc:1:1: "},          {"[01]", "doc:1:"},
		{"[1e999]", "doc:1:"},       {"[18446744073709551616]", "doc:1:"},
		{"[\"\xff\"]", "doc:1:"},    {"[\"\\u0000\"]", "doc:1:"},
		{"[\"\\ud800\"]", "doc:1:"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *text = table[i].text;
		struct varve_error err = {.code = 0};
		json_t *value = NULL;

		assert_int_equal(json_parse(text, strlen(text), "doc", &value, &err),
				 -VARVE_E_FORMAT);
		assert_null(value);
		assert_int_equal(err.code, -VARVE_E_FORMAT);
		if (!str_starts(err.text, table[i].error))
			fail_msg("%s: %s", text, err.text);
	}
}

static void limits(void **state)
{
	CLEANUP(buf_release) struct buf deep = BUF_INIT;
	const struct scratch *s = *state;
	CLEANUP(fd_close) int fd = openat(s->fd, "huge", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct varve_error err = {.code = 0};
	json_t *value = NULL;

	for (int i = 0; i < 1000000; i++)
		buf_addc(&deep, '[');
	assert_int_equal(json_parse(deep.data, deep.len, "deep", &value, &err), -VARVE_E_FORMAT);
	assert_int_equal(ftruncate(fd, JSON_LIMIT + 1), 0);
	assert_int_equal(json_read_file(s->fd, "huge", &value, &err), -VARVE_E_LIMIT);
	assert_int_equal(json_parse("", (size_t)JSON_LIMIT + 1, "x", &value, &err), -VARVE_E_LIMIT);
	assert_null(value);
}

static void files(void **state)
{
	const struct scratch *s = *state;
	CLEANUP(json_decrefp) json_t *value = NULL;
	struct varve_error err = {.code = 0};

	assert_int_equal(json_read_file(s->fd, "absent", &value, &err), -ENOENT);
	assert_string_equal(err.text, "open absent: No such file or directory");
	scratch_write(s, "f", "{\"a\":\n}");
	assert_int_equal(json_read_file(s->fd, "f", &value, &err), -VARVE_E_FORMAT);
	assert_true(str_starts(err.text, "f:2:1: "));
	scratch_write(s, "f", "{\"a\":\"b\"}\n");
	assert_int_equal(json_read_file(s->fd, "f", &value, &err), 0);
	assert_string_equal(json_optional_string(value, "a", "-"), "b");
}

static void members_are_checked(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = parse("{\"s\":\"x\",\"n\":7,\"m\":-1,\"a\":[],\"o\":{},\"r\":1.5}");
	struct varve_error err = {.code = 0};
	struct varve_digest digest;
	const char *text = NULL;
	json_t *member = NULL;
	uint64_t number = 0;

	(void)state;
	assert_int_equal(json_get_string(object, "s", &text, &err), 0);
	assert_string_equal(text, "x");
	assert_int_equal(json_get_u64(object, "n", &number, &err), 0);
	assert_int_equal(number, 7);
	assert_int_equal(json_get_array(object, "a", &member, &err), 0);
	assert_int_equal(json_get_object(object, "o", &member, &err), 0);
	assert_int_equal(json_get_string(object, "t", &text, &err), -VARVE_E_FORMAT);
	assert_string_equal(err.text, "member \"t\" is missing");
	assert_int_equal(json_get_string(object, "n", &text, &err), -VARVE_E_FORMAT);
	assert_string_equal(err.text, "member \"n\" is not a string");
	assert_int_equal(json_get_u64(object, "m", &number, &err), -VARVE_E_FORMAT);
	assert_int_equal(json_get_u64(object, "r", &number, &err), -VARVE_E_FORMAT);
	assert_int_equal(json_get_u64(object, "s", &number, &err), -VARVE_E_FORMAT);
	assert_int_equal(json_get_array(object, "o", &member, &err), -VARVE_E_FORMAT);
	assert_int_equal(json_get_object(object, "a", &member, &err), -VARVE_E_FORMAT);
	assert_int_equal(json_get_digest(object, "s", &digest, &err), -VARVE_E_FORMAT);
	assert_string_equal(json_optional_string(object, "n", "else"), "else");
	assert_string_equal(json_optional_string(object, "t", "else"), "else");
	assert_int_equal(number, 7);
	assert_int_equal(json_get_string(NULL, "s", &text, NULL), -VARVE_E_FORMAT);
}

static void reals_are_found(void **state)
{
	static const struct {
		const char *text;
		bool real;
	} table[] = {
		{"{\"a\":[1,\"1.5\",null,{}]}", false},
		{"[1.0]", true},
		{"{\"a\":[{\"b\":1e3}]}", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(json_decrefp) json_t *value = parse(table[i].text);

		assert_int_equal(json_has_real(value), table[i].real);
	}
}

#define BAD "\xef\xbf\xbd"

static void texts_are_repaired(void **state)
{
	static const struct {
		const char *text, *stored;
	} table[] = {
		{"", ""},
		{"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
		{"caf\xe9", "caf" BAD},
		{"\xff\xfe", BAD BAD},
		{"a\xc3", "a" BAD},
		{"\xc0\xaf", BAD BAD},
		{"\xed\xa0\x80", BAD BAD BAD},
		{"\xf4\x90\x80\x80", BAD BAD BAD BAD},
		{"\xe0\x80\x80", BAD BAD BAD},
		{"\xc3\xa9\xff\xe2\x80\xa8", "\xc3\xa9" BAD "\xe2\x80\xa8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(json_decrefp) json_t *value = json_text(table[i].text);

		assert_string_equal(json_string_value(value), table[i].stored);
	}
}

static void building(void **state)
{
	CLEANUP(json_decrefp) json_t *object = json_object();
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_digest digest = {{0xab}}, read;

	(void)state;
	strv_add(&names, "x");
	strv_add(&names, "y");
	json_set(object, "names", json_of_strv(&names));
	json_append(json_object_get(object, "names"), json_integer(3));
	json_set(object, "digest", json_of_digest(&digest));
	assert_int_equal(json_get_digest(object, "digest", &read, NULL), 0);
	assert_true(varve_digest_equal(&digest, &read));
	json_canonical(object, &out);
	assert_string_equal(buf_text(&out),
			    "{\"digest\":\"sha256:"
			    "ab00000000000000000000000000000000000000000000000000000000000000\","
			    "\"names\":[\"x\",\"y\",3]}");
}

static void layers_survive_the_trip(void **state)
{
	struct varve_layer layer = {
		.blob = {VARVE_MEDIA_LAYER_ZSTD, {{1, 2, 3}}, 12345678901},
		.diff_id = {{4, 5}},
		.tar_size = 99999999999,
		.entry_count = 17,
	};
	CLEANUP(json_decrefp) json_t *object = layer_to_json(&layer);
	struct varve_layer read;
	struct varve_error err = {.code = 0};

	(void)state;
	assert_int_equal(layer_from_json(object, &read, &err), 0);
	assert_string_equal(read.blob.media_type, layer.blob.media_type);
	assert_true(varve_digest_equal(&read.blob.digest, &layer.blob.digest));
	assert_true(varve_digest_equal(&read.diff_id, &layer.diff_id));
	assert_int_equal(read.blob.size, layer.blob.size);
	assert_int_equal(read.tar_size, layer.tar_size);
	assert_int_equal(read.entry_count, layer.entry_count);
	json_object_del(json_object_get(object, "blob"), "size");
	assert_int_equal(layer_from_json(object, &read, &err), -VARVE_E_FORMAT);
	assert_string_equal(err.text, "member \"blob\": member \"size\" is missing");
}

static void long_media_types_are_refused(void **state)
{
	struct varve_descriptor d = {VARVE_MEDIA_LAYER, {{1}}, 1};
	CLEANUP(json_decrefp) json_t *object = descriptor_to_json(&d);
	char type[VARVE_MEDIA_TYPE + 1];

	(void)state;
	memset(type, 'x', sizeof(type));
	type[VARVE_MEDIA_TYPE] = '\0';
	json_set(object, "mediaType", json_text(type));
	assert_int_equal(descriptor_from_json(object, &d, NULL), -VARVE_E_FORMAT);
	assert_string_equal(d.media_type, VARVE_MEDIA_LAYER);
	type[VARVE_MEDIA_TYPE - 1] = '\0';
	json_set(object, "mediaType", json_text(type));
	assert_int_equal(descriptor_from_json(object, &d, NULL), 0);
	assert_string_equal(d.media_type, type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(digest_of_canonical_form),
		cmocka_unit_test(malformed_documents),
		SCRATCH_TEST(limits),
		SCRATCH_TEST(files),
		cmocka_unit_test(members_are_checked),
		cmocka_unit_test(reals_are_found),
		cmocka_unit_test(texts_are_repaired),
		cmocka_unit_test(building),
		cmocka_unit_test(layers_survive_the_trip),
		cmocka_unit_test(long_media_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
