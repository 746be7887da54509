/* SPDX-License-Identifier: Apache-2.0 */
#include "net/credentials_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/base64.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "net/credential_helper.h"
#include "net/credentials.h"

enum { FILE_LIMIT = 1 << 20 };

static void add(struct strv *ret, const char *dir, const char *name)
{
	if (dir && *dir == '/')
		strv_addf(ret, "%s/%s", dir, name);
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

void credentials_files(const char *authfile, struct strv *ret)
{
	const char *home = variable("HOME"), *config = variable("XDG_CONFIG_HOME");
	const char *docker = variable("DOCKER_CONFIG");

	if (!authfile)
		authfile = variable("REGISTRY_AUTH_FILE");
	if (authfile) {
		strv_add(ret, authfile);
		return;
	}
	add(ret, variable("XDG_RUNTIME_DIR"), "containers/auth.json");
	if (config)
		add(ret, config, "containers/auth.json");
	else
		add(ret, home, ".config/containers/auth.json");
	if (docker)
		strv_addf(ret, "%s/config.json", docker);
	else
		add(ret, home, ".docker/config.json");
	add(ret, home, ".dockercfg");
}

static bool is_bare(const char *path)
{
	return str_equal(path_base(path), ".dockercfg");
}

int credentials_file_read(const char *path, json_t **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *file = NULL;
	struct varve_error why = {0};
	int r;

	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*ret = json_object();
		return 0;
	}
	r = fd_read_file(AT_FDCWD, path, FILE_LIMIT, &text, err);
	if (r < 0)
		return r;
	if (strspn(buf_text(&text), " \t\r\n") == text.len)
		file = json_object();
	else if (json_parse(buf_text(&text), text.len, path, &file, &why) < 0 ||
		 !json_is_object(file))
		r = varve_error_set(err, -VARVE_E_USAGE, "%s is no JSON object with credentials",
				    path);
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (r < 0)
		return r;
	*ret = steal_ptr(&file);
	if (is_bare(path)) {
		json_t *whole = json_object();

		json_set(whole, "auths", *ret);
		*ret = whole;
	}
	return 0;
}

int credentials_find(const char *authfile, const char *host, const char *repository,
		     struct credentials *ret, struct strv *looked_at, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv files = STRV_INIT;
	int r = 0;

	*ret = (struct credentials){0};
	credentials_files(authfile, &files);
	for (size_t i = 0; i < files.count && r == 0; i++) {
		CLEANUP(json_decrefp) json_t *file = NULL;

		strv_add(looked_at, files.items[i]);
		r = credentials_file_read(files.items[i], &file, err);
		if (r == 0)
			r = credentials_in(file, host, repository, ret, err);
	}
	return r < 0 ? r : 0;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static int write_file(const char *path, const json_t *file, struct varve_error *err)
{
	CLEANUP(free_ptr) char *dir = xstrndup(path, path_dir_len(path));
	CLEANUP(tempfile_abort) struct tempfile t = TEMPFILE_INIT;
	CLEANUP(free_ptr) char *text = json_dumps(file, JSON_INDENT(8) | JSON_SORT_KEYS);
	CLEANUP(fd_close) int dirfd = -1;
	int r = 0;

	if (*dir)
		r = fd_mkdir_p(AT_FDCWD, dir, 0700);
	dirfd = r < 0 ? -1 : open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return varve_error_set(err, r < 0 ? r : -errno, "open the directory of %s", path);
	r = tempfile_begin(dirfd, 0600, &t, err);
	if (r == 0)
		r = fd_write_all(t.fd, text, strlen(text));
	if (r == 0)
		r = fd_write_all(t.fd, "\n", 1);
	explicit_bzero(text, strlen(text));
	if (r == 0 && fchmod(t.fd, 0600) < 0)
		r = -errno;
	if (r < 0)
		return varve_error_set(err, r, "write %s", path);
	return tempfile_commit(&t, dirfd, path_base(path), true, true, err);
}

/* What login and logout change. */
static int open_own(const char *authfile, char **ret_path, json_t **ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv files = STRV_INIT;

	credentials_files(authfile, &files);
	if (files.count == 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "no file for credentials: HOME is not set, use --authfile");
	*ret_path = xstrdup(files.items[0]);
	return credentials_file_read(*ret_path, ret, err);
}

static const char *helper_of(const json_t *file, const char *host)
{
	const char *helper =
		json_string_value(json_object_get(json_object_get(file, "credHelpers"), host));

	return helper ? helper : json_optional_string(file, "credsStore", NULL);
}

static json_t *auths_of(json_t *file)
{
	if (!json_is_object(json_object_get(file, "auths")))
		json_set(file, "auths", json_object());
	return json_object_get(file, "auths");
}

int credentials_store(const char *authfile, const char *host, const struct credentials *credentials,
		      char **ret_path, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *file = NULL;
	CLEANUP(free_ptr) char *path = NULL;
	CLEANUP(buf_release) struct buf plain = BUF_INIT;
	CLEANUP(buf_release) struct buf coded = BUF_INIT;
	const char *own = credentials_host(host);
	json_t *entry;
	int r = open_own(authfile, &path, &file, err);

	if (r < 0)
		return r;
	if (helper_of(file, own)) {
		r = credential_helper_store(helper_of(file, own), own, credentials, err);
	} else {
		buf_addf(&plain, "%s:%s", credentials->user, credentials->secret);
		base64_encode(plain.data, plain.len, &coded);
		explicit_bzero(plain.data, plain.len);
		entry = json_object();
		json_set(entry, "auth", json_text(buf_text(&coded)));
		json_set(auths_of(file), own, entry);
		r = write_file(path, file, err);
	}
	if (r == 0)
		*ret_path = steal_ptr(&path);
	return r;
}

int credentials_erase(const char *authfile, const char *host, char **ret_path,
		      struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *file = NULL;
	CLEANUP(free_ptr) char *path = NULL;
	const char *own = credentials_host(host);
	int r = open_own(authfile, &path, &file, err);

	if (r < 0)
		return r;
	if (helper_of(file, own))
		r = credential_helper_erase(helper_of(file, own), own, err);
	else if (json_object_del(auths_of(file), own) < 0)
		r = varve_error_set(err, -VARVE_E_NOT_FOUND, "%s has no credentials for %s", path,
				    own);
	else
		r = write_file(path, file, err);
	if (r == 0)
		*ret_path = steal_ptr(&path);
	return r;
}
