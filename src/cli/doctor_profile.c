/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const char text[] =
#include "cli/apparmor.profile.inc"
	;
static const char mark[] = "@PROGRAM@";

int doctor_profile(struct buf *out, struct varve_error *err)
{
	CLEANUP(free_ptr) char *program = realpath("/proc/self/exe", NULL);
	const char *at = strstr(text, mark);

	if (!program)
		return varve_error_set(err, -errno, "find the path of this program in /proc");
	buf_add(out, text, (size_t)(at - text));
	buf_addstr(out, program);
	buf_addstr(out, at + strlen(mark));
	return 0;
}
