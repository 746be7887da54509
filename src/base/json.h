/* SPDX-License-Identifier: Apache-2.0
 * JSON: the door to jansson. Documents from outside are parsed with limits; what varve writes is
 * canonical: sorted keys, no spaces, UTF-8, integers only. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <varve/digest.h>
#include <varve/error.h>

struct buf;
struct strv;

enum { JSON_LIMIT = 64 << 20 }; /* bytes of a document that json_read_file accepts */

/* jansson has json_decrefp: CLEANUP(json_decrefp) json_t *doc = NULL; */

/* Parses one document; duplicate keys are refused. what names it in the error:
 * "WHAT:LINE:COLUMN: ..." with -VARVE_E_FORMAT. */
int json_parse(const char *text, size_t len, const char *what, json_t **ret,
	       struct varve_error *err);
int json_read_file(int dirfd, const char *path, json_t **ret, struct varve_error *err);

/* Appends the canonical form; aborts on a real number, which is a programming error here.
 *	value   = object | array | string | integer | "true" | "false" | "null"
 *	object  = "{" [ member *( "," member ) ] "}" ; in order of the keys' bytes
 *	member  = string ":" value
 *	array   = "[" [ value *( "," value ) ] "]"
 *	integer = [ "-" ] digits ; decimal, no leading zero
 *	string  = DQUOTE, UTF-8, DQUOTE
 *
 * Escaped in strings are DQUOTE and backslash (by a backslash) and 0x00 to 0x1f: backslash and
 * b f n r t, else "\u00" and two lower-case digits. Python writes the same with
 * json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False). */
void json_canonical(const json_t *value, struct buf *out);
/* True where there is a real number anywhere: asked of documents from outside before they are
 * written or hashed. */
bool json_has_real(const json_t *value);
/* Whether a string holds these bytes as they are: they are UTF-8. */
bool json_can_say(const char *text);
/* Appends text as a canonical string, for long documents that are written as they come. */
void json_add_string(struct buf *out, const char *text);
void json_digest(const json_t *value, struct varve_digest *ret); /* of the canonical form */

/* Members of an object, checked: a missing (where required) or mistyped member gives
 * -VARVE_E_FORMAT and names it. Strings are borrowed from the object. */
int json_get_string(const json_t *object, const char *key, const char **ret,
		    struct varve_error *err);
int json_get_u64(const json_t *object, const char *key, uint64_t *ret, struct varve_error *err);
int json_get_digest(const json_t *object, const char *key, struct varve_digest *ret,
		    struct varve_error *err);
int json_get_array(const json_t *object, const char *key, json_t **ret_borrowed,
		   struct varve_error *err);
int json_get_object(const json_t *object, const char *key, json_t **ret_borrowed,
		    struct varve_error *err);
const char *json_optional_string(const json_t *object, const char *key, const char *otherwise);

/* Building. Strings that are not UTF-8 are stored with each bad byte as U+FFFD. */
json_t *json_text(const char *text);
json_t *json_of_digest(const struct varve_digest *digest); /* "sha256:..." */
json_t *json_of_strv(const struct strv *v);
void json_set(json_t *object, const char *key, json_t *take_value); /* aborts on failure */
void json_append(json_t *array, json_t *take_value);

#endif
