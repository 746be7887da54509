/* SPDX-License-Identifier: Apache-2.0
 * Commands in an image: what its config says becomes a struct enter. */
#ifndef CLI_IN_IMAGE_H
#define CLI_IN_IMAGE_H

#include "build/enter.h"
#include "cli/session.h"

/* Environment of an image's config, with what varve adds where it is silent (PATH, HOME, TERM). */
void in_image_environment(const json_t *config, bool terminal, struct strv *ret);
/* Entrypoint + (command, or else the config's Cmd). */
void in_image_command(const json_t *config, const struct strv *command, struct strv *ret);
/* Fills the members of an image: layers, workdir, user. The image must outlive it. */
void in_image_enter(const struct image *image, struct enter *ret);

#endif
