/* SPDX-License-Identifier: Apache-2.0
 * The proxy's process: takes connections in, gives each a process of its own, gathers what they
 * tell. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/process.h"
#include "record/record_name.h"
#include "record/record_serve.h"

enum { CHILDREN = 64, PACKET = 128 << 10, EXCHANGES = 20000, GRACE_TICKS = 50, TICK = 100 };
enum { RESULT_LIMIT = 64 << 20 };

struct proxy {
	struct record_service service;
	int control, result, heard; /* heard: the other end of service.told */
	int ports[RECORD_PORTS]; /* -1: not there yet */
	unsigned children;
	json_t *exchanges;
};

static void hear(struct proxy *proxy)
{
	static char packet[PACKET];
	ssize_t n;

	while ((n = recv(proxy->heard, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		json_t *object = NULL;

		if (json_array_size(proxy->exchanges) < EXCHANGES &&
		    json_parse(packet, (size_t)n, "exchange", &object, NULL) == 0)
			json_append(proxy->exchanges, object);
	}
}

/* A name that somebody asks for; whether more comes of it is seen at the end. */
static void tell_name(struct proxy *proxy, const char *name)
{
	CLEANUP(record_exchange_release)
	struct record_exchange exchange = {.method = xstrdup("LOOKUP"),
					   .url = xstrdup(name),
					   .why = xstrdup("nothing came to ports 80 and 443 of it, "
							  "and no other is recorded")};

	if (json_array_size(proxy->exchanges) < EXCHANGES)
		json_append(proxy->exchanges, record_exchange_to_json(&exchange));
}

static void answer_name(struct proxy *proxy)
{
	int fd = proxy->ports[RECORD_NAMES];
	uint8_t query[RECORD_NAME_PACKET], reply[RECORD_NAME_PACKET];
	char name[RECORD_NAME_LIMIT + 1];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);
	size_t len = n > 0 ? record_name_answer(query, (size_t)n, reply, name) : 0;

	if (len == 0)
		return;
	tell_name(proxy, name);
	(void)sendto(fd, reply, len, MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
}

static void take_in(struct proxy *proxy, enum record_port port)
{
	pid_t parent = getpid(), pid;
	int fd = accept4(proxy->ports[port], NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			record_serve(&proxy->service, fd, port);
		_exit(0);
	}
	if (pid > 0)
		proxy->children++;
	(void)close(fd);
}

static void reap(struct proxy *proxy)
{
	while (proxy->children > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		proxy->children--;
}

/* False when the recording is over. */
static bool turn(struct proxy *proxy)
{
	struct pollfd fds[RECORD_PORTS + 2] = {{proxy->control, POLLIN, 0},
					       {proxy->heard, POLLIN, 0}};
	int i, fd;

	for (i = 0; i < RECORD_PORTS; i++)
		fds[i + 2] = (struct pollfd){proxy->children < CHILDREN ? proxy->ports[i] : -1,
					     POLLIN, 0};
	(void)poll(fds, RECORD_PORTS + 2, TICK);
	reap(proxy);
	hear(proxy);
	for (i = 0; i < RECORD_PORTS; i++)
		if (fds[i + 2].revents && i == RECORD_NAMES)
			answer_name(proxy);
		else if (fds[i + 2].revents)
			take_in(proxy, (enum record_port)i);
	if (!fds[0].revents)
		return true;
	fd = fd_receive(proxy->control);
	for (i = 0; i < RECORD_PORTS && fd >= 0 && proxy->ports[i] >= 0; i++)
		;
	if (fd >= 0 && i < RECORD_PORTS)
		proxy->ports[i] = fd;
	return fd >= 0;
}

static void proxy_main(struct proxy *proxy)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int i;

	proxy->exchanges = json_array();
	while (turn(proxy))
		;
	for (i = 0; i < GRACE_TICKS && proxy->children > 0; i++) {
		(void)poll(&(struct pollfd){proxy->heard, POLLIN, 0}, 1, TICK);
		hear(proxy);
		reap(proxy);
	}
	hear(proxy);
	json_canonical(proxy->exchanges, &text);
	(void)fd_write_all(proxy->result, buf_text(&text), text.len);
}

static int open_service(struct proxy *proxy, char **ret_certificate, struct varve_error *err)
{
	int ends[2], r;

	r = curl_door_open(&proxy->service.curl, err);
	if (r == 0)
		r = record_tls_door_open(&proxy->service.tls, err);
	if (r == 0)
		r = record_authority_make(&proxy->service.authority, err);
	if (r < 0)
		return r;
	*ret_certificate = record_authority_pem(&proxy->service.authority);
	if (!*ret_certificate)
		return varve_error_set(err, -VARVE_E_HOST, "OpenSSL cannot write a certificate");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return varve_error_set(err, -errno, "make a socket");
	proxy->heard = ends[0];
	proxy->service.told = ends[1];
	return 0;
}

static int start(struct proxy *proxy, struct record *record, struct varve_error *err)
{
	pid_t parent = getpid();
	int ends[2];

	record->result = memfd_create("varve-record", MFD_CLOEXEC);
	if (record->result < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return varve_error_set(err, -errno, "make a socket");
	record->control = ends[0];
	proxy->control = ends[1];
	proxy->result = record->result;
	record->pid = fork();
	if (record->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd_close(&record->control);
		if (getppid() == parent)
			proxy_main(proxy);
		_exit(0);
	}
	fd_close(&proxy->control);
	return record->pid < 0 ? varve_error_set(err, -errno, "start a process") : 0;
}

int record_start(struct varve_store *store, struct record *ret, struct varve_error *err)
{
	struct proxy proxy = {.service = {.store = store, .told = -1}, .control = -1, .heard = -1};
	int i, r;

	for (i = 0; i < RECORD_PORTS; i++)
		proxy.ports[i] = -1;
	r = open_service(&proxy, &ret->certificate, err);
	if (r == 0)
		r = start(&proxy, ret, err);
	record_authority_release(&proxy.service.authority);
	fd_close(&proxy.heard);
	fd_close(&proxy.service.told);
	return r;
}

int record_finish(struct record *record, struct record_log *ret, struct varve_error *err)
{
	CLEANUP(json_decrefp) json_t *list = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct record_exchange exchange;
	size_t i;
	int r;

	fd_close(&record->control);
	(void)process_wait(record->pid);
	record->pid = 0;
	if (lseek(record->result, 0, SEEK_SET) < 0 ||
	    fd_read_all(record->result, RESULT_LIMIT, &text) < 0 || text.len == 0)
		return varve_error_set(err, -VARVE_E_HOST, "the recording proxy died");
	r = json_parse(buf_text(&text), text.len, "recording", &list, err);
	for (i = 0; r == 0 && i < json_array_size(list); i++)
		if (record_exchange_from_json(json_array_get(list, i), &exchange) == 0)
			record_log_add(ret, &exchange);
	return r;
}

void record_release(struct record *record)
{
	if (record->pid > 0) {
		(void)kill(record->pid, SIGKILL);
		(void)process_wait(record->pid);
	}
	fd_close(&record->control);
	fd_close(&record->result);
	free(record->certificate);
	*record = (struct record)RECORD_INIT;
}
