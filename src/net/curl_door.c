/* SPDX-License-Identifier: Apache-2.0 */
#include "net/curl_door.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
	{"curl_global_init", offsetof(struct curl_door, global_init)},
	{"curl_easy_init", offsetof(struct curl_door, easy_init)},
	{"curl_easy_setopt", offsetof(struct curl_door, easy_setopt)},
	{"curl_easy_getinfo", offsetof(struct curl_door, easy_getinfo)},
	{"curl_easy_perform", offsetof(struct curl_door, easy_perform)},
	{"curl_easy_reset", offsetof(struct curl_door, easy_reset)},
	{"curl_easy_cleanup", offsetof(struct curl_door, easy_cleanup)},
	{"curl_easy_strerror", offsetof(struct curl_door, easy_strerror)},
	{"curl_multi_init", offsetof(struct curl_door, multi_init)},
	{"curl_multi_add_handle", offsetof(struct curl_door, multi_add_handle)},
	{"curl_multi_remove_handle", offsetof(struct curl_door, multi_remove_handle)},
	{"curl_multi_perform", offsetof(struct curl_door, multi_perform)},
	{"curl_multi_poll", offsetof(struct curl_door, multi_poll)},
	{"curl_multi_info_read", offsetof(struct curl_door, multi_info_read)},
	{"curl_multi_cleanup", offsetof(struct curl_door, multi_cleanup)},
	{"curl_slist_append", offsetof(struct curl_door, slist_append)},
	{"curl_slist_free_all", offsetof(struct curl_door, slist_free_all)},
};

int curl_door_open(struct curl_door *ret, struct varve_error *err)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
	void *library = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return varve_error_set(err, -VARVE_E_HOST,
				       "downloads need libcurl: %s\n"
				       "install it (package libcurl4 on Debian and Ubuntu)",
				       dlerror());
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		void *symbol = dlsym(library, functions[i].symbol);

		if (!symbol)
			return varve_error_set(err, -VARVE_E_HOST, "libcurl has no %s",
					       functions[i].symbol);
		/* A pointer to a function has the size of one to data here (POSIX, dlsym). */
		memcpy((char *)ret + functions[i].offset, &symbol, sizeof(symbol));
	}
	return ret->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
		       ? 0
		       : varve_error_set(err, -VARVE_E_HOST, "libcurl cannot be initialised");
}
