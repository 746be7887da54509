/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/signature_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"

struct signature_key {
	EVP_PKEY *pkey;
	bool is_private;
	struct varve_digest id;
};

void signature_key_free(struct signature_key *key)
{
	int saved = errno;

	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
	errno = saved;
}

void signature_key_freep(struct signature_key **key)
{
	signature_key_free(*key);
	*key = NULL;
}

void signature_key_id(const struct signature_key *key, struct varve_digest *ret)
{
	*ret = key->id;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* No key of ours has a password: OpenSSL would ask the terminal for it. */
static int no_password(char *buffer, int size, int writing, void *cookie)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)cookie;
	return -1;
}

static EVP_PKEY *parse(const struct buf *text, bool is_private)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	EVP_PKEY *key;

	if (!bio)
		return NULL;
	key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
			 : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	(void)BIO_free(bio);
	ERR_clear_error();
	return key;
}

static bool is_p256(const EVP_PKEY *key)
{
	char group[64] = "";

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

static int refuse(const char *path, const struct buf *text, struct varve_error *err)
{
	const char *pem = buf_text(text);

	if (strstr(pem, "SIGSTORE PRIVATE KEY") || strstr(pem, "COSIGN PRIVATE KEY")) {
		varve_error_set(err, -VARVE_E_USAGE, "%s is a key in cosign's own format", path);
		varve_error_hint(err, "make one for both with: openssl genpkey -algorithm EC "
				      "-pkeyopt ec_paramgen_curve:P-256 -out KEY; then cosign "
				      "import-key-pair --key KEY");
		return -VARVE_E_USAGE;
	}
	if (strstr(pem, "ENCRYPTED")) {
		varve_error_set(err, -VARVE_E_USAGE, "%s is protected by a password", path);
		varve_error_hint(err,
				 "take it off in a place only you can read: openssl pkey "
				 "-in %s -out KEY",
				 path);
		return -VARVE_E_USAGE;
	}
	return varve_error_set(err, -VARVE_E_USAGE, "%s holds no key (PEM) that can be read", path);
}

static bool set_id(struct signature_key *key)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key->pkey, &der);

	if (len <= 0)
		return false;
	digest_bytes(der, (size_t)len, &key->id);
	OPENSSL_free(der);
	return true;
}

static int make(const char *path, bool to_sign, const struct buf *text, struct signature_key **ret,
		struct varve_error *err)
{
	CLEANUP(signature_key_freep) struct signature_key *key = xcalloc(1, sizeof(*key));

	key->pkey = parse(text, true);
	key->is_private = key->pkey != NULL;
	if (!key->pkey)
		key->pkey = parse(text, false);
	if (!key->pkey)
		return refuse(path, text, err);
	if (!is_p256(key->pkey) || !set_id(key)) {
		varve_error_set(err, -VARVE_E_USAGE,
				"%s is a key of another kind than ECDSA with P-256", path);
		varve_error_hint(err, "make one with: openssl genpkey -algorithm EC -pkeyopt "
				      "ec_paramgen_curve:P-256 -out KEY");
		return -VARVE_E_USAGE;
	}
	if (to_sign && !key->is_private)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "%s is a public key; signing needs the private one", path);
	*ret = steal_ptr(&key);
	return 0;
}

int signature_key_read(const char *path, bool to_sign, struct signature_key **ret,
		       struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_file(AT_FDCWD, path, SIGNATURE_KEY_LIMIT, &text, err);

	if (r < 0) {
		varve_error_prefix(err, "--key");
		return r;
	}
	r = make(path, to_sign, &text, ret, err);
	if (text.data)
		OPENSSL_cleanse(text.data, text.len);
	return r;
}

/* --- using ---------------------------------------------------------------------------------------
 */

int signature_key_sign(const struct signature_key *key, const void *data, size_t len,
		       struct buf *out, struct varve_error *err)
{
	unsigned char signature[SIGNATURE_LIMIT];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context;
	bool ok;

	context = EVP_MD_CTX_new();
	ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	     EVP_DigestSign(context, signature, &size, data, len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	if (!ok)
		return varve_error_set(err, -VARVE_E_HOST, "OpenSSL cannot sign with this key");
	buf_add(out, signature, size);
	return 0;
}

bool signature_key_verify(const struct signature_key *key, const void *data, size_t len,
			  const void *signature, size_t signature_len)
{
	EVP_MD_CTX *context;
	bool ok;

	if (signature_len == 0 || signature_len > SIGNATURE_LIMIT)
		return false;
	context = EVP_MD_CTX_new();
	ok = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	     EVP_DigestVerify(context, signature, signature_len, data, len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return ok;
}
