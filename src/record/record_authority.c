/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_authority.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { DAY = 24 * 3600, VALID_DAYS = 7, SERIAL_BITS = 120, COMMON_NAME = 64 };

void record_authority_release(struct record_authority *authority)
{
	EVP_PKEY_free(authority->key);
	X509_free(authority->certificate);
	*authority = (struct record_authority){0};
}

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool ok = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return ok;
}

static bool set_name(X509_NAME *name, const char *text)
{
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text,
					  -1, -1, 0) == 1;
}

/* Everything but the extensions and the signature. */
static X509 *begin(EVP_PKEY *key, const char *name)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) &&
	    set_serial(certificate) && X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY) &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)VALID_DAYS * DAY) &&
	    X509_set_pubkey(certificate, key) && set_name(X509_get_subject_name(certificate), name))
		return certificate;
	X509_free(certificate);
	return NULL;
}

struct extension {
	int nid;
	const char *value;
};

static bool extend(X509 *certificate, X509 *issuer, const struct extension *extensions)
{
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	for (; extensions->nid; extensions++) {
		X509_EXTENSION *made =
			X509V3_EXT_conf_nid(NULL, &context, extensions->nid, extensions->value);
		int added = made ? X509_add_ext(certificate, made, -1) : 0;

		X509_EXTENSION_free(made);
		if (!added)
			return false;
	}
	return true;
}

int record_authority_make(struct record_authority *ret, struct varve_error *err)
{
	static const struct extension extensions[] = {
		{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
		{NID_key_usage, "critical,keyCertSign,cRLSign"},
		{NID_subject_key_identifier, "hash"},
		{0, NULL},
	};
	struct record_authority made = {.key = EVP_EC_gen("P-256")};

	if (made.key)
		made.certificate = begin(made.key, "varve lock --record, for one run");
	if (made.certificate &&
	    X509_set_issuer_name(made.certificate, X509_get_subject_name(made.certificate)) &&
	    extend(made.certificate, made.certificate, extensions) &&
	    X509_sign(made.certificate, made.key, EVP_sha256()) > 0) {
		*ret = made;
		return 0;
	}
	record_authority_release(&made);
	return varve_error_set(err, -VARVE_E_HOST, "OpenSSL cannot make a certificate here");
}

char *record_authority_pem(const struct record_authority *authority)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *data = NULL, *text = NULL;
	long len;

	if (memory && PEM_write_bio_X509(memory, authority->certificate)) {
		len = BIO_get_mem_data(memory, &data);
		text = xstrndup(data, (size_t)len);
	}
	BIO_free(memory);
	return text;
}

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

X509 *record_authority_sign(const struct record_authority *authority, const char *host)
{
	CLEANUP(free_ptr) char *common = xstrndup(host, COMMON_NAME);
	CLEANUP(free_ptr)
	char *names = xasprintf("%s:%s", is_address(host) ? "IP" : "DNS", host);
	const struct extension extensions[] = {
		{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"},
		{NID_ext_key_usage, "serverAuth"},
		{NID_authority_key_identifier, "keyid:always"},
		{NID_subject_alt_name, names},
		{0, NULL},
	};
	CLEANUP(free_certificate) X509 *certificate = begin(authority->key, common);
	X509 *done = certificate;

	if (!certificate ||
	    !X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate)) ||
	    !extend(certificate, authority->certificate, extensions) ||
	    X509_sign(certificate, authority->key, EVP_sha256()) <= 0)
		return NULL;
	certificate = NULL;
	return done;
}
