/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a wheel that a member is taken from, and as what uv prints and requirements hold. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "source/python_pins.h"
#include "source/python_uv.h"

enum { MEMBER_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_texts(const char *text)
{
	CLEANUP(python_pins_release) struct python_pins pins = {0};
	CLEANUP(python_pins_release) struct python_pins dry = {0};
	struct varve_error err;

	(void)python_pins_parse(text, &pins, &err);
	(void)python_pins_parse_dry_run(text, &dry, &err);
	(void)python_requirements_check(text, "requirements.txt", &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(fd_close) int wheel = memfd_create("wheel", MFD_CLOEXEC);
	CLEANUP(fd_close) int to = memfd_create("member", MFD_CLOEXEC);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct varve_error err;

	buf_add(&text, data, size);
	read_texts(buf_text(&text));
	if (wheel >= 0 && to >= 0 && fd_write_all(wheel, data, size) == 0)
		(void)python_wheel_member(wheel, "/scripts/uv", to, MEMBER_LIMIT, &err);
	return 0;
}
