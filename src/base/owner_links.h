/* SPDX-License-Identifier: Apache-2.0
 * Owners of symlinks, fifos and sockets where only one id is to be had: no such inode can hold a
 * user xattr. While a process works, its table goes by inode and time of birth (a number that was
 * used again is no match); a tree at rest has the list of its paths beside it:
 *
 *	list = *( uid ":" gid " " path NUL )	sorted by path, those of 0:0 left out */
#ifndef BASE_OWNER_LINKS_H
#define BASE_OWNER_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner_links;
struct strv;

/* Also remembers whether a device was met: commands that shall see it as one must be supervised for
 * it (sandbox.h). */
struct owner_links *owner_links_new(void);
void owner_links_free(struct owner_links *links);
size_t owner_links_count(const struct owner_links *links); /* NULL: none */

/* dirfd/name is not followed; an empty name is dirfd itself (which may be an O_PATH descriptor).
 * Functions return 0 or -errno. */
int owner_links_set(struct owner_links *links, int dirfd, const char *name, uint32_t uid,
		    uint32_t gid);
/* false: not in the table, which means 0:0. */
bool owner_links_get(const struct owner_links *links, int dirfd, const char *name,
		     uint32_t *ret_uid, uint32_t *ret_gid);

void owner_links_note_device(struct owner_links *links); /* NULL: nowhere to note it */
bool owner_links_has_devices(const struct owner_links *links);
void owner_links_forget_devices(struct owner_links *links);

/* Enters what a tree's list says; paths that are not there (any more) are passed over. */
int owner_links_load(struct owner_links *links, int tree, const struct strv *list);
/* An inode of a lower layer becomes another one when overlayfs copies it up, which a rename or a
 * touch does behind our back. So all links that were loaded and show in the merged view at root are
 * copied up before a command can. Their new inodes show only when the view is mounted anew: then
 * owner_links_settle enters them. Returns the number of links that were copied up. */
int owner_links_carry(struct owner_links *links, int root);
int owner_links_settle(struct owner_links *links, int root);
/* The list of a tree whose owners are in the table. */
int owner_links_list(const struct owner_links *links, int tree, struct strv *ret);

#endif
