/* SPDX-License-Identifier: Apache-2.0 */
#include <varve/error.h>

#include <stdio.h>
#include <string.h>

/* A text being put together: what does not fit is dropped. */
struct text {
	char bytes[VARVE_ERROR_TEXT];
	size_t len;
};

static void text_addv(struct text *t, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void text_addf(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void text_addv(struct text *t, const char *format, va_list args)
{
	size_t room = sizeof(t->bytes) - t->len;
	int n = vsnprintf(t->bytes + t->len, room, format, args);

	if (n < 0)
		t->bytes[t->len] = '\0';
	else
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void text_addf(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_addv(t, format, args);
	va_end(args);
}

static void text_add_errno(struct text *t, int code)
{
	char buffer[128];

	if (code < 0 && code > -1024)
		text_addf(t, ": %s", strerror_r(-code, buffer, sizeof(buffer)));
}

/* The text was built aside because an argument may point into err->text. */
static void text_store(const struct text *t, struct varve_error *err)
{
	memcpy(err->text, t->bytes, t->len);
	err->text[t->len] = '\0';
}

int varve_error_set(struct varve_error *err, int code, const char *format, ...)
{
	struct text t = {.len = 0};
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	text_addv(&t, format, args);
	va_end(args);
	text_add_errno(&t, code);
	text_store(&t, err);
	err->code = code;
	err->line = 0;
	err->column = 0;
	return code;
}

int varve_error_at(struct varve_error *err, const char *file, unsigned line, unsigned column,
		   const char *format, ...)
{
	struct text t = {.len = 0};
	va_list args;

	if (!err)
		return -VARVE_E_RECIPE;
	text_addf(&t, "%s:%u:%u: ", file, line, column);
	va_start(args, format);
	text_addv(&t, format, args);
	va_end(args);
	text_store(&t, err);
	err->code = -VARVE_E_RECIPE;
	err->line = line;
	err->column = column;
	return -VARVE_E_RECIPE;
}

void varve_error_prefix(struct varve_error *err, const char *format, ...)
{
	struct text t = {.len = 0};
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	text_addv(&t, format, args);
	va_end(args);
	text_addf(&t, ": %s", err->text);
	text_store(&t, err);
}

void varve_error_hint(struct varve_error *err, const char *format, ...)
{
	struct text t = {.len = 0};
	va_list args;

	if (!err)
		return;
	text_addf(&t, "%s\n", err->text);
	va_start(args, format);
	text_addv(&t, format, args);
	va_end(args);
	text_store(&t, err);
}
