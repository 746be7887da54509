/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/attestation.h"
#include "audit/signature_key.h"
#include "audit/sigstore_bundle.h"
#include "base/cleanup.h"

/* Made for this test with openssl genpkey. */
static const char private_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpsB9gjJcPFmYQlyO\n"
	"qWJqS86c52CxSyKxCuN9R8fJw+WhRANCAARDviTbGVIdklSXBIaqeWN94TtrHnqC\n"
	"2boFx8c2pFOTy5lTAVN7FViB4vMYEHQ8uCStdlxparS6/EuzWruzjrwd\n"
	"-----END PRIVATE KEY-----\n";
static const char public_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQ74k2xlSHZJUlwSGqnljfeE7ax56\n"
	"gtm6BcfHNqRTk8uZUwFTexVYgeLzGBB0PLgkrXZcaWq0uvxLs1q7s468HQ==\n"
	"-----END PUBLIC KEY-----\n";
static const char other_pem[] = "-----BEGIN PUBLIC KEY-----\n"
				"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE34Qb2NVTK+oYPqt1iCvRsycYY5Xc\n"
				"5qemtf9YqxhvODtIOCYj4S8w0+4TPRT7hjAWkBSOnVJEIIvPkpQpszTWxw==\n"
				"-----END PUBLIC KEY-----\n";

static struct signature_key *read_key(const char *pem, bool to_sign)
{
	char path[] = "/tmp/varve-key-XXXXXX";
	struct signature_key *key = NULL;
	struct varve_error err = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
	close(fd);
	if (signature_key_read(path, to_sign, &key, &err) < 0)
		key = NULL;
	unlink(path);
	return key;
}

static void test_signs_and_verifies(void **state)
{
	CLEANUP(signature_key_freep) struct signature_key *key = read_key(private_pem, true);
	CLEANUP(signature_key_freep) struct signature_key *public = read_key(public_pem, false);
	CLEANUP(signature_key_freep) struct signature_key *other = read_key(other_pem, false);
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	CLEANUP(buf_release) struct buf payload = BUF_INIT, text = BUF_INIT;
	struct varve_error err;

	(void)state;
	assert_non_null(key);
	assert_non_null(public);
	assert_non_null(other);
	buf_add(&payload, "a\0b", 3);
	assert_int_equal(sigstore_bundle_sign(key, "x/y", &payload, &text, &err), 0);
	assert_int_equal(sigstore_bundle_parse(text.data, text.len, &bundle, &err), 0);
	assert_int_equal(bundle.payload.len, 3);
	assert_memory_equal(bundle.payload.data, "a\0b", 3);
	assert_string_equal(bundle.payload_type, "x/y");
	assert_true(sigstore_bundle_is_by(&bundle, public));
	assert_true(sigstore_bundle_is_by(&bundle, key));
	assert_true(sigstore_bundle_claims(&bundle, public));
	assert_false(sigstore_bundle_is_by(&bundle, other));
	assert_false(sigstore_bundle_claims(&bundle, other));
}

/* Every bit of the signature, of the payload and of its type counts. */
static void test_any_change_is_noticed(void **state)
{
	CLEANUP(signature_key_freep) struct signature_key *key = read_key(private_pem, true);
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	CLEANUP(buf_release) struct buf payload = BUF_INIT, text = BUF_INIT;
	struct varve_error err;

	(void)state;
	buf_addstr(&payload, "{}");
	assert_int_equal(sigstore_bundle_sign(key, "x/y", &payload, &text, &err), 0);
	assert_int_equal(sigstore_bundle_parse(text.data, text.len, &bundle, &err), 0);
	for (size_t bit = 0; bit < bundle.signature.len * 8; bit++) {
		bundle.signature.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(sigstore_bundle_is_by(&bundle, key));
		bundle.signature.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 16; bit++) {
		bundle.payload.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(sigstore_bundle_is_by(&bundle, key));
		bundle.payload.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	bundle.payload_type[0] = 'y';
	assert_false(sigstore_bundle_is_by(&bundle, key));
	bundle.payload_type[0] = 'x';
	assert_true(sigstore_bundle_is_by(&bundle, key));
	bundle.signature.len--;
	assert_false(sigstore_bundle_is_by(&bundle, key));
	bundle.signature.len = 0;
	assert_false(sigstore_bundle_is_by(&bundle, key));
}

#define BUNDLE(inside) "{\"mediaType\":\"" ATTESTATION_BUNDLE "\"," inside "}"
#define ENVELOPE(payload, signatures)                                                              \
	"\"dsseEnvelope\":{\"payload\":" payload                                                   \
	",\"payloadType\":\"x/y\",\"signatures\":" signatures "}"
#define GOOD ENVELOPE("\"YQ==\"", "[{\"sig\":\"YQ==\"}]")

static void test_what_is_no_bundle(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "bundle:1:"},
		{"[]", "mediaType"},
		{"{\"mediaType\":\"x\"," GOOD "}", "is no sigstore bundle"},
		{BUNDLE("\"a\":1"), "dsseEnvelope"},
		{BUNDLE("\"dsseEnvelope\":[]"), "dsseEnvelope"},
		{BUNDLE(ENVELOPE("1", "[]")), "payload"},
		{BUNDLE(ENVELOPE("\"\"", "[{\"sig\":\"YQ==\"}]")), "\"payload\" is no base64"},
		{BUNDLE(ENVELOPE("\"Y\"", "[{\"sig\":\"YQ==\"}]")), "\"payload\" is no base64"},
		{BUNDLE(ENVELOPE("\"YQ==\"", "{}")), "signatures"},
		{BUNDLE(ENVELOPE("\"YQ==\"", "[]")), "has 0 signatures"},
		{BUNDLE(ENVELOPE("\"YQ==\"", "[1]")), "sig"},
		{BUNDLE(ENVELOPE("\"YQ==\"", "[{\"sig\":\"*\"}]")), "\"sig\" is no base64"},
		{BUNDLE(GOOD "," GOOD), "duplicate"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore_bundle bundle = {.hint = NULL};
		struct varve_error err = {0};
		int r = sigstore_bundle_parse(cases[i].text, strlen(cases[i].text), &bundle, &err);

		assert_int_equal(r, -VARVE_E_FORMAT);
		if (!strstr(err.text, cases[i].reason))
			fail_msg("case %zu: no \"%s\" in \"%s\"", i, cases[i].reason, err.text);
	}
}

static void test_without_a_hint(void **state)
{
	CLEANUP(signature_key_freep) struct signature_key *key = read_key(public_pem, false);
	CLEANUP(sigstore_bundle_release) struct sigstore_bundle bundle = {.hint = NULL};
	struct varve_error err;

	(void)state;
	assert_int_equal(sigstore_bundle_parse(BUNDLE(GOOD), strlen(BUNDLE(GOOD)), &bundle, &err),
			 0);
	assert_false(sigstore_bundle_claims(&bundle, key));
	assert_false(sigstore_bundle_is_by(&bundle, key));
}

static void test_keys_to_sign_are_private(void **state)
{
	(void)state;
	assert_null(read_key(public_pem, true));
	assert_null(read_key("", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs_and_verifies),
		cmocka_unit_test(test_any_change_is_noticed),
		cmocka_unit_test(test_what_is_no_bundle),
		cmocka_unit_test(test_without_a_hint),
		cmocka_unit_test(test_keys_to_sign_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
