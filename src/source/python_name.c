/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

enum {
	WHEEL_PARTS = 5, /* without a build number */
	RANK_STEP = 1000, /* platforms of one python and abi */
	RANK_ABI3 = 3, /* of older versions, counted up from here */
	RANK_PURE_NATIVE = 200, /* py3-none-PLATFORM */
	RANK_ANY = 300,
	OLDEST_ABI3 = 2,
};

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

char *python_project(const char *name)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	for (; *name; name++) {
		if (!strchr("-_.", *name))
			buf_addc(&out, lower(*name));
		else if (out.len > 0 && out.data[out.len - 1] != '-')
			buf_addc(&out, '-');
	}
	return buf_steal(&out);
}

const char *python_machine(const char *platform)
{
	static const char *const known[][2] = {
		{"linux/amd64", "x86_64"},     {"linux/arm64", "aarch64"},
		{"linux/arm64/v8", "aarch64"}, {"linux/386", "i686"},
		{"linux/arm/v7", "armv7l"},    {"linux/ppc64le", "ppc64le"},
		{"linux/s390x", "s390x"},      {"linux/riscv64", "riscv64"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i][0], platform) == 0)
			return known[i][1];
	return NULL;
}

bool python_is_sdist(const char *file)
{
	return str_ends(file, ".tar.gz") || str_ends(file, ".zip");
}

static void split_text(const char *text, size_t len, char separator, struct strv *ret)
{
	const char *end = text + len;

	for (;;) {
		const char *next = memchr(text, separator, (size_t)(end - text));

		if (!next)
			break;
		strv_take(ret, xstrndup(text, (size_t)(next - text)));
		text = next + 1;
	}
	strv_take(ret, xstrndup(text, (size_t)(end - text)));
}

/* The parts of a wheel's name: 5, or 6 with a build number; none for other files. */
static void wheel_parts(const char *file, struct strv *ret)
{
	if (!str_ends(file, ".whl"))
		return;
	split_text(file, strlen(file) - strlen(".whl"), '-', ret);
	if (ret->count != WHEEL_PARTS && ret->count != WHEEL_PARTS + 1)
		strv_release(ret);
}

static bool split_sdist(const char *file, char **ret_project, char **ret_version)
{
	size_t len = strlen(file) - (str_ends(file, ".zip") ? 4 : strlen(".tar.gz"));
	CLEANUP(free_ptr) char *stem = xstrndup(file, len);
	char *dash = strrchr(stem, '-');

	if (!dash || dash == stem || dash[1] == '\0')
		return false;
	*dash = '\0';
	*ret_project = python_project(stem);
	*ret_version = xstrdup(dash + 1);
	return true;
}

bool python_split(const char *file, char **ret_project, char **ret_version)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;

	if (python_is_sdist(file))
		return split_sdist(file, ret_project, ret_version);
	wheel_parts(file, &parts);
	if (parts.count == 0)
		return false;
	*ret_project = python_project(parts.items[0]);
	*ret_version = xstrdup(parts.items[1]);
	return true;
}

/* --- versions ----------------------------------------------------------------------------------
 */

/* True where two spellings need not agree: zeros before a number, and what stands between anything
 * but two numbers. after_digit: what was kept last is one. */
static bool is_idle(const char *at, bool after_digit)
{
	if (*at == '0')
		return !after_digit && is_digit(at[1]);
	return strchr("._-", *at) && (!after_digit || !is_digit(at[1]));
}

/* What two spellings of a version share. Caller frees. */
static char *plain_version(const char *version)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	bool after_digit = false;

	version += *version == 'v' || *version == 'V';
	for (; *version; version++) {
		if (is_idle(version, after_digit))
			continue;
		after_digit = is_digit(*version);
		if (strchr("_-", *version))
			buf_addc(&out, '.');
		else
			buf_addc(&out, lower(*version));
	}
	return buf_steal(&out);
}

/* "1.0" and "1.0.0" are the same too. */
static void drop_zeros(char *version)
{
	while (str_ends(version, ".0") && version[strspn(version, "0123456789.")] == '\0')
		version[strlen(version) - 2] = '\0';
}

bool python_same_version(const char *a, const char *b)
{
	CLEANUP(free_ptr) char *left = plain_version(a);
	CLEANUP(free_ptr) char *right = plain_version(b);

	drop_zeros(left);
	drop_zeros(right);
	return strcmp(left, right) == 0;
}

bool python_is_final(const char *version)
{
	CLEANUP(free_ptr) char *plain = plain_version(version);
	size_t numbers = strspn(plain, "0123456789.");

	return numbers > 0 && (plain[numbers] == '\0' || str_starts(plain + numbers, "post") ||
			       plain[numbers] == '+');
}

int python_compare_versions(const char *a, const char *b)
{
	while (*a || *b) {
		unsigned long x = strtoul(a, NULL, 10), y = strtoul(b, NULL, 10);

		if (x != y)
			return x < y ? -1 : 1;
		a += strcspn(a, ".");
		b += strcspn(b, ".");
		a += *a == '.';
		b += *b == '.';
	}
	return 0;
}

/* --- tags --------------------------------------------------------------------------------------
 */

static bool has_tag(const char *set, const char *tag)
{
	CLEANUP(strv_release) struct strv tags = STRV_INIT;

	split_text(set, strlen(set), '.', &tags);
	return strv_contains(&tags, tag);
}

/* The glibc that a platform tag asks for; -1: it is not for this machine. */
static int glibc_of(const char *tag, const char *machine)
{
	static const struct {
		const char *prefix;
		int minor;
	} old[] = {
		{"manylinux2014_", 17}, {"manylinux2010_", 12}, {"manylinux1_", 5}, {"linux_", 0}};
	size_t i;
	int minor = -1, used = 0;

	for (i = 0; i < ARRAY_SIZE(old); i++)
		if (str_starts(tag, old[i].prefix) &&
		    strcmp(tag + strlen(old[i].prefix), machine) == 0)
			return old[i].minor;
	if (sscanf(tag, "manylinux_2_%3d_%n", &minor, &used) != 1 || used == 0 || minor < 0)
		return -1;
	return strcmp(tag + used, machine) == 0 ? minor : -1;
}

/* How well a set of platform tags suits: the newest glibc that we have is best; -1: not at all. */
static int rank_platform(const char *set, const struct python_target *target)
{
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	int best = -1;
	size_t i;

	split_text(set, strlen(set), '.', &tags);
	for (i = 0; i < tags.count; i++) {
		int glibc = glibc_of(tags.items[i], target->machine);

		if (glibc < 0 || glibc > (int)target->glibc)
			continue;
		if (best < 0 || (int)target->glibc - glibc < best)
			best = (int)target->glibc - glibc;
	}
	return best;
}

/* "cp311", "abi3" and so on in sets; -1: does not suit. */
static int rank_python(const char *python, const char *abi, const struct python_target *target)
{
	CLEANUP(free_ptr) char *own = xasprintf("cp3%u", target->minor);
	unsigned minor;

	if (has_tag(python, own) && has_tag(abi, own))
		return 0;
	if (has_tag(python, own) && has_tag(abi, "abi3"))
		return 1;
	if (has_tag(python, own) && has_tag(abi, "none"))
		return 2;
	for (minor = target->minor; has_tag(abi, "abi3") && minor-- > OLDEST_ABI3;) {
		CLEANUP(free_ptr) char *older = xasprintf("cp3%u", minor);

		if (has_tag(python, older))
			return RANK_ABI3 + (int)(target->minor - minor);
	}
	return -1;
}

/* "py3", "py311" or an older one, in a set; for wheels with abi none. */
static bool is_pure(const char *python, const char *abi, const struct python_target *target)
{
	unsigned minor;

	if (!has_tag(abi, "none"))
		return false;
	if (has_tag(python, "py3"))
		return true;
	for (minor = target->minor + 1; minor-- > 0;) {
		CLEANUP(free_ptr) char *tag = xasprintf("py3%u", minor);

		if (has_tag(python, tag))
			return true;
	}
	return false;
}

int python_rank(const char *file, const struct python_target *target)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	const char *python, *abi, *platform;
	int rank, place;

	wheel_parts(file, &parts);
	if (parts.count == 0)
		return -1;
	python = parts.items[parts.count - 3];
	abi = parts.items[parts.count - 2];
	platform = parts.items[parts.count - 1];
	rank = rank_python(python, abi, target);
	if (rank < 0 && is_pure(python, abi, target))
		rank = RANK_PURE_NATIVE;
	if (rank < 0)
		return -1;
	if (has_tag(platform, "any"))
		return (rank + RANK_ANY) * RANK_STEP;
	place = rank_platform(platform, target);
	return place < 0 ? -1 : rank * RANK_STEP + place;
}

char *python_architecture(const char *file)
{
	static const char *const machines[] = {"x86_64",  "aarch64", "i686",   "armv7l",
					       "ppc64le", "s390x",   "riscv64"};
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	size_t i;

	wheel_parts(file, &parts);
	if (parts.count == 0)
		return xstrdup("source");
	for (i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_ends(parts.items[parts.count - 1], machines[i]))
			return xstrdup(machines[i]);
	return xstrdup("any");
}
