/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS = 2, WORD_BITS = 32 };

#define CAPABILITY(name)                                                                           \
	{                                                                                          \
#name, name                                                                        \
	}
const struct sandbox_capability sandbox_capabilities[] = {
	CAPABILITY(CAP_CHOWN),
	CAPABILITY(CAP_DAC_OVERRIDE),
	CAPABILITY(CAP_FOWNER),
	CAPABILITY(CAP_FSETID),
	CAPABILITY(CAP_KILL),
	CAPABILITY(CAP_SETGID),
	CAPABILITY(CAP_SETUID),
	CAPABILITY(CAP_SETPCAP),
	CAPABILITY(CAP_NET_BIND_SERVICE),
	CAPABILITY(CAP_NET_RAW),
	CAPABILITY(CAP_SETFCAP),
	CAPABILITY(CAP_SYS_CHROOT),
	CAPABILITY(CAP_AUDIT_WRITE),
	{NULL, 0},
};

static int get(struct __user_cap_data_struct data[WORDS])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

bool sandbox_is_capable(int number)
{
	struct __user_cap_data_struct data[WORDS] = {{0}};

	return get(data) == 0 &&
	       (data[number / WORD_BITS].effective & (UINT32_C(1) << (number % WORD_BITS))) != 0;
}

static bool is_kept(int number)
{
	const struct sandbox_capability *c;

	for (c = sandbox_capabilities; c->name; c++)
		if (c->number == number)
			return true;
	return false;
}

int sandbox_limit_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[WORDS] = {{0}};
	uint32_t kept[WORDS] = {0};
	int i, r = get(data);

	for (i = 0; r == 0 && i < WORDS * WORD_BITS; i++) {
		if (is_kept(i))
			kept[i / WORD_BITS] |= UINT32_C(1) << (i % WORD_BITS);
		/* Those that this kernel does not know are EINVAL. */
		else if (prctl(PR_CAPBSET_DROP, i) < 0 && errno != EINVAL)
			r = -errno;
	}
	for (i = 0; i < WORDS; i++) {
		data[i].permitted &= kept[i];
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (r == 0 && syscall(SYS_capset, &header, data) < 0)
		r = -errno;
	return r;
}
