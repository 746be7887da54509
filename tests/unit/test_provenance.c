/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/provenance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RECIPE "\"recipe\":{\"digest\":\"sha256:" HEX "\",\"name\":\"t\",\"path\":\"d/r.yaml\"}"
#define PARAMETERS                                                                                 \
	"\"compression\":\"zstd:3\",\"images\":[\"main\"],\"lock\":\"d/r.lock.json\","             \
	"\"options\":{\"a\":\"1\"},\"platform\":\"linux/amd64\","
#define INPUTS                                                                                       \
	"{\"annotations\":{\"kind\":\"inputs\",\"localSources\":true},\"digest\":{\"sha256\":\"" HEX \
	"\"},\"name\":\"inputs.tar\",\"uri\":\"inputs.tar\"}"
#define STATEMENT(type, parameters, dependencies)                                                  \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":"                        \
	"\"https://slsa.dev/provenance/v1\",\"subject\":[{\"digest\":{\"sha256\":\"" HEX           \
	"\"}}],\"predicate\":{\"buildDefinition\":{\"buildType\":\"" type                          \
	"\",\"externalParameters\":" parameters ",\"resolvedDependencies\":" dependencies          \
	"},\"runDetails\":{\"metadata\":{\"varve_hermetic\":true}}}}"
#define GOOD STATEMENT(PROVENANCE_BUILD_TYPE, "{" PARAMETERS RECIPE "}", "[" INPUTS "]")

static int parse(const char *text, json_t **ret_statement, struct provenance *ret)
{
	struct varve_digest manifest;
	struct varve_error err;

	assert_int_equal(varve_digest_parse_hex(HEX, &manifest), 0);
	assert_int_equal(json_parse(text, strlen(text), "test", ret_statement, &err), 0);
	return provenance_parse(*ret_statement, &manifest, ret, &err);
}

static void reads_what_a_rebuild_needs(void **state)
{
	CLEANUP(json_decrefp) json_t *statement = NULL;
	struct provenance p = {0};
	char hex[VARVE_DIGEST_HEX];

	(void)state;
	assert_int_equal(parse(GOOD, &statement, &p), 0);
	assert_string_equal(p.recipe, "d/r.yaml");
	assert_string_equal(p.lock, "d/r.lock.json");
	assert_string_equal(p.image, "main");
	assert_string_equal(p.platform, "linux/amd64");
	assert_string_equal(varve_digest_hex(&p.inputs, hex), HEX);
	assert_null(p.registry);
	assert_true(p.epoch == -1);
	assert_true(p.hermetic);
	assert_true(p.has_locals);
}

static void knows_when_local_sources_are_missing(void **state)
{
	static const char text[] = STATEMENT(
		PROVENANCE_BUILD_TYPE, "{\"epoch\":7," PARAMETERS RECIPE "}",
		"[{\"annotations\":{\"kind\":\"inputs\",\"localSources\":false},\"digest\":"
		"{\"sha256\":\"" HEX "\"}},{\"annotations\":{\"kind\":\"local\"}}]");
	CLEANUP(json_decrefp) json_t *statement = NULL;
	struct provenance p = {0};

	(void)state;
	assert_int_equal(parse(text, &statement, &p), 0);
	assert_false(p.has_locals);
	assert_true(p.epoch == 7);
}

static void refuses(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		/* Of another tool. */
		STATEMENT("https://example.org/b", "{" PARAMETERS RECIPE "}", "[" INPUTS "]"),
		/* Nothing to build from. */
		STATEMENT(PROVENANCE_BUILD_TYPE, "{" PARAMETERS RECIPE "}", "[]"),
		STATEMENT(PROVENANCE_BUILD_TYPE, "{" PARAMETERS RECIPE "}", "7"),
		STATEMENT(
			PROVENANCE_BUILD_TYPE, "{" PARAMETERS RECIPE "}",
			"[{\"annotations\":{\"kind\":\"inputs\"},\"digest\":{\"sha256\":\"x\"}}]"),
		STATEMENT(PROVENANCE_BUILD_TYPE, "[]", "[" INPUTS "]"),
		STATEMENT(PROVENANCE_BUILD_TYPE, "{" RECIPE "}", "[" INPUTS "]"),
		/* Paths of this machine. */
		STATEMENT(PROVENANCE_BUILD_TYPE,
			  "{" PARAMETERS "\"recipe\":{\"digest\":\"d\",\"name\":\"t\",\"path\":"
			  "\"/etc/passwd\"}}",
			  "[" INPUTS "]"),
		STATEMENT(PROVENANCE_BUILD_TYPE,
			  "{" PARAMETERS "\"recipe\":{\"digest\":\"d\",\"name\":\"t\",\"path\":"
			  "\"a/../../b\"}}",
			  "[" INPUTS "]"),
		STATEMENT(PROVENANCE_BUILD_TYPE,
			  "{" PARAMETERS
			  "\"recipe\":{\"digest\":\"d\",\"name\":\"t\",\"path\":\"\"}}",
			  "[" INPUTS "]"),
		/* What would become another option. */
		STATEMENT(
			PROVENANCE_BUILD_TYPE,
			"{\"compression\":\"none\",\"images\":[\"main\"],\"lock\":\"\",\"options\":"
			"{\"a=b\":\"1\"},\"platform\":\"x/y\"," RECIPE "}",
			"[" INPUTS "]"),
		STATEMENT(
			PROVENANCE_BUILD_TYPE,
			"{\"compression\":\"none\",\"images\":[\"main\"],\"lock\":\"\",\"options\":"
			"{\"a\":1},\"platform\":\"x/y\"," RECIPE "}",
			"[" INPUTS "]"),
		STATEMENT(PROVENANCE_BUILD_TYPE,
			  "{\"compression\":\"none\",\"images\":[1],\"lock\":\"\",\"options\":{},"
			  "\"platform\":\"x/y\"," RECIPE "}",
			  "[" INPUTS "]"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(json_decrefp) json_t *statement = NULL;
		struct provenance p = {0};

		assert_true(parse(texts[i], &statement, &p) < 0);
		assert_null(p.recipe);
	}
}

static void refuses_what_is_about_another_image(void **state)
{
	CLEANUP(json_decrefp) json_t *statement = NULL;
	const struct varve_digest other = {{1}};
	struct provenance p = {0};
	struct varve_error err;

	(void)state;
	assert_int_equal(json_parse(GOOD, strlen(GOOD), "test", &statement, &err), 0);
	assert_int_equal(provenance_parse(statement, &other, &p, &err), -VARVE_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_a_rebuild_needs),
		cmocka_unit_test(knows_when_local_sources_are_missing),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_what_is_about_another_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
