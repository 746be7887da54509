/* SPDX-License-Identifier: Apache-2.0
 * The output of a command that was given secrets, passed on line by line. */
#include "build/secret_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"

enum { BLOCK = 64 << 10, LINE_MAXIMUM = 1 << 20, REPORT_MAXIMUM = 1 << 20, HITS = 16 };

static const char withheld[] = "[varve: this line holds a secret]\n";

/* A line that waits: what follows it may show that it is part of a secret. */
struct waiting {
	char *text; /* with its newline; owned */
	size_t len, folded;
	bool holds; /* part of a secret */
};

struct filter {
	const struct secret_set *set;
	struct secret_scan scan;
	int to;
	struct buf pending; /* of a line that has not ended */
	struct waiting *lines; /* first..count are not passed on yet */
	size_t first, count, alloc;
	size_t behind; /* bytes of all waiting lines, as the second view sees them */
	uint64_t passed; /* lines */
	json_t *hits; /* [line, pattern, form] each */
};

/* The pattern reaches back from its end in the newest line. */
static void on_hit(void *cookie, const struct secret_hit *hit)
{
	struct filter *f = cookie;
	size_t at = f->count - 1, have = hit->end;
	json_t *row = json_array();
	uint64_t line;

	f->lines[at].holds = true;
	while (have < hit->pattern->len && at > f->first) {
		f->lines[--at].holds = true;
		have += hit->folded ? f->lines[at].folded : f->lines[at].len;
	}
	line = f->passed + at - f->first + 1;
	json_append(row, json_integer((json_int_t)line));
	json_append(row, json_integer((json_int_t)(hit->pattern - f->set->items)));
	json_append(row, json_integer(hit->form));
	if (json_array_size(f->hits) < HITS)
		json_append(f->hits, row);
	else
		json_decref(row);
}

static void pass_first(struct filter *f)
{
	struct waiting *line = &f->lines[f->first++];

	f->behind -= line->folded;
	f->passed++;
	/* Whoever reads is gone with us. */
	if (line->holds)
		(void)fd_write_all(f->to, withheld, sizeof(withheld) - 1);
	else
		(void)fd_write_all(f->to, line->text, line->len);
	explicit_bzero(line->text, line->len);
	free(line->text);
}

/* What no pattern that is still to come can reach. */
static void pass(struct filter *f)
{
	while (f->first < f->count && f->behind - f->lines[f->first].folded + 1 >= f->set->longest)
		pass_first(f);
	if (f->first > 0 && f->first * 2 >= f->count) {
		memmove(f->lines, f->lines + f->first, (f->count - f->first) * sizeof(*f->lines));
		f->count -= f->first;
		f->first = 0;
	}
}

static void take_line(struct filter *f, const char *text, size_t len)
{
	struct waiting *line;

	f->lines = array_grow(f->lines, f->count, &f->alloc, sizeof(*f->lines));
	line = &f->lines[f->count++];
	*line = (struct waiting){
		.text = xmalloc(len), .len = len, .folded = secret_folded_len(text, len)};
	memcpy(line->text, text, len);
	f->behind += line->folded;
	secret_scan_feed(&f->scan, text, len);
	pass(f);
}

static void take(struct filter *f, const char *block, size_t len)
{
	const char *end;
	size_t start = 0, whole;

	buf_add(&f->pending, block, len);
	while (start < f->pending.len) {
		end = memchr(f->pending.data + start, '\n', f->pending.len - start);
		if (!end && f->pending.len - start < LINE_MAXIMUM)
			break;
		whole = end ? (size_t)(end - f->pending.data) + 1 - start : f->pending.len - start;
		take_line(f, f->pending.data + start, whole);
		start += whole;
	}
	memmove(f->pending.data, f->pending.data + start, f->pending.len - start);
	f->pending.len -= start;
}

/* In the process of its own. */
static int filter_all(const struct secret_set *set, int from, int to, int report)
{
	struct filter f = {.set = set, .to = to, .scan = {.set = set, .hit = on_hit}};
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	char block[BLOCK];
	ssize_t n;

	f.scan.cookie = &f;
	f.hits = json_array();
	while ((n = read(from, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			take(&f, block, (size_t)n);
	if (f.pending.len > 0)
		take_line(&f, f.pending.data, f.pending.len);
	if (f.count > f.first)
		secret_scan_end(&f.scan);
	while (f.first < f.count)
		pass_first(&f);
	json_canonical(f.hits, &text);
	return fd_write_all(report, text.data, text.len) < 0;
}

int secret_output_begin(struct secret_proof *proof, int to, struct secret_output *ret,
			struct varve_error *err)
{
	CLEANUP(fd_close) int from = -1;
	pid_t parent = getpid(), pid;
	int ends[2], report;

	*ret = (struct secret_output){.to = -1, .report = -1};
	if (!secret_proof_is_needed(proof)) {
		ret->to = to;
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return varve_error_set(err, -errno, "make a pipe");
	from = ends[0];
	pid = process_fork_pipe(&report, err);
	if (pid == 0) {
		(void)close(ends[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? filter_all(&proof->set, from, to, report) : 1);
	}
	if (pid < 0) {
		(void)close(ends[1]);
		return pid;
	}
	*ret = (struct secret_output){.to = ends[1], .report = report, .pid = pid};
	return 0;
}

static int hear(const struct buf *text, struct secret_proof *proof, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *hits = NULL;
	int r = json_parse(buf_text(text), text->len, "search of the output", &hits, err);

	for (size_t i = 0; r == 0 && i < json_array_size(hits); i++) {
		const json_t *hit = json_array_get(hits, i);
		size_t pattern = (size_t)json_integer_value(json_array_get(hit, 1));
		CLEANUP(free_ptr)
		char *place = xasprintf("line %lld of its output",
					(long long)json_integer_value(json_array_get(hit, 0)));

		secret_proof_note(proof, place,
				  &(struct secret_hit){.pattern = &proof->set.items[pattern],
						       .form = (enum secret_form)json_integer_value(
							       json_array_get(hit, 2))});
	}
	return r;
}

int secret_output_end(struct secret_output *output, struct secret_proof *proof,
		      struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r, status;

	if (output->pid <= 0)
		return 0;
	fd_close(&output->to);
	r = fd_read_all(output->report, REPORT_MAXIMUM, &text);
	fd_close(&output->report);
	status = process_wait(output->pid);
	output->pid = 0;
	if (r < 0 || status != 0)
		return varve_error_set(err, -VARVE_E_STEP,
				       "the search of the output for secrets failed");
	return hear(&text, proof, err);
}
