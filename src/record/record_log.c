/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record.h"

#include <stdlib.h>

#include "base/buf.h"

void record_exchange_release(struct record_exchange *exchange)
{
	free(exchange->method);
	free(exchange->url);
	free(exchange->location);
	free(exchange->type);
	free(exchange->python);
	free(exchange->why);
	*exchange = (struct record_exchange){0};
}

void record_log_release(struct record_log *log)
{
	size_t i;

	for (i = 0; i < log->count; i++)
		record_exchange_release(&log->items[i]);
	free(log->items);
	*log = (struct record_log){0};
}

void record_log_add(struct record_log *log, struct record_exchange *take)
{
	log->items = array_grow(log->items, log->count, &log->alloc, sizeof(*log->items));
	log->items[log->count++] = *take;
	*take = (struct record_exchange){0};
}

json_t *record_exchange_to_json(const struct record_exchange *exchange)
{
	json_t *object = json_object();

	json_set(object, "method", json_text(exchange->method));
	json_set(object, "url", json_text(exchange->url));
	json_set(object, "status", json_integer((json_int_t)exchange->status));
	json_set(object, "type", json_text(exchange->type ? exchange->type : ""));
	json_set(object, "size", json_integer((json_int_t)exchange->size));
	if (exchange->location)
		json_set(object, "location", json_text(exchange->location));
	if (!varve_digest_is_none(&exchange->sha256))
		json_set(object, "sha256", json_of_digest(&exchange->sha256));
	if (exchange->python)
		json_set(object, "python", json_text(exchange->python));
	if (exchange->why)
		json_set(object, "why", json_text(exchange->why));
	return object;
}

static char *optional(const json_t *object, const char *key)
{
	const char *text = json_optional_string(object, key, NULL);

	return text ? xstrdup(text) : NULL;
}

int record_exchange_from_json(const json_t *object, struct record_exchange *ret)
{
	const char *method, *url, *type;
	uint64_t status, size;

	if (json_get_string(object, "method", &method, NULL) < 0 ||
	    json_get_string(object, "url", &url, NULL) < 0 ||
	    json_get_string(object, "type", &type, NULL) < 0 ||
	    json_get_u64(object, "status", &status, NULL) < 0 ||
	    json_get_u64(object, "size", &size, NULL) < 0)
		return -VARVE_E_FORMAT;
	*ret = (struct record_exchange){.method = xstrdup(method),
					.url = xstrdup(url),
					.type = xstrdup(type),
					.status = (unsigned)status,
					.size = size,
					.location = optional(object, "location"),
					.python = optional(object, "python"),
					.why = optional(object, "why")};
	if (json_object_get(object, "sha256"))
		(void)json_get_digest(object, "sha256", &ret->sha256, NULL);
	return 0;
}
