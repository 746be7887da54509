/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/in_image.h"

#include <stdlib.h>

#include "base/buf.h"

static void set_default(struct strv *environment, const char *name, const char *value)
{
	if (!strv_getenv(environment, name))
		strv_setenv(environment, name, value);
}

void in_image_environment(const json_t *config, bool terminal, struct strv *ret)
{
	const json_t *list = json_object_get(config, "Env");
	const char *term = getenv("TERM");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_string_value(json_array_get(list, i)))
			strv_add(ret, json_string_value(json_array_get(list, i)));
	set_default(ret, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	set_default(ret, "HOME", "/root");
	if (terminal && term)
		set_default(ret, "TERM", term);
}

static void add_strings(const json_t *list, struct strv *ret)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_string_value(json_array_get(list, i)))
			strv_add(ret, json_string_value(json_array_get(list, i)));
}

void in_image_command(const json_t *config, const struct strv *command, struct strv *ret)
{
	add_strings(json_object_get(config, "Entrypoint"), ret);
	if (command->count > 0)
		strv_extend(ret, command);
	else
		add_strings(json_object_get(config, "Cmd"), ret);
}

void in_image_enter(const struct image *image, struct enter *ret)
{
	const json_t *config = json_object_get(image->config, "config");

	*ret = (struct enter){
		.layers = image->layers,
		.layer_count = image->layer_count,
		.step = PLAN_NONE,
		.workdir = json_optional_string(config, "WorkingDir", ""),
		.user = json_optional_string(config, "User", ""),
		.output = -1,
	};
}
