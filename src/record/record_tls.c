/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record_tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "record/record_head.h"

static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
	{"TLS_server_method", offsetof(struct record_tls_door, method)},
	{"SSL_CTX_new", offsetof(struct record_tls_door, context_new)},
	{"SSL_CTX_free", offsetof(struct record_tls_door, context_free)},
	{"SSL_CTX_callback_ctrl", offsetof(struct record_tls_door, context_callback)},
	{"SSL_CTX_ctrl", offsetof(struct record_tls_door, context_control)},
	{"SSL_new", offsetof(struct record_tls_door, connection_new)},
	{"SSL_free", offsetof(struct record_tls_door, connection_free)},
	{"SSL_set_fd", offsetof(struct record_tls_door, set_fd)},
	{"SSL_use_certificate", offsetof(struct record_tls_door, use_certificate)},
	{"SSL_use_PrivateKey", offsetof(struct record_tls_door, use_key)},
	{"SSL_get_servername", offsetof(struct record_tls_door, server_name)},
	{"SSL_accept", offsetof(struct record_tls_door, accept)},
	{"SSL_read", offsetof(struct record_tls_door, read)},
	{"SSL_write", offsetof(struct record_tls_door, write)},
	{"SSL_shutdown", offsetof(struct record_tls_door, shutdown)},
};

int record_tls_door_open(struct record_tls_door *ret, struct varve_error *err)
{
	void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	size_t i;

	if (!library)
		return varve_error_set(err, -VARVE_E_HOST,
				       "recording https needs libssl: %s\n"
				       "install it (package libssl3 on Debian and Ubuntu)",
				       dlerror());
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		void *symbol = dlsym(library, functions[i].symbol);

		if (!symbol)
			return varve_error_set(err, -VARVE_E_HOST, "libssl has no %s",
					       functions[i].symbol);
		/* A pointer to a function has the size of one to data here (POSIX, dlsym). */
		memcpy((char *)ret + functions[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

void record_stream_release(struct record_stream *stream)
{
	if (stream->tls) {
		(void)stream->door->shutdown(stream->tls);
		stream->door->connection_free(stream->tls);
	}
	if (stream->context)
		stream->door->context_free(stream->context);
	free(stream->host);
	stream->tls = NULL;
	stream->context = NULL;
	stream->host = NULL;
}

/* Called with the client's first message: now it is known whom it wants. */
static int choose_certificate(SSL *tls, int *alert, void *cookie)
{
	struct record_stream *stream = cookie;
	const char *asked = stream->door->server_name(tls, TLSEXT_NAMETYPE_host_name);
	X509 *certificate;
	int r;

	(void)alert;
	if (asked && record_is_host(asked) && !strchr(asked, ':')) {
		free(stream->host);
		stream->host = xstrdup(asked);
	}
	if (!stream->host)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	certificate = record_authority_sign(stream->authority, stream->host);
	r = certificate && stream->door->use_certificate(tls, certificate) == 1 &&
	    stream->door->use_key(tls, stream->authority->key) == 1;
	X509_free(certificate);
	return r ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool record_stream_secure(struct record_stream *stream, const char *host)
{
	const struct record_tls_door *door = stream->door;

	stream->context = door->context_new(door->method());
	if (!stream->context)
		return false;
	stream->host = host ? xstrdup(host) : NULL;
	(void)door->context_control(stream->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION,
				    NULL);
	(void)door->context_callback(stream->context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
				     (void (*)(void))choose_certificate);
	(void)door->context_control(stream->context, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, stream);
	stream->tls = door->connection_new(stream->context);
	return stream->tls && door->set_fd(stream->tls, stream->fd) == 1 &&
	       door->accept(stream->tls) == 1;
}

bool record_stream_fill(struct record_stream *stream)
{
	size_t room;
	ssize_t n;

	if (stream->start > 0) {
		memmove(stream->data, stream->data + stream->start, stream->end - stream->start);
		stream->end -= stream->start;
		stream->start = 0;
	}
	room = sizeof(stream->data) - stream->end;
	if (room == 0)
		return false;
	do
		n = stream->tls
			    ? stream->door->read(stream->tls, stream->data + stream->end, (int)room)
			    : recv(stream->fd, stream->data + stream->end, room, 0);
	while (n < 0 && !stream->tls && errno == EINTR);
	if (n <= 0)
		return false;
	stream->end += (size_t)n;
	return true;
}

bool record_stream_write(struct record_stream *stream, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		size_t part = len > INT_MAX ? INT_MAX : len;
		ssize_t n = stream->tls ? stream->door->write(stream->tls, at, (int)part)
					: send(stream->fd, at, part, MSG_NOSIGNAL);

		if (n < 0 && !stream->tls && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}
