/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_surroundings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <varve/version.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "sandbox/sandbox_cause.h"

enum { FILE_LIMIT = 64 << 10, MEMBER_SIZE = 128, LINK_SIZE = 256 };

bool sandbox_status_member(const char *text, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name);
	const char *line;

	for (line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		(void)snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

static void add_file(json_t *object, const char *name, const char *path)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (fd_read_file(AT_FDCWD, path, FILE_LIMIT, &text, NULL) < 0)
		buf_reset(&text);
	json_set(object, name, json_text(buf_text(&text)));
}

static void add_status(json_t *object)
{
	static const char *const names[] = {"Seccomp", "Seccomp_filters", "NoNewPrivs", "CapEff",
					    "CapBnd"};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char value[MEMBER_SIZE];
	size_t i;

	(void)fd_read_file(AT_FDCWD, "/proc/self/status", FILE_LIMIT, &text, NULL);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (sandbox_status_member(buf_text(&text), names[i], value, sizeof(value)))
			json_set(object, names[i], json_text(value));
}

static void add_namespaces(json_t *object)
{
	static const char *const names[] = {"user", "mnt", "pid"};
	char path[MEMBER_SIZE], target[LINK_SIZE];
	ssize_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		len = readlink(path, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		json_set(object, path + strlen("/proc/self/"), json_text(target));
	}
}

static void add_settings(json_t *object)
{
	struct sandbox_settings s;

	sandbox_settings_read(&s);
	json_set(object, "max_user_namespaces", json_integer(s.max_user_namespaces));
	json_set(object, "unprivileged_userns_clone", json_integer(s.unprivileged_userns_clone));
	json_set(object, "apparmor_restrict", json_integer(s.apparmor_restrict));
	json_set(object, "container", json_integer(s.container));
	json_set(object, "chrooted", json_integer(s.chrooted));
}

/* A file is the same while its place and its times are. */
static void add_stat(json_t *object, const char *name, const char *path)
{
	char text[MEMBER_SIZE] = "";
	struct stat st;

	if (path && stat(path, &st) == 0)
		(void)snprintf(text, sizeof(text), "%llu:%llu %o %lld.%09ld %lld.%09ld",
			       (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
			       st.st_mode, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	json_set(object, name, json_text(text));
}

static void add_programs(json_t *object)
{
	static const char *const names[] = {"bwrap", "newuidmap", "newgidmap"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_ptr) char *path = process_find(names[i]);
		CLEANUP(free_ptr) char *times = xasprintf("%s times", names[i]);

		json_set(object, names[i], json_text(path ? path : ""));
		add_stat(object, times, path);
	}
}

static void add_store(json_t *object, int store_dirfd)
{
	struct statfs fs = {0};
	struct stat st = {0};

	(void)fstatfs(store_dirfd, &fs);
	(void)fstat(store_dirfd, &st);
	json_set(object, "store device", json_integer((json_int_t)st.st_dev));
	json_set(object, "store type", json_integer((json_int_t)fs.f_type));
	json_set(object, "store flags", json_integer((json_int_t)fs.f_flags));
}

/* Whether we are in a chroot; what happens in the directory is of no account. */
static void add_root(json_t *object)
{
	struct stat st = {0};

	(void)stat("/", &st);
	json_set(object, "root device", json_integer((json_int_t)st.st_dev));
	json_set(object, "root inode", json_integer((json_int_t)st.st_ino));
}

json_t *sandbox_surroundings(int store_dirfd)
{
	json_t *object = json_object();

	add_file(object, "boot", "/proc/sys/kernel/random/boot_id");
	add_file(object, "label", "/proc/self/attr/current");
	add_file(object, "uids", "/proc/self/uid_map");
	add_file(object, "gids", "/proc/self/gid_map");
	json_set(object, "uid", json_integer(geteuid()));
	json_set(object, "gid", json_integer(getegid()));
	add_status(object);
	add_namespaces(object);
	add_settings(object);
	add_programs(object);
	add_root(object);
	add_stat(object, "/etc/passwd", "/etc/passwd");
	add_stat(object, "/etc/subuid", "/etc/subuid");
	add_stat(object, "/etc/subgid", "/etc/subgid");
	add_store(object, store_dirfd);
	json_set(object, "varve", json_text(varve_version()));
	return object;
}

char *sandbox_surroundings_name(const json_t *surroundings)
{
	struct varve_digest digest;
	char hex[VARVE_DIGEST_HEX];

	json_digest(surroundings, &digest);
	return xasprintf("host/%s", varve_digest_hex(&digest, hex));
}
