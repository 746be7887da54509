/* SPDX-License-Identifier: Apache-2.0
 * Files of the image that the recording's own are mounted on: where they really lie, and what those
 * hold that list authorities. No link leads out of the image. */
#ifndef RECORD_RECORD_PLACE_H
#define RECORD_RECORD_PLACE_H

struct buf;
struct strv;

/* Absolute path inside root (a directory's descriptor) of what path ("etc/hosts") stands for, with
 * all links followed; directories that are missing are made. NULL: it leads nowhere. Caller frees.
 */
char *record_place(int root, const char *path);
/* Appends the places of the lists of authorities that the image has, each once, and the first
 * one's text. */
void record_bundles(int root, struct strv *ret_places, struct buf *ret_text);

#endif
