/* SPDX-License-Identifier: Apache-2.0
 * libcurl, loaded when the first download starts: with its own libraries it takes about 3 ms to
 * load, which a build that downloads nothing should not pay. [measured, Debian 12: a program that
 * links libcrypto, libarchive and libsolv starts in 2.5 ms, with libcurl in 5.4 ms] */
#ifndef NET_CURL_DOOR_H
#define NET_CURL_DOOR_H

#include <curl/curl.h>

#include <varve/error.h>

/* The functions that are called; all set or none. */
struct curl_door {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	CURLcode (*easy_perform)(CURL *easy);
	void (*easy_reset)(CURL *easy);
	void (*easy_cleanup)(CURL *easy);
	const char *(*easy_strerror)(CURLcode code);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_perform)(CURLM *multi, int *running);
	CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout,
				int *ready);
	CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
	CURLMcode (*multi_cleanup)(CURLM *multi);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
};

/* -VARVE_E_HOST when the library is not there. */
int curl_door_open(struct curl_door *ret, struct varve_error *err);

#endif
