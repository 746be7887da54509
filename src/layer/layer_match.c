/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_match.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* A pattern that began with "**" and "/": tried at every depth. */
static bool match_below(const char *pattern, const char *path)
{
	for (; path; path = strchr(path, '/') ? strchr(path, '/') + 1 : NULL)
		if (layer_match(pattern, path))
			return true;
	return false;
}

bool layer_match(const char *pattern, const char *path)
{
	CLEANUP(free_ptr) char *directory = NULL;

	if (str_equal(pattern, "**"))
		return true;
	if (str_starts(pattern, "**/"))
		return match_below(pattern + 3, path);
	if (!str_ends(pattern, "/**"))
		return fnmatch(pattern, path, FNM_PATHNAME) == 0;
	directory = xstrndup(pattern, strlen(pattern) - 3);
	return fnmatch(directory, path, FNM_PATHNAME | FNM_LEADING_DIR) == 0;
}

bool layer_match_any(const char *const *patterns, const char *path)
{
	for (size_t i = 0; patterns && patterns[i]; i++)
		if (layer_match(patterns[i], path))
			return true;
	return false;
}
