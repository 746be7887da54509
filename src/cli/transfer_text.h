/* SPDX-License-Identifier: Apache-2.0
 * How fast a transfer goes, and how long it will take: "1.2 MB of 5.0 MB, 2.4 MB/s, 2 s left".
 * Pure: whoever asks says what time it is. */
#ifndef CLI_TRANSFER_TEXT_H
#define CLI_TRANSFER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { TRANSFER_TEXT = 80 };

/* All zero at the start. */
struct transfer {
	bool begun;
	double start, at; /* seconds: of the first report, and of the last one that counted */
	uint64_t base, done; /* bytes then: what was there before is not speed */
	double rate; /* bytes a second, of late; 0: not known yet */
};

/* Takes a report in: done bytes at a time in seconds. */
void transfer_note(struct transfer *transfer, double now, uint64_t done);
/* done and total in bytes; total 0: unknown. */
const char *transfer_text(const struct transfer *transfer, uint64_t done, uint64_t total,
			  char buffer[TRANSFER_TEXT]);

#endif
