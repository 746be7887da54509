/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

enum { HOPS = 8, BUNDLE_LIMIT = 8 << 20 };

/* Debian, Ubuntu and Alpine; OpenSSL's own default; Fedora; SUSE. */
static const char *const bundles[] = {
	"etc/ssl/certs/ca-certificates.crt",
	"etc/ssl/cert.pem",
	"etc/pki/tls/certs/ca-bundle.crt",
	"etc/ssl/ca-bundle.pem",
};

static char *name_of(int directory)
{
	char link[64], name[PATH_MAX];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	len = readlink(link, name, sizeof(name));
	return len > 0 && (size_t)len < sizeof(name) ? xstrndup(name, (size_t)len) : NULL;
}

/* The path of a directory below root: "" or "/etc". */
static char *name_below(int root, int directory)
{
	CLEANUP(free_ptr) char *top = name_of(root);
	CLEANUP(free_ptr) char *name = name_of(directory);
	size_t len = top ? strlen(top) : 0;

	if (!top || !name || strncmp(name, top, len) != 0 || (name[len] && name[len] != '/'))
		return NULL;
	return xstrdup(name + len);
}

/* One link further: true where there was one, and *path is what it leads to; else *path is the
 * place itself, or NULL. */
static bool follow(int root, char **path)
{
	CLEANUP(free_ptr) char *old = *path;
	CLEANUP(free_ptr) char *above = xstrndup(old, path_dir_len(old));
	CLEANUP(fd_close) int directory = path_open_dir_in(root, above, true);
	CLEANUP(free_ptr) char *name = directory < 0 ? NULL : name_below(root, directory);
	const char *base = path_base(old);
	char link[PATH_MAX];
	ssize_t len;

	*path = NULL;
	if (!name || !path_is_clean(base))
		return false;
	len = readlinkat(directory, base, link, sizeof(link) - 1);
	if (len < 0) {
		*path = xasprintf("%s/%s", name, base);
		return false;
	}
	link[len] = '\0';
	*path = *link == '/' ? xstrdup(link + 1) : xasprintf("%s/%s", name, link);
	return true;
}

char *record_place(int root, const char *path)
{
	char *at = xstrdup(path);
	unsigned hops;

	for (hops = 0; hops < HOPS; hops++)
		if (!follow(root, &at))
			return at;
	free(at);
	return NULL;
}

/* -1: no regular file. */
static int open_place(int root, const char *place)
{
	CLEANUP(free_ptr) char *above = xstrndup(place, path_dir_len(place));
	CLEANUP(fd_close) int directory = path_open_dir_in(root, above, false);
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	if (directory >= 0)
		fd = openat(directory, path_base(place),
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? steal_fd(&fd) : -1;
}

void record_bundles(int root, struct strv *ret_places, struct buf *ret_text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bundles); i++) {
		CLEANUP(free_ptr) char *place = record_place(root, bundles[i]);
		CLEANUP(fd_close) int fd = place ? open_place(root, place) : -1;

		if (fd < 0 || strv_contains(ret_places, place))
			continue;
		if (ret_places->count == 0)
			(void)fd_read_all(fd, BUNDLE_LIMIT, ret_text);
		strv_add(ret_places, place);
	}
	if (ret_text->len > 0 && ret_text->data[ret_text->len - 1] != '\n')
		buf_addc(ret_text, '\n');
}
