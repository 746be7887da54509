/* SPDX-License-Identifier: Apache-2.0
 * Typed readings of text. */
#include "recipe/recipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

int recipe_boolean(const struct recipe_value *at, const char *text, bool *ret,
		   struct varve_error *err)
{
	static const char *const words[] = {"false", "true", "no", "yes", "0", "1", NULL};

	for (unsigned i = 0; words[i]; i++) {
		if (str_equal(text, words[i])) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return recipe_error(&at->at, err, "\"%s\" is neither true nor false", text);
}

/* An optional minus and digits: strtoll alone would take blanks and a plus. */
static bool is_integer(const char *text)
{
	const char *digits = text[0] == '-' ? text + 1 : text;

	return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

static int bad_integer(const struct recipe_value *at, const char *text, int64_t minimum,
		       int64_t maximum, struct varve_error *err)
{
	if (minimum == INT64_MIN && maximum == INT64_MAX)
		return recipe_error(&at->at, err, "\"%s\" is not a whole number", text);
	if (maximum == INT64_MAX)
		return recipe_error(&at->at, err,
				    "\"%s\" is not a whole number of %" PRId64 " or more", text,
				    minimum);
	if (minimum == INT64_MIN)
		return recipe_error(&at->at, err,
				    "\"%s\" is not a whole number of %" PRId64 " or less", text,
				    maximum);
	return recipe_error(&at->at, err,
			    "\"%s\" is not a whole number from %" PRId64 " to %" PRId64, text,
			    minimum, maximum);
}

int recipe_integer(const struct recipe_value *at, const char *text, int64_t minimum,
		   int64_t maximum, int64_t *ret, struct varve_error *err)
{
	long long number = 0;

	errno = 0;
	if (is_integer(text))
		number = strtoll(text, NULL, 10);
	else
		errno = EINVAL;
	if (errno != 0 || number < minimum || number > maximum)
		return bad_integer(at, text, minimum, maximum, err);
	*ret = number;
	return 0;
}

int recipe_jobs(const struct recipe_value *at, const char *text, int64_t *ret,
		struct varve_error *err)
{
	int64_t number = 0;

	if (str_equal(text, RECIPE_JOBS_AUTO)) {
		*ret = 0;
		return 0;
	}
	if (recipe_integer(at, text, 1, RECIPE_JOBS_MAXIMUM, &number, NULL) < 0)
		return recipe_error(
			&at->at, err,
			"\"%s\" is neither a whole number from 1 to %d nor " RECIPE_JOBS_AUTO, text,
			RECIPE_JOBS_MAXIMUM);
	*ret = number;
	return 0;
}

int recipe_size(const struct recipe_value *at, const char *text, uint64_t *ret,
		struct varve_error *err)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{"", 1},
		{"K", UINT64_C(1) << 10},
		{"kB", UINT64_C(1000)},
		{"M", UINT64_C(1) << 20},
		{"MB", UINT64_C(1000000)},
		{"G", UINT64_C(1) << 30},
		{"GB", UINT64_C(1000000000)},
		{"T", UINT64_C(1) << 40},
		{"TB", UINT64_C(1000000000000)},
	};
	size_t digits = strspn(text, "0123456789"), i = 0;
	CLEANUP(free_ptr) char *number = xstrndup(text, digits);
	unsigned long long value;

	while (i < ARRAY_SIZE(units) && !str_equal(units[i].name, text + digits))
		i++;
	if (i == ARRAY_SIZE(units) || !str_to_u64(number, INT64_MAX / units[i].bytes, &value) ||
	    value == 0)
		return recipe_error(&at->at, err,
				    "\"%s\" is no size: a number of bytes, as 512M or 7GB", text);
	*ret = (uint64_t)value * units[i].bytes;
	return 0;
}
