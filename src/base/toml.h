/* SPDX-License-Identifier: Apache-2.0
 * TOML 1.0, read into the data model of JSON: what container tools keep their settings in. Tables
 * become objects, arrays of tables arrays of objects. Dates, times and numbers that are no plain
 * decimal integers become strings as they were written. Lenient in one thing: the header of a table
 *may stand twice. Pure.
 *
 *	document = *( [ header / pair ] [ "#" comment ] newline )
 *	header   = "[" key "]" / "[[" key "]]"
 *	pair     = key "=" value
 *	key      = part *( "." part ) ; part: letters, digits, "_" and "-", or a quoted string
 *	value    = string / "true" / "false" / number or date / "[" values "]" / "{" pairs "}" */
#ifndef BASE_TOML_H
#define BASE_TOML_H

#include "base/json.h"

enum { TOML_LIMIT = 1 << 20, TOML_DEPTH = 32 };

/* what names the document in errors: "WHAT:LINE: ..." with -VARVE_E_FORMAT. */
int toml_parse(const char *text, size_t len, const char *what, json_t **ret,
	       struct varve_error *err);

#endif
