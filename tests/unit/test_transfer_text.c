/* SPDX-License-Identifier: Apache-2.0
 * The words for a transfer under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/transfer_text.h"

static const struct {
	const char *name;
	double at[4]; /* seconds; 0 ends it but for the first */
	uint64_t done[4], total;
	const char *text;
} rows[] = {
	{"the start", {0}, {0}, 5000000, "0 B of 5.0 MB"},
	{"steady",
	 {0, 1, 2},
	 {0, 1000000, 2000000},
	 5000000,
	 "2.0 MB of 5.0 MB, 1.0 MB/s, 3 s left"},
	{"what was there is not speed",
	 {0, 1},
	 {4000000, 4500000},
	 5000000,
	 "4.5 MB of 5.0 MB, 500.0 kB/s, 1 s left"},
	{"slower of late",
	 {0, 1, 2},
	 {0, 1000000, 1000000},
	 5000000,
	 "1.0 MB of 5.0 MB, 700.0 kB/s, 6 s left"},
	{"minutes", {0, 10}, {0, 1000000}, 61000000, "1.0 MB of 61.0 MB, 100.0 kB/s, 10 min left"},
	{"hours", {0, 10}, {0, 1000000}, 1000000000, "1.0 MB of 1.0 GB, 100.0 kB/s, 2.8 h left"},
	{"the end", {0, 1, 2}, {0, 2500000, 5000000}, 5000000, "5.0 MB of 5.0 MB, 2.5 MB/s"},
	{"a short one", {0, 0.1}, {0, 1000}, 1000, "1.0 kB of 1.0 kB, 10.0 kB/s"},
	{"nobody knows how long", {0, 1}, {0, 1000000}, 0, "1.0 MB, 1.0 MB/s"},
	{"begun again", {0, 1, 2}, {0, 3000000, 0}, 5000000, "0 B of 5.0 MB"},
	{"stuck", {0, 1, 2}, {0, 0, 0}, 5000000, "0 B of 5.0 MB"},
};

static void test_rows(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct transfer transfer = {0};
		char text[TRANSFER_TEXT];

		for (k = 0; k < 4 && (k == 0 || rows[i].at[k] > 0); k++)
			transfer_note(&transfer, rows[i].at[k], rows[i].done[k]);
		transfer_text(&transfer, rows[i].done[k - 1], rows[i].total, text);
		if (strcmp(text, rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].name, text);
	}
}

/* No line of a terminal of 80 columns is too narrow for it (progress_tty.c). */
static void test_width(void **state)
{
	struct transfer transfer = {.begun = true, .rate = 999900000};
	char text[TRANSFER_TEXT];

	(void)state;
	assert_true(strlen(transfer_text(&transfer, 999900000000, 999900000000000, text)) <= 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
					   cmocka_unit_test(test_width)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("transfer_text", tests, NULL, NULL);
}
