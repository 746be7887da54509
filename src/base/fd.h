/* SPDX-License-Identifier: Apache-2.0
 * File descriptors: closing, whole reads and writes, copying. Functions without err return -errno.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct varve_error;

void fd_close(int *fd); /* closes unless negative, sets -1, keeps errno; for CLEANUP */
int steal_fd(int *fd); /* hands the descriptor over, leaves -1 */

int fd_write_all(int fd, const void *data, size_t len);
/* Reads until len bytes or the end; returns the count. */
ssize_t fd_read_full(int fd, void *data, size_t len);
/* Appends everything up to the end; -EFBIG past limit bytes. */
int fd_read_all(int fd, size_t limit, struct buf *buf);
/* Reads DIR/PATH whole (dirfd may be AT_FDCWD). The error names the path. */
int fd_read_file(int dirfd, const char *path, size_t limit, struct buf *buf,
		 struct varve_error *err);
/* Copies the content of a whole file into an empty one: reflink, copy_file_range, else read and
 * write. The sizes must agree at the end, else -ESTALE. */
int fd_copy(int from, int to, uint64_t size);
/* Copies len bytes to the same place in another file; -ESTALE: the first ends before. */
int fd_copy_range(int from, int to, uint64_t at, uint64_t len);
/* mkdir -p: missing components get mode & ~umask. -ENOTDIR where one is there and no directory. */
int fd_mkdir_p(int dirfd, const char *path, mode_t mode);
/* Removes a file or a whole tree, does not follow links, opens up unreadable directories that we
 * own; absent is success. */
int fd_remove_tree(int dirfd, const char *path);
int fd_sync_dir(int dirfd);
/* Hands a descriptor to the process at the other end of a Unix socket; only system calls: may
 * follow a fork. */
int fd_send(int socket, int fd);
/* Returns the descriptor, close-on-exec. -ENOMSG: the other end closed, or sent none. */
int fd_receive(int socket);

#endif
