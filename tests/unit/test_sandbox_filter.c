/* SPDX-License-Identifier: Apache-2.0
 * The seccomp programs, run as the kernel would: what happens to which call, on either machine. */
#include "sandbox/sandbox_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/supervise_call.h"

enum action { ALLOWED, NOTIFIED, PRETENDED, REFUSED, KILLED };

/* One step of classic BPF, as far as seccomp uses it (bpf(4), seccomp(2)). */
static bool jump_is_taken(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	default:
		return (a & i->k) != 0;
	}
}

static uint32_t run_program(const struct buf *program, const struct seccomp_data *data)
{
	const struct sock_filter *i = (const void *)program->data;
	const size_t count = program->len / sizeof(*i);
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		switch (BPF_CLASS(i[at].code)) {
		case BPF_LD:
			memcpy(&a, (const char *)data + i[at].k, sizeof(a));
			break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(i[at].code), BPF_AND);
			a &= i[at].k;
			break;
		case BPF_JMP:
			at += BPF_OP(i[at].code) == BPF_JA ? i[at].k
			      : jump_is_taken(&i[at], a)   ? i[at].jt
							   : i[at].jf;
			break;
		case BPF_RET:
			return i[at].k;
		default:
			fail_msg("instruction %zu: 0x%x", at, i[at].code);
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static enum action action_of(uint32_t result)
{
	switch (result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return ALLOWED;
	case SECCOMP_RET_USER_NOTIF:
		return NOTIFIED;
	case SECCOMP_RET_ERRNO:
		return (result & SECCOMP_RET_DATA) == 0 ? PRETENDED : REFUSED;
	default:
		return KILLED;
	}
}

/* In the order of enum sandbox_watch. */
static const struct filter_case {
	const char *name;
	uint64_t args[4];
	enum action wanted[WATCH_KINDS];
} filter_cases[] = {
	{"chown", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, NOTIFIED, NOTIFIED}},
	{"fchownat", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, NOTIFIED, NOTIFIED}},
	{"fchown", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, NOTIFIED, NOTIFIED}},
	{"lchown", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, NOTIFIED, NOTIFIED}},
	{"setresuid", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, PRETENDED, NOTIFIED}},
	{"setgroups", {0}, {ALLOWED, ALLOWED, ALLOWED, PRETENDED, PRETENDED, NOTIFIED}},
	{"getuid", {0}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"newfstatat", {0}, {ALLOWED, ALLOWED, NOTIFIED, ALLOWED, ALLOWED, NOTIFIED}},
	{"statx", {0}, {ALLOWED, ALLOWED, NOTIFIED, ALLOWED, ALLOWED, NOTIFIED}},
	{"fstat", {0}, {ALLOWED, ALLOWED, NOTIFIED, ALLOWED, ALLOWED, NOTIFIED}},
	{"mknodat",
	 {0, 0, S_IFCHR | 0600},
	 {ALLOWED, NOTIFIED, NOTIFIED, ALLOWED, NOTIFIED, NOTIFIED}},
	{"mknodat",
	 {0, 0, S_IFBLK | 0600},
	 {ALLOWED, NOTIFIED, NOTIFIED, ALLOWED, NOTIFIED, NOTIFIED}},
	{"mknodat",
	 {0, 0, S_IFIFO | 0600},
	 {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"mknodat", {0, 0, 0600}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"mknodat",
	 {0, 0, S_IFSOCK | 0600},
	 {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"openat",
	 {0, 0, O_RDWR | O_CREAT},
	 {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"openat", {0, 0, O_RDONLY}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"openat",
	 {0, 0, O_RDONLY | O_DIRECTORY},
	 {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"openat",
	 {0, 0, O_RDWR | O_TMPFILE},
	 {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"mkdirat", {0}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"prctl", {PR_SET_KEEPCAPS}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, NOTIFIED}},
	{"prctl", {PR_SET_NAME}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"io_uring_setup", {0}, {ALLOWED, ALLOWED, REFUSED, ALLOWED, ALLOWED, REFUSED}},
	{"read", {0}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"execve", {0}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
	{"capset", {0}, {ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED}},
};

static const struct {
	uint32_t arch, foreign;
} machines[] = {
	{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386},
	{AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM},
};

static void check_case(const struct buf *program, const struct filter_case *c, uint32_t arch,
		       enum sandbox_watch watch)
{
	struct seccomp_data data = {.arch = arch};
	enum action is;

	data.nr = seccomp_syscall_resolve_name_arch(arch, c->name);
	if (data.nr < 0) /* an old call that this machine never had */
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->args); i++)
		data.args[i] = c->args[i];
	is = action_of(run_program(program, &data));
	if (is != c->wanted[watch])
		fail_msg("%s(0x%lx, .., 0x%lx), machine %x, watch %d: %d", c->name,
			 (unsigned long)c->args[0], (unsigned long)c->args[2], arch, (int)watch,
			 (int)is);
}

static void calls(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(machines); m++) {
		for (int watch = WATCH_NOTHING; watch < WATCH_KINDS; watch++) {
			CLEANUP(buf_release) struct buf program = BUF_INIT;

			assert_int_equal(sandbox_filter_make((enum sandbox_watch)watch,
							     machines[m].arch, &program, NULL),
					 0);
			for (size_t i = 0; i < ARRAY_SIZE(filter_cases); i++)
				check_case(&program, &filter_cases[i], machines[m].arch,
					   (enum sandbox_watch)watch);
		}
	}
}

/* Where only devices are watched the programs of 32 bits may run, and their devices are watched. */
static void foreign_abis(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(machines); m++) {
		struct seccomp_data data = {.arch = machines[m].foreign, .args = {0, S_IFCHR}};
		CLEANUP(buf_release) struct buf one = BUF_INIT, many = BUF_INIT;

		data.nr = seccomp_syscall_resolve_name_arch(data.arch, "mknod");
		assert_int_equal(sandbox_filter_make(WATCH_ALL, machines[m].arch, &one, NULL), 0);
		assert_int_equal(sandbox_filter_make(WATCH_DEVICES, machines[m].arch, &many, NULL),
				 0);
		assert_int_equal(action_of(run_program(&one, &data)), KILLED);
		assert_int_equal(action_of(run_program(&many, &data)), NOTIFIED);
	}
}

/* x32 has the machine's own number and a bit in that of the call. */
static void x32(void **state)
{
	struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = 0x40000000 | 92};
	CLEANUP(buf_release) struct buf program = BUF_INIT;

	(void)state;
	assert_int_equal(sandbox_filter_make(WATCH_ALL, AUDIT_ARCH_X86_64, &program, NULL), 0);
	assert_int_equal(action_of(run_program(&program, &data)), KILLED);
}

static void all_have_handlers(void **state)
{
	(void)state;
	for (const struct watched_call *c = watched_calls; c->name; c++)
		if (!call_find_handler(c->name))
			fail_msg("nobody handles %s", c->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(foreign_abis),
		cmocka_unit_test(x32),
		cmocka_unit_test(all_have_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
