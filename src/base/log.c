/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

void log_debug(const char *format, ...)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	int saved = errno;
	va_list args;

	if (!getenv("VARVE_DEBUG"))
		return;
	buf_addstr(&line, "varve: debug: ");
	va_start(args, format);
	buf_addv(&line, format, args);
	va_end(args);
	buf_addc(&line, '\n');
	/* One write, so that lines of several threads and processes do not mix. */
	(void)fd_write_all(STDERR_FILENO, line.data, line.len);
	errno = saved;
}
