/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_ban.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/socket.h>
#include "sandbox/sandbox_filter.h"

/* socketcall has its arguments in memory, where no filter sees them. */
static int add_rules(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				 SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(socketcall), 0);
	return r;
}

int sandbox_ban_sockets(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? sandbox_filter_add_foreign(filter, seccomp_arch_native()) : -ENOMEM;

	if (r == 0)
		r = add_rules(filter);
	/* Whoever calls says what happens with new privileges. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
