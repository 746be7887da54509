/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { AUTHORITIES_LIMIT = 4 << 20 };

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Names in the directory, sorted; false where there is none. */
static bool list(const char *path, struct strv *ret)
{
	CLEANUP(close_dir) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = readdir(dir)) != NULL)
		strv_add(ret, entry->d_name);
	strv_sort(ret);
	return true;
}

static int take_certificate(const char *dir, const char *name, struct http_trust *ret,
			    struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *key = xasprintf("%s/%.*s.key", dir, (int)(strlen(name) - strlen(".cert")), name);

	if (access(key, R_OK) < 0)
		return varve_error_set(err, -errno, "%s/%s: its key %s", dir, name, key);
	if (ret->certificate)
		return 0;
	ret->certificate = xasprintf("%s/%s", dir, name);
	ret->key = steal_ptr(&key);
	return 0;
}

static int take_dir(const char *dir, const struct strv *names, struct http_trust *ret,
		    struct varve_error *err)
{
	CLEANUP(buf_release) struct buf authorities = BUF_INIT;
	int r = 0;

	for (size_t i = 0; i < names->count && r == 0; i++) {
		const char *name = names->items[i];
		CLEANUP(free_ptr) char *path = xasprintf("%s/%s", dir, name);

		if (str_ends(name, ".crt")) {
			r = fd_read_file(AT_FDCWD, path, AUTHORITIES_LIMIT, &authorities, err);
			buf_addc(&authorities, '\n');
		} else if (str_ends(name, ".cert")) {
			r = take_certificate(dir, name, ret, err);
		}
	}
	if (authorities.len > 1)
		ret->authorities = buf_steal(&authorities);
	return r < 0 ? r : 0;
}

static void places(const char *host, struct strv *ret)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		strv_addf(ret, "%s/containers/certs.d/%s", config, host);
	if (home && *home == '/')
		strv_addf(ret, "%s/.config/containers/certs.d/%s", home, host);
	strv_addf(ret, "/etc/containers/certs.d/%s", host);
	strv_addf(ret, "/etc/docker/certs.d/%s", host);
}

int registry_trust_find(const char *cert_dir, const char *host, struct http_trust *ret,
			struct varve_error *err)
{
	CLEANUP(strv_release) struct strv dirs = STRV_INIT;

	if (cert_dir)
		strv_add(&dirs, cert_dir);
	else
		places(host, &dirs);
	for (size_t i = 0; i < dirs.count; i++) {
		CLEANUP(strv_release) struct strv names = STRV_INIT;

		if (list(dirs.items[i], &names))
			return take_dir(dirs.items[i], &names, ret, err);
	}
	if (cert_dir)
		return varve_error_set(err, -VARVE_E_USAGE, "--cert-dir %s: cannot be read",
				       cert_dir);
	return 0;
}

/* Where one is there already, another would hide it. */
static const char *best_place(const struct strv *dirs)
{
	for (size_t i = 0; i < dirs->count; i++) {
		if (access(dirs->items[i], F_OK) == 0)
			return dirs->items[i];
	}
	return dirs->items[0];
}

char *registry_trust_place(const char *cert_dir, const char *host)
{
	CLEANUP(strv_release) struct strv dirs = STRV_INIT;

	if (cert_dir)
		return xstrdup(cert_dir);
	places(host, &dirs);
	return xstrdup(best_place(&dirs));
}

int registry_trust_unproven(const char *cert_dir, const char *host, const struct http_trust *trust,
			    struct varve_error *err)
{
	CLEANUP(free_ptr) char *alert = xstrdup(err ? err->text : "");
	CLEANUP(free_ptr) char *place = registry_trust_place(cert_dir, host);

	if (trust->certificate)
		return varve_error_set(err, -VARVE_E_NETWORK,
				       "%s: the server does not take the certificate %s (%.200s)",
				       host, trust->certificate, alert);
	/* Before TLS 1.3 servers say no more than this. */
	if (strcasestr(alert, "handshake failure"))
		varve_error_set(err, -VARVE_E_NETWORK,
				"%s: the server ends the TLS handshake, as one does that wants a "
				"certificate from its clients (%.200s)",
				host, alert);
	else
		varve_error_set(err, -VARVE_E_NETWORK,
				"%s: the server wants a certificate from its clients (TLS), and "
				"there is none",
				host);
	varve_error_hint(err, "put NAME.cert and NAME.key (PEM) into %s", place);
	return -VARVE_E_NETWORK;
}
