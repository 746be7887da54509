/* SPDX-License-Identifier: Apache-2.0 */
#include "net/credentials.h"

#include <stdlib.h>
#include <string.h>
#include "base/base64.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "net/credential_helper.h"

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void credentials_release(struct credentials *credentials)
{
	wipe(credentials->user);
	wipe(credentials->secret);
	wipe(credentials->identity_token);
	wipe(credentials->registry_token);
	*credentials = (struct credentials){0};
}

bool credentials_are_none(const struct credentials *c)
{
	return !c->user && !c->identity_token && !c->registry_token;
}

const char *credentials_host(const char *host)
{
	static const char *const docker[] = {"index.docker.io", "registry-1.docker.io"};

	for (size_t i = 0; i < ARRAY_SIZE(docker); i++) {
		if (str_equal(host, docker[i]))
			return "docker.io";
	}
	return host;
}

/* "https://HOST/v1/" of old files is HOST. Caller frees. */
static char *key_name(const char *key)
{
	const char *start = strstr(key, "://");
	CLEANUP(free_ptr) char *name = NULL;
	size_t len;
	char *slash;

	start = start ? start + 3 : key;
	len = strlen(start);
	while (len > 0 && start[len - 1] == '/')
		len--;
	name = xstrndup(start, len);
	if (str_ends(name, "/v1") || str_ends(name, "/v2"))
		name[len - 3] = '\0';
	slash = strchr(name, '/');
	if (!slash)
		return xstrdup(credentials_host(name));
	*slash = '\0';
	return xasprintf("%s/%s", credentials_host(name), slash + 1);
}

/* How much of HOST/REPOSITORY the key covers, in bytes; 0: not it. */
static size_t key_covers(const char *key, const char *full)
{
	CLEANUP(free_ptr) char *name = key_name(key);
	size_t len = strlen(name);

	if (strncmp(full, name, len) != 0 || (full[len] != '\0' && full[len] != '/'))
		return 0;
	return len;
}

static int take_entry(const json_t *entry, struct credentials *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *auth = json_optional_string(entry, "auth", "");
	const char *user = json_optional_string(entry, "username", "");
	const char *identity = json_optional_string(entry, "identitytoken", "");
	const char *token = json_optional_string(entry, "registrytoken", "");
	char *colon;

	if (*auth && base64_decode(auth, &text) == 0 && text.data &&
	    (colon = memchr(text.data, ':', text.len))) {
		ret->user = xstrndup(text.data, (size_t)(colon - text.data));
		ret->secret = xstrdup(colon + 1);
	} else if (*user) {
		ret->user = xstrdup(user);
		ret->secret = xstrdup(json_optional_string(entry, "password", ""));
	}
	if (*identity)
		ret->identity_token = xstrdup(identity);
	if (*token)
		ret->registry_token = xstrdup(token);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return !credentials_are_none(ret);
}

static int take_auths(const json_t *auths, const char *full, struct credentials *ret)
{
	const json_t *best = NULL;
	size_t best_len = 0;
	const char *key;
	json_t *entry;

	json_object_foreach((json_t *)(uintptr_t)auths, key, entry)
	{
		size_t len = key_covers(key, full);

		if (json_is_object(entry) && len > best_len) {
			best = entry;
			best_len = len;
		}
	}
	return best ? take_entry(best, ret) : 0;
}

/* The key under which helpers know Docker's own registry. */
static const char *helper_key(const char *host)
{
	return str_equal(host, "docker.io") ? "https://index.docker.io/v1/" : host;
}

int credentials_in(const json_t *file, const char *host, const char *repository,
		   struct credentials *ret, struct varve_error *err)
{
	const char *own = credentials_host(host);
	CLEANUP(free_ptr) char *full = xasprintf("%s/%s", own, repository ? repository : "");
	const json_t *helpers = json_object_get(file, "credHelpers");
	const char *helper = json_string_value(json_object_get(helpers, host));
	const char *store = json_optional_string(file, "credsStore", "");
	int r = 0;

	if (!helper && str_equal(own, "docker.io"))
		helper = json_string_value(json_object_get(helpers, "docker.io"));
	if (helper)
		return credential_helper_get(helper, helper_key(own), ret, err);
	if (*store)
		r = credential_helper_get(store, helper_key(own), ret, err);
	return r != 0 ? r : take_auths(json_object_get(file, "auths"), full, ret);
}
