/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/cause.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* What is being looked at; ctype of the C locale, in which the program runs. */
struct text {
	const char *start, *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool starts_word(const struct text *t)
{
	return t->at == t->start || !is_word(t->at[-1]);
}

static size_t digits(const char *at, const char *end)
{
	const char *p = at;

	while (p < end && is_digit(*p))
		p++;
	return (size_t)(p - at);
}

/* Length of a shape at p: '0' stands for a digit, the rest for itself; 0: another. */
static size_t shape(const char *p, const char *end, const char *form)
{
	size_t len = strlen(form);

	if ((size_t)(end - p) < len)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (form[i] == '0' ? !is_digit(p[i]) : p[i] != form[i])
			return 0;
	return len;
}

static size_t one_of(const char *p, const char *end, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(end - p) >= len && memcmp(p, words[i], len) == 0)
			return len;
	}
	return 0;
}

/* --- matchers: the length of what is at t->at, 0: nothing of this kind ---------------------------
 */

/* "Nov 25", "November  5": the day belongs to it, as its width varies. */
static size_t match_month(const struct text *t)
{
	static const char *const names[] = {
		"January", "February", "March",    "April", "June", "July", "August", "September",
		"October", "November", "December", "Jan",   "Feb",  "Mar",  "Apr",    "May",
		"Jun",     "Jul",      "Aug",      "Sep",   "Oct",  "Nov",  "Dec"};
	size_t len = one_of(t->at, t->end, names, ARRAY_SIZE(names));
	const char *p = t->at + len;
	size_t day;

	if (len == 0 || (p < t->end && is_word(*p)))
		return 0;
	while (p < t->end && *p == ' ')
		p++;
	day = digits(p, t->end);
	return day == 1 || day == 2 ? (size_t)(p - t->at) + day : len;
}

static size_t match_weekday(const struct text *t)
{
	static const char *const names[] = {
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
		"Mon",    "Tue",     "Wed",       "Thu",      "Fri",    "Sat",      "Sun"};
	size_t len = one_of(t->at, t->end, names, ARRAY_SIZE(names));

	return len > 0 && (t->at + len == t->end || !is_word(t->at[len])) ? len : 0;
}

static size_t match_zone(const struct text *t)
{
	static const char *const names[] = {"UTC", "GMT", "CEST", "CET", "AM", "PM"};
	size_t len = one_of(t->at, t->end, names, ARRAY_SIZE(names));

	return len > 0 && (t->at + len == t->end || !is_word(t->at[len])) ? len : 0;
}

/* With what follows of a time: ":32.5", "Z", "+0100". */
static size_t with_rest(const struct text *t, size_t len)
{
	const char *p = t->at + len;

	if (p < t->end && (*p == '.' || *p == ',') && digits(p + 1, t->end) > 0)
		p += 1 + digits(p + 1, t->end);
	if (p < t->end && *p == 'Z')
		p++;
	else if (shape(p, t->end, "+00:00") || shape(p, t->end, "-00:00"))
		p += 6;
	return (size_t)(p - t->at);
}

static size_t match_number_of_time(const struct text *t)
{
	static const char *const forms[] = {
		"0000-00-00T00:00:00", "0000-00-00", "0000/00/00", "00/00/0000",
		"00000000T000000",     "00:00:00",   "00:00"};
	size_t count = digits(t->at, t->end);
	bool century = count >= 4 && ((t->at[0] == '1' && t->at[1] == '9') ||
				      (t->at[0] == '2' && t->at[1] == '0'));

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t len = shape(t->at, t->end, forms[i]);

		if (len > 0 && digits(t->at + len, t->end) == 0)
			return with_rest(t, len);
	}
	if (count == 10 && (t->at[0] == '1' || t->at[0] == '2')) /* seconds since 1970 */
		return with_rest(t, count);
	return century && (count == 4 || count == 8 || count == 14) ? count : 0;
}

static size_t match_time(const struct text *t)
{
	static size_t (*const matchers[])(const struct text *) = {match_number_of_time, match_month,
								  match_weekday, match_zone};

	for (size_t i = 0; i < ARRAY_SIZE(matchers) && starts_word(t); i++) {
		size_t len = matchers[i](t);

		if (len > 0)
			return len;
	}
	return 0;
}

static size_t run_of(const char *p, const char *end, const char *also)
{
	const char *start = p;

	while (p < end && *p && (is_word(*p) || strchr(also, *p)))
		p++;
	return (size_t)(p - start);
}

/* Of mktemp, Python's tempfile, gcc. */
static size_t match_temporary(const struct text *t)
{
	static const char *const starts[] = {"/tmp/", "/var/tmp/", "tmp.", "tmp", "cc"};
	static const size_t least[] = {1, 1, 6, 8, 6};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		size_t len = one_of(t->at, t->end, &starts[i], 1), rest;

		if (len == 0 || !starts_word(t))
			continue;
		rest = run_of(t->at + len, t->end, *starts[i] == '/' ? ".-+" : "");
		if (rest >= least[i])
			return len + rest;
	}
	return 0;
}

static size_t match_host(const struct text *t)
{
	size_t user = run_of(t->at, t->end, ".-+"), host;

	if (!starts_word(t) || user == 0 || t->at + user == t->end || t->at[user] != '@')
		return 0;
	host = run_of(t->at + user + 1, t->end, ".-");
	return host > 0 ? user + 1 + host : 0;
}

/* Behind a letter no path begins, but for an option's: "-I/usr/include". */
static bool starts_path(const struct text *t)
{
	if (*t->at != '/')
		return false;
	if (t->at == t->start || !(is_word(t->at[-1]) || strchr("/.", t->at[-1])))
		return true;
	return t->at - t->start >= 2 && is_word(t->at[-1]) && t->at[-2] == '-';
}

/* An absolute path up to its last component. */
static size_t match_path(const struct text *t)
{
	const char *p = t->at, *last = p;

	if (!starts_path(t))
		return 0;
	for (; p < t->end && *p && (is_word(*p) || strchr("/.-+~@%", *p)); p++)
		if (*p == '/')
			last = p;
	return last > t->at ? (size_t)(last - t->at) : (size_t)(p - t->at);
}

/* Hex digits with dashes, or letters mixed with digits. */
static size_t match_random(const struct text *t)
{
	size_t len = run_of(t->at, t->end, "-"), digit_count = 0, other_count = 0;

	for (size_t i = 0; i < len; i++) {
		digit_count += is_digit(t->at[i]);
		other_count += !isxdigit((unsigned char)t->at[i]) && t->at[i] != '-';
	}
	if (!starts_word(t) || len < 8)
		return 0;
	return (digit_count > 0 && other_count == 0) || (len >= 16 && digit_count > 2) ? len : 0;
}

/* No part of a word or of a version. */
static size_t match_number(const struct text *t)
{
	size_t len = digits(t->at, t->end);
	const char *next = t->at + len;

	if (len < 2 || !starts_word(t) || (t->at > t->start && t->at[-1] == '.'))
		return 0;
	return next == t->end || (!is_word(*next) && *next != '.') ||
			       (*next == '.' && (next + 1 == t->end || !is_digit(next[1])))
		       ? len
		       : 0;
}

/* --- comparing -----------------------------------------------------------------------------------
 */

/* The text with everything that matches replaced by one byte that no text has. */
static void mask(const char *text, size_t len, size_t (*match)(const struct text *),
		 struct buf *out)
{
	struct text t = {text, text, text + len};

	while (t.at < t.end) {
		size_t n = match(&t);

		buf_addc(out, (char)(n > 0 ? '\1' : *t.at));
		t.at += n > 0 ? n : 1;
	}
}

static bool equal_but_for(const char *a, size_t a_len, const char *b, size_t b_len,
			  size_t (*match)(const struct text *))
{
	CLEANUP(buf_release) struct buf left = BUF_INIT;
	CLEANUP(buf_release) struct buf right = BUF_INIT;

	mask(a, a_len, match, &left);
	mask(b, b_len, match, &right);
	return left.len == right.len && left.len > 0 &&
	       memcmp(left.data, right.data, left.len) == 0;
}

enum cure_rule cause_of(const char *a, size_t a_len, const char *b, size_t b_len)
{
	static const struct {
		size_t (*match)(const struct text *);
		enum cure_rule rule;
	} causes[] = {
		{match_time, CURE_TIMESTAMP}, {match_temporary, CURE_TEMPORARY_NAME},
		{match_host, CURE_HOST_NAME}, {match_path, CURE_BUILD_PATH},
		{match_random, CURE_RANDOM},  {match_number, CURE_PROCESS_ID},
	};

	a_len = a_len < CAUSE_MAX ? a_len : CAUSE_MAX;
	b_len = b_len < CAUSE_MAX ? b_len : CAUSE_MAX;
	if (a_len == b_len && memcmp(a, b, a_len) == 0)
		return CURE_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (equal_but_for(a, a_len, b, b_len, causes[i].match))
			return causes[i].rule;
	return CURE_NONE;
}
