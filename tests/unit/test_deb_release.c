/* SPDX-License-Identifier: Apache-2.0 */
#include "source/deb_release.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "scratch.h"

/* --- the text ------------------------------------------------------------------------------------
 */

#define DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FILES "SHA256:\n " DIGEST " 12 main/binary-amd64/Packages.xz\n"

struct text_case {
	const char *name, *text;
	int64_t result, date; /* one width: no holes */
	size_t files;
	bool by_hash;
};

static const struct text_case texts[] = {
	{"plain", "Suite: x\nDate: Sat, 16 May 2026 09:57:12 UTC\nAcquire-By-Hash: yes\n" FILES, 0,
	 1778925432, 1, true},
	{"other zone names", "Date: Sat, 16 May 2026 09:57:12 +0000\n" FILES, 0, 1778925432, 1,
	 false},
	{"other lists around",
	 "Date: Sat, 16 May 2026 09:57:12 GMT\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 12 a\n" FILES
	 " " DIGEST "  0   main/x\nSHA512:\n ff 1 z\n",
	 0, 1778925432, 2, false},
	{"no date", "Suite: x\n" FILES, -VARVE_E_FORMAT, 0, 0, false},
	{"a date of another zone", "Date: Sat, 16 May 2026 09:57:12 CEST\n" FILES, -VARVE_E_FORMAT,
	 0, 0, false},
	{"no SHA256", "Date: Sat, 16 May 2026 09:57:12 UTC\nMD5Sum:\n aa 1 x\n", -VARVE_E_FORMAT, 0,
	 0, false},
	{"a short digest", "Date: Sat, 16 May 2026 09:57:12 UTC\nSHA256:\n abcd 12 main/x\n",
	 -VARVE_E_FORMAT, 0, 0, false},
	{"a size that is none",
	 "Date: Sat, 16 May 2026 09:57:12 UTC\nSHA256:\n " DIGEST " -1 main/x\n", -VARVE_E_FORMAT,
	 0, 0, false},
	{"a path that leaves", "Date: Sat, 16 May 2026 09:57:12 UTC\nSHA256:\n " DIGEST " 1 ../x\n",
	 -VARVE_E_FORMAT, 0, 0, false},
	{"no text", "", -VARVE_E_FORMAT, 0, 0, false},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(deb_release_release) struct deb_release release = {0};
		struct varve_error err = {0};
		int r = deb_release_parse(texts[i].text, "here", &release, &err);

		if (r != texts[i].result || release.date != texts[i].date ||
		    release.count != texts[i].files || release.by_hash != texts[i].by_hash)
			fail_msg("%s: %d %s", texts[i].name, r, err.text);
		if (r < 0)
			assert_int_equal(strncmp(err.text, "here: ", 6), 0);
	}
}

static void test_find(void **state)
{
	CLEANUP(deb_release_release) struct deb_release release = {0};
	char hex[VARVE_DIGEST_HEX];

	(void)state;
	assert_int_equal(deb_release_parse(texts[0].text, "", &release, NULL), 0);
	assert_null(deb_release_find(&release, "main/binary-amd64/Packages"));
	assert_int_equal(deb_release_find(&release, "main/binary-amd64/Packages.xz")->size, 12);
	assert_string_equal(varve_digest_hex(&release.files[0].sha256, hex), DIGEST);
}

/* --- the signature -------------------------------------------------------------------------------
 */

/* The public part of a key made for this test (ed25519, without an end), and what it and a second
 * one signed on the first day of 2020. */
static const unsigned char keyring[] = {
	0x98, 0x33, 0x04, 0x5e, 0x0b, 0xe1, 0x00, 0x16, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda,
	0x47, 0x0f, 0x01, 0x01, 0x07, 0x40, 0x8b, 0x3c, 0xe4, 0x91, 0x4e, 0xb1, 0x1a, 0xf1, 0x2c,
	0x4a, 0x6c, 0xa1, 0xf8, 0xc1, 0x6c, 0xf4, 0x10, 0xee, 0x87, 0x2c, 0x5a, 0x22, 0xb6, 0xf5,
	0x68, 0xf2, 0xeb, 0xb5, 0x89, 0x56, 0x8f, 0x23, 0xb4, 0x15, 0x6f, 0x6e, 0x65, 0x20, 0x3c,
	0x6f, 0x6e, 0x65, 0x40, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67,
	0x3e, 0x88, 0x90, 0x04, 0x13, 0x16, 0x08, 0x00, 0x38, 0x16, 0x21, 0x04, 0x92, 0xfa, 0x7a,
	0x70, 0xd2, 0xd7, 0x89, 0xfe, 0x5e, 0xb2, 0xf7, 0xcf, 0x79, 0xce, 0x4d, 0xa6, 0x44, 0x7f,
	0xd4, 0xbb, 0x05, 0x02, 0x5e, 0x0b, 0xe1, 0x00, 0x02, 0x1b, 0x03, 0x05, 0x0b, 0x09, 0x08,
	0x07, 0x02, 0x06, 0x15, 0x0a, 0x09, 0x08, 0x0b, 0x02, 0x04, 0x16, 0x02, 0x03, 0x01, 0x02,
	0x1e, 0x01, 0x02, 0x17, 0x80, 0x00, 0x0a, 0x09, 0x10, 0x79, 0xce, 0x4d, 0xa6, 0x44, 0x7f,
	0xd4, 0xbb, 0x91, 0xd5, 0x01, 0x00, 0xf9, 0xa5, 0x59, 0x79, 0xd4, 0x2c, 0xae, 0x71, 0x37,
	0xb0, 0x85, 0xb4, 0x3c, 0xd5, 0x2a, 0x29, 0x1a, 0x92, 0x62, 0x25, 0xe4, 0xfc, 0x76, 0x50,
	0xe2, 0x63, 0x99, 0xea, 0xab, 0x0c, 0x56, 0x0a, 0x01, 0x00, 0xd5, 0x39, 0x18, 0x4c, 0x78,
	0x5a, 0x29, 0xaa, 0x3c, 0xc3, 0xbd, 0xe4, 0xb2, 0x0c, 0xd3, 0xe2, 0x7c, 0x75, 0x7f, 0xec,
	0x61, 0xc5, 0x9a, 0x8f, 0x70, 0x50, 0x70, 0x27, 0x7c, 0xb1, 0x50, 0x0d,
};

#define SIGNED "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
static const char release_text[] =
	"Origin: Example\n"
	"Date: Sat, 16 May 2026 09:57:12 UTC\n"
	"Acquire-By-Hash: yes\n"
	"SHA256:\n"
	" e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages\n";
#define BY_ONE                                                                                     \
	"-----BEGIN PGP SIGNATURE-----\n"                                                          \
	"\n"                                                                                       \
	"iIYEARYIAC4WIQSS+npw0teJ/l6y9895zk2mRH/UuwUCXgvhABAcb25lQGV4YW1w\n"                       \
	"bGUub3JnAAoJEHnOTaZEf9S7qvkBAJPEybodZE38dnql06sNioZ5Ko6bLux18h5W\n"                       \
	"ia4qvxRoAP4hRvLs+X3t3itRNb+ieA8EcOr7YbQIjDijd+WoaC8VBA==\n"                               \
	"=DOJr\n"                                                                                  \
	"-----END PGP SIGNATURE-----\n"
#define BY_TWO                                                                                     \
	"-----BEGIN PGP SIGNATURE-----\n"                                                          \
	"\n"                                                                                       \
	"iIYEARYIAC4WIQRXo78YQfWfSg8gGKU398v3TK+H0wUCXgvhABAcdHdvQGV4YW1w\n"                       \
	"bGUub3JnAAoJEDf3y/dMr4fTAn4A/1emAu5aFY/+//SqKOflnGEOuoVgZtlOCyIk\n"                       \
	"hWF2XW16AQD6UjobUelwVCLTJ9kn+0zd2iRcju5Axnm6bXALVqv7DQ==\n"                               \
	"=xAK0\n"                                                                                  \
	"-----END PGP SIGNATURE-----\n"
#define BY_BOTH                                                                                    \
	"-----BEGIN PGP SIGNATURE-----\n"                                                          \
	"\n"                                                                                       \
	"iIYEARYIAC4WIQSS+npw0teJ/l6y9895zk2mRH/UuwUCXgvhABAcb25lQGV4YW1w\n"                       \
	"bGUub3JnAAoJEHnOTaZEf9S7qvkBAJPEybodZE38dnql06sNioZ5Ko6bLux18h5W\n"                       \
	"ia4qvxRoAP4hRvLs+X3t3itRNb+ieA8EcOr7YbQIjDijd+WoaC8VBIiGBAEWCAAu\n"                       \
	"FiEEV6O/GEH1n0oPIBilN/fL90yvh9MFAl4L4QAQHHR3b0BleGFtcGxlLm9yZwAK\n"                       \
	"CRA398v3TK+H0wJ+AP9XpgLuWhWP/v/0qijn5ZxhDrqFYGbZTgsiJIVhdl1tegEA\n"                       \
	"+lI6G1HpcFQi0yfZJ/tM3dokXI7uQMZ5um1wC1ar+w0=\n"                                           \
	"=kirf\n"                                                                                  \
	"-----END PGP SIGNATURE-----\n"

struct signature_case {
	const char *name;
	const char *before, *signature, *after;
	bool tampered;
	int result;
};

static const struct signature_case signatures[] = {
	{"of the key", SIGNED, BY_ONE, "", false, 0},
	{"of the key and one that is not in the keyring", SIGNED, BY_BOTH, "", false, 0},
	{"of a key that is not in the keyring", SIGNED, BY_TWO, "", false, -VARVE_E_DIGEST},
	{"of another text", SIGNED, BY_ONE, "", true, -VARVE_E_DIGEST},
	{"none", "", "", "", false, -VARVE_E_FORMAT},
	{"text before it", "Date: x\n" SIGNED, BY_ONE, "", false, -VARVE_E_FORMAT},
	{"a second message", SIGNED, BY_ONE, SIGNED "Date: x\n" BY_TWO, false, -VARVE_E_FORMAT},
	{"cut", SIGNED, "", "", false, -VARVE_E_FORMAT},
	{"cut inside", SIGNED, "-----BEGIN PGP SIGNATURE-----\n\niHUE", "", false, -VARVE_E_DIGEST},
};

static void write_keyring(const struct scratch *scratch)
{
	CLEANUP(fd_close) int fd = openat(scratch->fd, "keys.gpg", O_WRONLY | O_CREAT, 0644);

	assert_int_equal(fd_write_all(fd, keyring, sizeof(keyring)), 0);
}

static void check_signature(const struct signature_case *c, const char *keys)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_error err = {0};
	int r;

	buf_addf(&text, "%s%s%s%s", c->before, release_text, c->signature, c->after);
	if (c->tampered)
		memcpy(strstr(text.data, "Example"), "Exampel", 7);
	r = deb_release_verify(&text, keys, "here", &out, &err);
	if (r != c->result || err.code != r)
		fail_msg("%s: %d %s", c->name, r, err.text);
	if (r == 0)
		assert_string_equal(out.data, release_text);
	else
		assert_int_equal(out.len, 0);
}

static void test_verify(void **state)
{
	const struct scratch *scratch = *state;
	CLEANUP(free_ptr) char *keys = xasprintf("%s/keys.gpg", scratch->path);

	write_keyring(scratch);
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++)
		check_signature(&signatures[i], keys);
}

static void test_no_keyring(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	struct varve_error err = {0};

	(void)state;
	buf_addstr(&text, SIGNED BY_ONE);
	assert_int_equal(deb_release_verify(&text, "/does/not/exist.gpg", "here", &out, &err),
			 -VARVE_E_RECIPE);
	assert_non_null(strstr(err.text, "/does/not/exist.gpg"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_find),
		SCRATCH_TEST(test_verify),
		cmocka_unit_test(test_no_keyring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
