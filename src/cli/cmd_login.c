/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/cli_options.h"
#include "cli/remote.h"
#include "net/credentials.h"
#include "net/http_url.h"
#include "registry/registry.h"

enum { SECRET_LIMIT = 64 << 10 };

static int read_stdin(char **ret, struct varve_error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int r = fd_read_all(STDIN_FILENO, SECRET_LIMIT, &text);

	if (r < 0)
		return varve_error_set(err, r, "read the password from standard input");
	*ret = xstrndup(buf_text(&text), strcspn(buf_text(&text), "\r\n"));
	if (text.data)
		explicit_bzero(text.data, text.len);
	return 0;
}

/* A line from the terminal; hidden: without showing it. */
static int ask(const char *prompt, bool hidden, char **ret, struct varve_error *err)
{
	struct termios before, silent;
	size_t size = 0;
	ssize_t len;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "nobody can be asked for the %s: use -u USER and "
				       "--password-stdin",
				       prompt);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s: ", prompt);
	if (hidden)
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	len = getline(ret, &size, stdin);
	if (hidden) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (len <= 0)
		return varve_error_set(err, -VARVE_E_USAGE, "no %s was given", prompt);
	(*ret)[strcspn(*ret, "\r\n")] = '\0';
	return 0;
}

static int get_credentials(const struct cli_values *values, struct credentials *ret,
			   struct varve_error *err)
{
	int r = 0;

	if (values->user)
		ret->user = xstrdup(values->user);
	else
		r = ask("user name", false, &ret->user, err);
	if (r == 0 && values->password_stdin)
		r = read_stdin(&ret->secret, err);
	else if (r == 0)
		r = ask("password", true, &ret->secret, err);
	if (r < 0)
		return r;
	if (!ret->user || !*ret->user || strchr(ret->user, ':') || !ret->secret || !*ret->secret)
		return varve_error_set(err, -VARVE_E_USAGE,
				       "a user name (without \":\") and a password are needed");
	return 0;
}

/* The registry itself, not a repository: the answer to /v2/ tells whether they are right. */
static int try_login(const struct remote *remote, const char *host, const struct credentials *c,
		     struct varve_error *err)
{
	CLEANUP(registry_closep) struct registry *registry = NULL;
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	CLEANUP(http_answer_release) struct http_answer answer = {0};
	CLEANUP(free_ptr) char *url = NULL;
	struct registry_settings settings = remote->settings;
	struct reference reference = {.host = xstrdup(host), .repository = xstrdup("")};
	struct registry_call call = {.method = "GET"};
	int r;

	settings.user = c->user;
	settings.secret = c->secret;
	r = registry_open(&settings, &reference, false, &registry, err);
	reference_release(&reference);
	if (r == 0)
		r = http_client_new(&client, err);
	if (r < 0)
		return r;
	url = xasprintf("%s/v2/", registry_origin(registry));
	call.path = url;
	r = registry_call(registry, client, &call, &answer, err);
	if (r == 0 && answer.status != 200)
		return registry_complain(registry, &answer, err, "log in");
	return r;
}

int cmd_login(struct cli *cli, struct varve_error *err)
{
	CLEANUP(remote_release) struct remote remote = {.uploads = -1};
	CLEANUP(credentials_release) struct credentials credentials = {0};
	CLEANUP(free_ptr) char *path = NULL;
	const char *host = cli->arguments.items[0];
	int r = reference_check_host(host, err);

	if (r == 0)
		r = remote_open(&remote, cli, false, err);
	if (r == 0)
		r = get_credentials(&cli->values, &credentials, err);
	if (r == 0)
		r = try_login(&remote, host, &credentials, err);
	if (r == 0)
		r = credentials_store(cli->values.authfile, host, &credentials, &path, err);
	if (r == 0)
		printf("logged in to %s as %s (%s)\n", host, credentials.user, path);
	return r;
}

int cmd_logout(struct cli *cli, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = NULL;
	const char *host = cli->arguments.items[0];
	int r = reference_check_host(host, err);

	if (r == 0)
		r = credentials_erase(cli->values.authfile, host, &path, err);
	if (r == 0)
		printf("logged out of %s (%s)\n", host, path);
	return r;
}
