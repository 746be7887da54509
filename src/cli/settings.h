/* SPDX-License-Identifier: Apache-2.0
 * Settings of the machine: /etc/varve/config.json, then $XDG_CONFIG_HOME/varve/config.json (or
 * ~/.config/varve/config.json), whose members win:
 *
 *	{"store":"DIR","scratch":"DIR","mirrors":{"NAME":"URL"},"options":{"[RECIPE.]NAME":"VALUE"},"registry":"HOST/PREFIX",
 *	 "registries":[RULE]}		rules as in registry_rules.h
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/json.h"
#include "base/strv.h"

/* An empty object where there is no file. A wrong file is an error that names it. */
int settings_read(json_t **ret, struct varve_error *err);
/* The members of an object of strings as "NAME=VALUE", sorted by name. */
void settings_pairs(const json_t *settings, const char *member, struct strv *ret);

#endif
