/* SPDX-License-Identifier: Apache-2.0
 * Contents and attributes of small files, written by threads: the files have been made, in the
 * order of the archive and by one thread, so that names, links and what replaces what never depend
 * on who is first. What is left to do concerns one inode each. */
#ifndef LAYER_LAYER_PLACE_FILES_H
#define LAYER_LAYER_PLACE_FILES_H

#include <stddef.h>
#include <varve/error.h>
#include "layer/layer_place.h"

/* Larger ones are for the caller to write, as they come. */
enum { PLACE_FILES_SIZE = 128 << 10, PLACE_FILES_THREADS = 8 };

struct place_files;

/* place: borrowed. threads: at most PLACE_FILES_THREADS, fewer where the system has no more; 0:
 * place_files_add does the work. */
struct place_files *place_files_new(struct layer_place *place, unsigned threads);
/* Room for the content of the next file, PLACE_FILES_SIZE bytes, until place_files_add. */
unsigned char *place_files_room(struct place_files *f);
/* A file made by layer_place_file; len bytes of content are in the room. path and attributes (which
 * must be without extended ones) are copied. Negative: something failed (place_files_finish
 * tells what), there is no use in going on. */
int place_files_add(struct place_files *f, int take_fd, const char *path, size_t len,
		    const struct place_attributes *a);
/* Waits until all is written. The first failure, in the order of the archive. */
int place_files_finish(struct place_files *f, struct varve_error *err);
void place_files_freep(struct place_files **f);

#endif
