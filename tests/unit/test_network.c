/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/process.h"

static int listen_somewhere(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof(*ret)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static bool can_connect(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (const struct sockaddr *)to, sizeof(*to));

	(void)close(fd);
	return r == 0;
}

/* 0: the listener is out of reach and the ids are as before. */
static int try_cut(const struct sockaddr_in *to)
{
	uid_t uid = geteuid();
	struct varve_error err = {0};

	if (!can_connect(to))
		return 2;
	if (network_cut(&err) < 0)
		return 77;
	return can_connect(to) || geteuid() != uid ? 1 : 0;
}

static void test_cut(void **state)
{
	struct sockaddr_in address;
	int fd = listen_somewhere(&address), status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(try_cut(&address));
	status = process_wait(pid);
	(void)close(fd);
	if (status == 77)
		skip(); /* no namespaces here */
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
