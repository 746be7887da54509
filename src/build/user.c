/* SPDX-License-Identifier: Apache-2.0 */
#include "build/user.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <varve/error.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum { USER_FILE_LIMIT = 4 << 20, USER_FIELDS = 7 };

void user_release(struct user *user)
{
	strv_release(&user->groups);
	free(user->home);
	user->home = NULL;
}

/* Splits one line at ':' in place; returns the number of fields. */
static size_t split(char *line, char *fields[USER_FIELDS])
{
	size_t count = 0;

	while (line && count < USER_FIELDS)
		fields[count++] = strsep(&line, ":");
	return count;
}

/* Calls back for each line of a passwd-like text until it returns true. */
typedef bool (*line_match)(char *fields[USER_FIELDS], size_t count, void *cookie);

static bool find_line(const char *text, line_match match, void *cookie)
{
	CLEANUP(free_ptr) char *copy = xstrdup(text);
	char *rest = copy, *line, *fields[USER_FIELDS];

	while ((line = strsep(&rest, "\n")))
		if (*line && match(fields, split(line, fields), cookie))
			return true;
	return false;
}

static bool read_id(const char *text, uint32_t *ret)
{
	unsigned long long value;

	if (!str_to_u64(text, UINT32_MAX - 1, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

struct wanted {
	const char *name; /* NULL: by id */
	uint32_t id, gid;
	char *home;
	struct strv *groups; /* of the user `name`, collected */
};

static bool is_user(char *fields[USER_FIELDS], size_t count, void *cookie)
{
	struct wanted *w = cookie;
	uint32_t uid, gid;

	if (count < 6 || !read_id(fields[2], &uid) || !read_id(fields[3], &gid))
		return false;
	if (w->name ? strcmp(fields[0], w->name) != 0 : uid != w->id)
		return false;
	w->id = uid;
	w->gid = gid;
	w->home = xstrdup(*fields[5] ? fields[5] : "/");
	return true;
}

static bool is_group(char *fields[USER_FIELDS], size_t count, void *cookie)
{
	struct wanted *w = cookie;

	return count >= 3 && strcmp(fields[0], w->name) == 0 && read_id(fields[2], &w->id);
}

/* Adds the group when the user is one of its members; never ends the search. */
static bool collect_group(char *fields[USER_FIELDS], size_t count, void *cookie)
{
	struct wanted *w = cookie;
	char *members = count >= 4 ? fields[3] : NULL, *member;

	while (members && (member = strsep(&members, ",")))
		if (strcmp(member, w->name) == 0)
			strv_add(w->groups, fields[2]);
	return false;
}

static int find_user(const char *name, const char *passwd, const char *group, struct user *ret,
		     struct varve_error *err)
{
	struct wanted w = {.name = name};
	uint32_t id;

	if (read_id(name, &id)) {
		w = (struct wanted){.id = id};
		ret->uid = id;
		if (find_line(passwd, is_user, &w))
			ret->gid = w.gid;
		ret->home = w.home ? w.home : xstrdup(id == 0 ? "/root" : "/");
		return 0;
	}
	if (!find_line(passwd, is_user, &w))
		return varve_error_set(err, -VARVE_E_STEP,
				       "user \"%s\" is not in the image's /etc/passwd", name);
	ret->uid = w.id;
	ret->gid = w.gid;
	ret->home = w.home;
	w.groups = &ret->groups;
	find_line(group, collect_group, &w);
	return 0;
}

int user_parse(const char *text, const char *passwd, const char *group, struct user *ret,
	       struct varve_error *err)
{
	CLEANUP(free_ptr) char *name = xstrdup(text && *text ? text : "0:0");
	char *group_name = strchr(name, ':');
	struct wanted w = {0};
	int r;

	*ret = (struct user){0};
	if (group_name)
		*group_name++ = '\0';
	r = find_user(name, passwd, group, ret, err);
	if (r < 0 || !group_name || read_id(group_name, &ret->gid))
		return r;
	w.name = group_name;
	if (!find_line(group, is_group, &w)) {
		user_release(ret);
		return varve_error_set(err, -VARVE_E_STEP,
				       "group \"%s\" is not in the image's /etc/group", group_name);
	}
	ret->gid = w.id;
	return 0;
}

static void read_in_root(int root, const char *name, struct buf *out)
{
	CLEANUP(fd_close) int etc = path_open_dir_in(root, "etc", false);
	CLEANUP(fd_close) int file = -1;

	if (etc >= 0)
		file = openat(etc, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (file >= 0)
		(void)fd_read_all(file, USER_FILE_LIMIT, out);
}

int user_find(const char *root, const char *text, struct user *ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf passwd = BUF_INIT;
	CLEANUP(buf_release) struct buf group = BUF_INIT;
	CLEANUP(fd_close) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		read_in_root(fd, "passwd", &passwd);
		read_in_root(fd, "group", &group);
	}
	return user_parse(text, buf_text(&passwd), buf_text(&group), ret, err);
}
