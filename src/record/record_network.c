/* SPDX-License-Identifier: Apache-2.0
 * The step's side: a network of nothing but loopback. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/network.h"
#include "record/record.h"

static const struct {
	uint16_t number;
	int type;
} ports[] = {[RECORD_PROXY] = {3128, SOCK_STREAM},
	     [RECORD_HTTP] = {80, SOCK_STREAM},
	     [RECORD_HTTPS] = {443, SOCK_STREAM},
	     [RECORD_NAMES] = {53, SOCK_DGRAM}};

static int raise_loopback(void)
{
	CLEANUP(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int hand_over(const struct record *record, uint16_t port, int type)
{
	CLEANUP(fd_close) int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0))
		return -errno;
	return fd_send(record->control, fd);
}

int record_enter_network(const struct record *record, struct varve_error *err)
{
	int r = network_cut_privileged();
	size_t i;

	if (r == 0)
		r = raise_loopback();
	for (i = 0; i < ARRAY_SIZE(ports) && r == 0; i++)
		r = hand_over(record, ports[i].number, ports[i].type);
	return r < 0 ? varve_error_set(err, r, "make a network for the recording") : 0;
}

void record_environment(const char *bundle, struct strv *environment)
{
	static const char *const proxies[] = {"http_proxy",  "https_proxy", "HTTP_PROXY",
					      "HTTPS_PROXY", "all_proxy",   "ALL_PROXY"};
	static const char *const bundles[] = {"SSL_CERT_FILE",       "CURL_CA_BUNDLE",
					      "REQUESTS_CA_BUNDLE",  "PIP_CERT",
					      "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(proxies); i++)
		strv_setenv(environment, proxies[i], "http://127.0.0.1:3128");
	strv_setenv(environment, "no_proxy", "");
	strv_setenv(environment, "NO_PROXY", "");
	for (i = 0; i < ARRAY_SIZE(bundles); i++)
		strv_setenv(environment, bundles[i], bundle);
}
