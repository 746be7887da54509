/* SPDX-License-Identifier: Apache-2.0
 * An HTTP server on 127.0.0.1 that fails as told: request number n to it (over all its connections)
 * is answered by step n of its script, the last one repeated. Each connection is served by a child,
 * so that one that stalls holds up no other. Include after <cmocka.h>. */
#ifndef TESTS_FAULT_SERVER_H
#define TESTS_FAULT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "scratch.h"

enum { FAULT_STEPS = 6, FAULT_REQUESTS = 64, FAULT_REQUEST_TEXT = 1024 };

enum fault {
	FAULT_NONE, /* 200, or 206 where a range is asked for */
	FAULT_RESET, /* the connection is reset after value bytes */
	FAULT_TRUNCATE, /* closed after value bytes, Content-Length says more */
	FAULT_SHORT, /* closed after value bytes, no Content-Length */
	FAULT_STATUS, /* an answer of status value with a body */
	FAULT_WAIT, /* status 429 with Retry-After: value */
	FAULT_NO_RANGE, /* the whole file whatever was asked */
	FAULT_BAD_RANGE, /* 206 with a Content-Range that begins at value */
	FAULT_REDIRECT, /* 302 to the same path */
	FAULT_FOREIGN, /* 302 to a file:// URL */
	FAULT_LONG, /* value more bytes than the file has, no Content-Length */
	FAULT_WRONG, /* as many bytes, but others; ranges are honoured */
	FAULT_STALL, /* nothing more after value bytes */
	FAULT_ENDLESS, /* an answer of status value whose body never ends */
};

struct fault_step {
	enum fault fault;
	unsigned value;
};

struct fault_log {
	atomic_uint count;
	char requests[FAULT_REQUESTS][FAULT_REQUEST_TEXT];
};

struct fault_server {
	const struct fault_step *script; /* FAULT_STEPS of them */
	const char *content;
	size_t len;
	int listener;
	pid_t pid;
	unsigned port;
	struct fault_log *log; /* shared with the children */
};

static inline void fault_send(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static inline void fault_answer_error(int fd, const struct fault_step *step)
{
	CLEANUP(free_ptr) char *extra = NULL;
	CLEANUP(free_ptr) char *head = NULL;
	bool plain = step->fault == FAULT_STATUS || step->fault == FAULT_ENDLESS;
	unsigned status = plain ? step->value : 302;

	if (step->fault == FAULT_WAIT) {
		status = 429;
		extra = xasprintf("Retry-After: %u\r\n", step->value);
	} else if (status == 302) {
		extra = xasprintf("Location: %s\r\n",
				  step->fault == FAULT_REDIRECT ? "/file" : "file:///etc/hostname");
	}
	if (step->fault == FAULT_ENDLESS)
		head = xasprintf("HTTP/1.1 %u Said\r\nConnection: close\r\n\r\n", status);
	else
		head = xasprintf("HTTP/1.1 %u Said\r\n%sContent-Length: 9\r\n"
				 "Connection: close\r\n\r\nerror bod",
				 status, extra ? extra : "");
	fault_send(fd, head, strlen(head));
	while (step->fault == FAULT_ENDLESS && send(fd, head, strlen(head), MSG_NOSIGNAL) > 0)
		;
}

static inline void fault_reset(int fd)
{
	struct linger linger = {1, 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The answer with bytes of the file, as far as the fault lets it. */
static inline void fault_answer_file(const struct fault_server *s, int fd,
				     const struct fault_step *step, size_t from)
{
	CLEANUP(free_ptr) char *body = xcalloc(1, s->len + 4096);
	CLEANUP(buf_release) struct buf head = BUF_INIT;
	bool open_end = step->fault == FAULT_SHORT || step->fault == FAULT_LONG;
	bool broken = step->fault == FAULT_RESET || step->fault == FAULT_TRUNCATE ||
		      step->fault == FAULT_SHORT || step->fault == FAULT_STALL;
	size_t first = step->fault == FAULT_BAD_RANGE ? step->value : from;
	size_t len = s->len - from;

	memcpy(body, s->content, s->len);
	if (step->fault == FAULT_WRONG)
		memset(body, 'x', s->len);
	buf_addf(&head, "HTTP/1.1 %s\r\nETag: \"one\"\r\nConnection: close\r\n",
		 from > 0 ? "206 Partial" : "200 OK");
	buf_addstr(&head, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	if (!open_end)
		buf_addf(&head, "Content-Length: %zu\r\n", len);
	if (from > 0)
		buf_addf(&head, "Content-Range: bytes %zu-%zu/%zu\r\n", first, s->len - 1, s->len);
	buf_addstr(&head, "\r\n");
	fault_send(fd, head.data, head.len);
	if (broken)
		len = step->value < len ? step->value : len;
	else if (step->fault == FAULT_LONG)
		len += step->value;
	fault_send(fd, body + from, len);
	if (step->fault == FAULT_RESET) {
		usleep(50000); /* what was sent would be lost with the connection */
		fault_reset(fd);
	} else if (step->fault == FAULT_STALL) {
		sleep(5);
	}
}

static inline void fault_serve(const struct fault_server *s, int fd)
{
	char request[FAULT_REQUEST_TEXT] = "";
	size_t len = 0, from = 0;
	const struct fault_step *step;
	const char *range;
	unsigned index;

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
	}
	index = atomic_fetch_add(&s->log->count, 1);
	memcpy(s->log->requests[index % FAULT_REQUESTS], request, sizeof(request));
	step = &s->script[index < FAULT_STEPS ? index : FAULT_STEPS - 1];
	range = strcasestr(request, "\r\nRange: bytes=");
	if (range && step->fault != FAULT_NO_RANGE)
		from = (size_t)strtoull(range + strlen("\r\nRange: bytes="), NULL, 10);
	if (step->fault == FAULT_STATUS || step->fault == FAULT_WAIT ||
	    step->fault == FAULT_REDIRECT || step->fault == FAULT_FOREIGN ||
	    step->fault == FAULT_ENDLESS)
		fault_answer_error(fd, step);
	else
		fault_answer_file(s, fd, step, from < s->len ? from : 0);
}

static inline void fault_accept(const struct fault_server *s)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	for (unsigned n = 0; n < 1000; n++) {
		int fd = accept(s->listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			fault_serve(s, fd);
			close(fd);
			_exit(0);
		}
		close(fd);
	}
	_exit(0);
}

static inline void fault_server_start(struct fault_server *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->log = mmap(NULL, sizeof(*s->log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->log != MAP_FAILED && s->listener >= 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->listener, 64), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
	s->port = ntohs(address.sin_port);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		fault_accept(s);
}

static inline void fault_server_stop(struct fault_server *s)
{
	assert_int_equal(kill(s->pid, SIGKILL), 0);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
	close(s->listener);
	munmap(s->log, sizeof(*s->log));
}

#endif
