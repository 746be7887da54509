/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/transfer_text.h"

#include <stdio.h>

#include "base/size_text.h"

/* Shorter spans say more of buffers than of the line. */
#define TRANSFER_SPAN 0.5
#define TRANSFER_WEIGHT 0.3 /* of the latest span */

void transfer_note(struct transfer *t, double now, uint64_t done)
{
	double rate;

	if (!t->begun || done < t->done) {
		*t = (struct transfer){
			.begun = true, .start = now, .at = now, .base = done, .done = done};
		return;
	}
	if (now - t->at >= TRANSFER_SPAN) {
		rate = (double)(done - t->done) / (now - t->at);
		t->rate = t->rate > 0 ? t->rate + (rate - t->rate) * TRANSFER_WEIGHT : rate;
		t->at = now;
		t->done = done;
		return;
	}
	/* What ends sooner has its mean. */
	if (t->rate == 0 && now > t->start)
		t->rate = (double)(done - t->base) / (now - t->start);
}

static void seconds_text(double seconds, char *buffer, size_t size)
{
	if (seconds < 60)
		(void)snprintf(buffer, size, "%.0f s", seconds < 1 ? 1 : seconds);
	else if (seconds < 3600)
		(void)snprintf(buffer, size, "%.0f min", seconds / 60);
	else
		(void)snprintf(buffer, size, "%.1f h", seconds / 3600);
}

const char *transfer_text(const struct transfer *t, uint64_t done, uint64_t total,
			  char buffer[TRANSFER_TEXT])
{
	char got[16], all[16], rate[16], left[16];
	int len = snprintf(buffer, TRANSFER_TEXT, "%s", size_text(done, got));

	if (total > 0)
		len += snprintf(buffer + len, TRANSFER_TEXT - (size_t)len, " of %s",
				size_text(total, all));
	if (t->rate < 1)
		return buffer;
	len += snprintf(buffer + len, TRANSFER_TEXT - (size_t)len, ", %s/s",
			size_text((uint64_t)t->rate, rate));
	if (total <= done)
		return buffer;
	seconds_text((double)(total - done) / t->rate, left, sizeof(left));
	(void)snprintf(buffer + len, TRANSFER_TEXT - (size_t)len, ", %s left", left);
	return buffer;
}
