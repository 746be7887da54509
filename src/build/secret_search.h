/* SPDX-License-Identifier: Apache-2.0
 * Searching bytes for secrets, in the forms that programs write them in. Pure.
 *
 *	bytes of a secret -> secret_set_add -> patterns -> secret_scan_feed, part by part -> hits
 *
 * Forms: as it is; base64 at each of the three places where a byte may begin, in both alphabets;
 *hexadecimal in both cases; URL-encoded, whatever was encoded. The last one is seen by looking
 *twice: at the bytes, and at what they are without ends of lines and with every %XX decoded. So
 *base64 that was broken into lines is seen too. */
#ifndef BUILD_SECRET_SEARCH_H
#define BUILD_SECRET_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

enum {
	SECRET_MINIMUM = 8, /* bytes: shorter ones are found in anything */
	SECRET_MAXIMUM = 64 << 10, /* of a longer one this much is searched for */
};

enum secret_form { SECRET_PLAIN, SECRET_BASE64, SECRET_HEX, SECRET_URL };
const char *secret_form_text(enum secret_form form); /* "in base64" */

struct secret_pattern {
	unsigned char *bytes; /* owned; wiped */
	size_t len;
	size_t secret; /* which one, counted from 0 in the order they were added */
	enum secret_form form;
};

/* Patterns, and the table that says how far one may skip: two bytes that are in no pattern's first
 * window bytes are passed over with all before them (Wu and Manber). */
struct secret_set {
	struct secret_pattern *items;
	size_t count, alloc;
	size_t secrets; /* how many were added */
	size_t window, longest; /* bytes: of the shortest pattern (at most 255), and the longest */
	unsigned char *skip; /* by two bytes; NULL before secret_set_ready */
};

/* len: without what ends its last line. False: it is too short to be searched for; its number is
 * taken all the same. */
bool secret_set_add(struct secret_set *set, const void *data, size_t len);
void secret_set_ready(struct secret_set *set); /* after the last one */
void secret_set_release(struct secret_set *set); /* usable with CLEANUP */

struct secret_hit {
	const struct secret_pattern *pattern;
	enum secret_form form;
	bool folded; /* seen in the second view */
	size_t end; /* how many bytes of the part that was fed it reaches into, as seen there */
};

/* One stream. The memory it takes depends on the longest pattern and the largest part. */
struct secret_scan {
	const struct secret_set *set;
	void (*hit)(void *cookie, const struct secret_hit *hit);
	void *cookie;
	struct buf plain, folded; /* the last bytes of each view */
	char held[2]; /* "%" or "%4" at the end of a part */
	size_t held_len;
};
void secret_scan_begin(struct secret_scan *scan); /* another stream */
void secret_scan_feed(struct secret_scan *scan, const void *data, size_t len);
/* What was held back at the end of a part may be all there is. */
void secret_scan_end(struct secret_scan *scan);
void secret_scan_release(struct secret_scan *scan); /* usable with CLEANUP */
void secret_wipe(struct buf *buf); /* clears what it held and releases it; usable with CLEANUP */
/* Bytes of the folded view that data alone gives. */
size_t secret_folded_len(const char *data, size_t len);

#endif
