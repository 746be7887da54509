/* SPDX-License-Identifier: Apache-2.0
 * Ids that processes believe they have, where the kernel knows one id only. The kernel carries them
 * for us through fork and exec: the soft limit RLIMIT_LOCKS, which Linux has not looked at since
 * 2.4, is the index of a set of ids. Without one (infinity) a process is 0:0. */
#ifndef SANDBOX_SUPERVISE_IDS_H
#define SANDBOX_SUPERVISE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { IDS_GROUPS = 65536, IDS_SETS = 65536 };
enum ids_kind { IDS_USER, IDS_GROUP };

struct ids_set {
	uint32_t real, effective, saved, file; /* file: for access and new files */
};
struct ids {
	struct ids_set of[2]; /* by enum ids_kind */
	uint32_t *groups; /* supplementary; owned by the table */
	size_t group_count;
	uint64_t keeper; /* PR_SET_KEEPCAPS: the program (inode) that keeps root's rights beyond its
			    ids, until it becomes another one; 0: none */
};
struct ids_table {
	struct ids *items;
	size_t count, alloc;
};

/* The ids of a process; borrowed, valid until the table changes. Never NULL. */
const struct ids *ids_of(const struct ids_table *table, pid_t pid);
/* Gives it others (groups are copied); -EAGAIN when there are too many sets. */
int ids_change(struct ids_table *table, pid_t pid, const struct ids *ids);
bool ids_in_group(const struct ids *ids, uint32_t gid);
void ids_table_release(struct ids_table *table);

/* The rules of setresuid(2) and its kin, pure. -1 keeps an id; privileged: CAP_SETUID or
 * CAP_SETGID. Return 0 or -EPERM. */
int ids_set_one(struct ids_set *set, uint32_t id, bool privileged); /* setuid */
int ids_set_two(struct ids_set *set, uint32_t real, uint32_t effective, bool privileged);
int ids_set_three(struct ids_set *set, const uint32_t ids[3], bool privileged);

#endif
