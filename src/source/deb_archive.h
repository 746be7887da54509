/* SPDX-License-Identifier: Apache-2.0
 * .deb files (deb(5): an ar archive with control.tar and data.tar) and compressed indexes. The only
 * file of this directory that knows libarchive. */
#ifndef SOURCE_DEB_ARCHIVE_H
#define SOURCE_DEB_ARCHIVE_H

#include <stdbool.h>

#include <varve/error.h>

struct buf;
struct owners;

/* Unpacks data.tar below root as dpkg would: directories that are links inside the root (/bin) are
 * followed, owners, modes (set-id bits too), times and hard links are those of the archive. deb is
 * read from its start. */
int deb_unpack(int deb, int root, const struct owners *owners, struct varve_error *err);
/* The control file's text. */
int deb_control(int deb, struct buf *ret, struct varve_error *err);
/* One field of the control file, without its name; nothing is added when it is not there. */
int deb_control_field(int deb, const char *field, struct buf *ret, struct varve_error *err);
/* The value of a field in a stanza ("Name: value\n more\n"), appended to ret; false when it is
 * absent from it (an empty line ends it). */
bool deb_stanza_field(const char *stanza, const char *field, struct buf *ret);
/* Decompresses a whole file (xz, gz, zst, plain) from one descriptor to another; at most limit
 * bytes. */
int deb_decompress(int from, int to, unsigned long long limit, struct varve_error *err);

#endif
