/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/formats.h"

#include <stdio.h>
#include <string.h>
#include "audit/cause.h"

/* PEP 552. */
enum { FLAGS_AT = 4, TIME_AT = 8, SIZE_AT = 12, HEADER = 16, FLAG_HASH = 1 };

static unsigned long long number(const struct content *c, size_t at)
{
	unsigned long long value = 0;

	for (size_t i = 4; i > 0; i--)
		value = value << 8 | c->data[at + i - 1];
	return value;
}

static void compare_hashes(struct findings *f, const struct content *a, const struct content *b)
{
	char left[17], right[17];

	for (size_t i = 0; i < 8; i++) {
		(void)snprintf(left + 2 * i, 3, "%02x", a->data[TIME_AT + i]);
		(void)snprintf(right + 2 * i, 3, "%02x", b->data[TIME_AT + i]);
	}
	if (strcmp(left, right) != 0)
		findings_add(f, &(struct finding){.where = "header: hash of the source",
						  .a = left,
						  .b = right});
}

static void compare_headers(struct findings *f, const struct content *a, const struct content *b)
{
	bool same_flags = number(a, FLAGS_AT) == number(b, FLAGS_AT);

	findings_add_numbers(
		f, &(struct finding){.where = "header: magic number", .rule = CURE_PYC_VERSION},
		number(a, 0) & 0xffff, number(b, 0) & 0xffff);
	findings_add_numbers(f, &(struct finding){.where = "header: flags", .rule = CURE_PYC_FLAGS},
			     number(a, FLAGS_AT), number(b, FLAGS_AT));
	if (!same_flags)
		return;
	if (a->data[FLAGS_AT] & FLAG_HASH) {
		compare_hashes(f, a, b);
		return;
	}
	findings_add_numbers(f,
			     &(struct finding){.where = "header: time of the source",
					       .stamp = true,
					       .rule = CURE_PYC_TIME},
			     number(a, TIME_AT), number(b, TIME_AT));
	findings_add_numbers(f, &(struct finding){.where = "header: size of the source"},
			     number(a, SIZE_AT), number(b, SIZE_AT));
}

/* What is in the code first: the path of the source stands in each of its parts. */
static void compare_code(struct findings *f, const struct content *a, const struct content *b)
{
	struct around around;
	bool words = around_difference(a->data + HEADER, a->len - HEADER, b->data + HEADER,
				       b->len - HEADER, &around) &&
		     around.a[0] && around.b[0];
	enum cure_rule cause =
		words ? cause_of(around.a, strlen(around.a), around.b, strlen(around.b))
		      : CURE_NONE;

	if (words && strstr(around.a, ".py") && strstr(around.b, ".py"))
		cause = CURE_PYC_PATH;
	findings_add(f, &(struct finding){.where = "code",
					  .a = words ? around.a : NULL,
					  .b = words ? around.b : NULL,
					  .rule = cause});
}

bool format_pyc(struct findings *f, const struct content *a, const struct content *b)
{
	bool same_code = a->len == b->len &&
			 memcmp(a->data + HEADER, b->data + HEADER, a->len - HEADER) == 0;

	compare_headers(f, a, b);
	if (!same_code)
		compare_code(f, a, b);
	if (!same_code)
		findings_name_kind(f, "Python bytecode: the code");
	else if (memcmp(a->data, b->data, FLAGS_AT) != 0)
		findings_name_kind(f, "Python bytecode: the version of Python in the header");
	else if (number(a, FLAGS_AT) != number(b, FLAGS_AT))
		findings_name_kind(f, "Python bytecode: how the header says to check the source");
	else if (a->data[FLAGS_AT] & FLAG_HASH)
		findings_name_kind(f, "Python bytecode: the source's hash in the header");
	else
		findings_name_kind(f, "Python bytecode: the source's time or size in the header");
	return true;
}
