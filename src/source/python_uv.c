/* SPDX-License-Identifier: Apache-2.0 */
#include "source/python_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/tempfile.h"
#include "source/python_index.h"
#include "source/python_name.h"
#include "store/store.h"

#define UV_PROGRAM_LIMIT (512ULL << 20)
enum { UV_OUTPUT = 16 << 20, UV_GLIBC = 17 /* every glibc that varve runs on */ };

static const char uv_dir[] = "caches/.uv"; /* no step's cache can have such a name */

/* --- choosing ----------------------------------------------------------------------------------
 */

/* What is built for musl needs no library, so that it runs in every image; less is better. */
static int rank(const char *file, const struct python_target *target)
{
	CLEANUP(free_ptr) char *end = xasprintf("_%s.whl", target->machine);
	int other = python_rank(file, target);

	if (strstr(file, "-py3-none-musllinux_") && str_ends(file, end))
		return 0;
	return other < 0 ? -1 : other + 1;
}

/* The better of two files of the page: the newer version, then the better suited wheel. */
static bool is_better(const struct python_file *file, const char *version,
		      const struct python_file *best, const char *best_version,
		      const struct python_target *target)
{
	int order = best ? python_compare_versions(version, best_version) : 1;

	return order > 0 || (order == 0 && rank(file->name, target) < rank(best->name, target));
}

static const struct python_file *choose(const struct python_page *page,
					const struct python_target *target, char **ret_version)
{
	const struct python_file *best = NULL;
	size_t i;

	for (i = 0; i < page->count; i++) {
		const struct python_file *file = &page->files[i];
		CLEANUP(free_ptr) char *project = NULL;
		CLEANUP(free_ptr) char *version = NULL;

		if (file->yanked || rank(file->name, target) < 0 ||
		    !python_split(file->name, &project, &version) || !python_is_final(version) ||
		    !is_better(file, version, best, *ret_version, target))
			continue;
		best = file;
		free(*ret_version);
		*ret_version = steal_ptr(&version);
	}
	return best;
}

int python_uv_lock(struct source_context *context, const char *platform, struct lock_source *ret,
		   struct varve_error *err)
{
	CLEANUP(python_page_release) struct python_page page = {0};
	CLEANUP(strv_release) struct strv projects = STRV_INIT;
	CLEANUP(free_ptr) char *version = NULL;
	struct python_target target = {
		.minor = 0, .machine = python_machine(platform), .glibc = UV_GLIBC};
	const struct python_file *file;
	struct lock_artifact *artifact;
	struct varve_digest sha256;
	uint64_t size;
	int r;

	strv_add(&projects, "uv");
	r = python_pages(context, PYTHON_MAIN_INDEX, &projects, &page, err);
	if (r < 0)
		return r;
	file = choose(&page, &target, &version);
	if (!file)
		return varve_error_set(err, -VARVE_E_RESOLVE,
				       "index \"%s\" has no wheel of uv for %s, which is needed to "
				       "resolve and to install",
				       PYTHON_MAIN_INDEX, platform);
	r = python_file_identity(context, file, &sha256, &size, err);
	if (r < 0)
		return r;
	artifact = lock_source_add(ret);
	artifact->name = xstrdup("uv");
	artifact->version = steal_ptr(&version);
	artifact->architecture = python_architecture(file->name);
	artifact->size = size;
	artifact->sha256 = sha256;
	artifact->date = file->date;
	artifact->from = python_from(context, PYTHON_MAIN_INDEX, file);
	artifact->extra = json_object();
	json_set(artifact->extra, "tool", json_text("only"));
	return 0;
}

const struct lock_artifact *python_uv_artifact(const struct lock_source *source)
{
	size_t i;

	for (i = 0; i < source->count; i++)
		if (lock_artifact_is_tool(&source->artifacts[i]))
			return &source->artifacts[i];
	return NULL;
}

/* --- unpacking ---------------------------------------------------------------------------------
 */

static int unpack(struct source_context *context, const struct lock_artifact *wheel, int directory,
		  const char *name, struct varve_error *err)
{
	CLEANUP(tempfile_abort) struct tempfile file = TEMPFILE_INIT;
	CLEANUP(fd_close) int blob = -1;
	int r;

	r = varve_store_open_blob(context->store, &wheel->sha256, &blob, err);
	if (r == 0)
		r = tempfile_begin(directory, 0755, &file, err);
	if (r == 0)
		r = python_wheel_member(blob, ".data/scripts/uv", file.fd, UV_PROGRAM_LIMIT, err);
	if (r == 0 && fchmod(file.fd, 0755) < 0)
		r = varve_error_set(err, -errno, "chmod uv");
	return r < 0 ? r : tempfile_commit(&file, directory, name, true, true, err);
}

int python_uv_program(struct source_context *context, const struct lock_artifact *wheel, char **ret,
		      struct varve_error *err)
{
	CLEANUP(fd_close) int directory = -1;
	char hex[VARVE_DIGEST_HEX];
	CLEANUP(free_ptr)
	char *name = xasprintf("uv-%s", varve_digest_hex(&wheel->sha256, hex));
	int r;

	r = store_open_dir(context->store, uv_dir, &directory, err);
	if (r == 0 && faccessat(directory, name, X_OK, 0) < 0)
		r = unpack(context, wheel, directory, name, err);
	if (r < 0) {
		varve_error_prefix(err, "uv %s", wheel->version);
		return r;
	}
	*ret = xasprintf("%s/%s/%s", store_path(context->store), uv_dir, name);
	return 0;
}

/* --- running -----------------------------------------------------------------------------------
 */

void python_uv_output_release(struct python_uv_output *output)
{
	buf_release(&output->out);
	buf_release(&output->messages);
}

/* What says how servers are reached; nothing else of the caller's surroundings counts. */
static const char *const handed_on[] = {
	"PATH",
	"HOME",
	"USER",
	"LOGNAME",
	"XDG_CONFIG_HOME",
	"http_proxy",
	"https_proxy",
	"no_proxy",
	"all_proxy",
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"NO_PROXY",
	"ALL_PROXY",
	"NETRC",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
	"SSL_CLIENT_CERT",
	"UV_KEYRING_PROVIDER",
	"UV_INSECURE_HOST",
};

static int set_indexes(struct source_context *context, const struct strv *indexes,
		       struct strv *environment, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv others = STRV_INIT;
	CLEANUP(free_ptr) char *words = NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < indexes->count && r == 0; i++) {
		CLEANUP(free_ptr) char *url = NULL;

		r = python_index_url(context, indexes->items[i], &url, err);
		if (r == 0 && i + 1 == indexes->count)
			strv_setenv(environment, "UV_DEFAULT_INDEX", url);
		else if (r == 0)
			strv_addf(&others, "%s=%s", indexes->items[i], url);
	}
	if (r == 0 && others.count > 0) {
		words = strv_join(&others, " ");
		strv_setenv(environment, "UV_INDEX", words);
	}
	return r;
}

static int make_environment(struct source_context *context, const struct strv *indexes,
			    struct strv *ret, struct varve_error *err)
{
	CLEANUP(free_ptr)
	char *cache = xasprintf("%s/%s/cache", store_path(context->store), uv_dir);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(handed_on); i++)
		if (getenv(handed_on[i]))
			strv_setenv(ret, handed_on[i], getenv(handed_on[i]));
	strv_setenv(ret, "UV_CACHE_DIR", cache);
	strv_setenv(ret, "UV_NO_CONFIG", "1");
	strv_setenv(ret, "UV_NO_PROGRESS", "1");
	strv_setenv(ret, "UV_PYTHON_DOWNLOADS", "never");
	/* The host's certificates, as for all other downloads; older versions know the second name.
	 */
	strv_setenv(ret, "UV_SYSTEM_CERTS", "true");
	strv_setenv(ret, "UV_NATIVE_TLS", "true");
	strv_setenv(ret, "NO_COLOR", "1");
	return set_indexes(context, indexes, ret, err);
}

static int read_back(int fd, struct buf *ret)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, UV_OUTPUT, ret);
}

static int run(const struct strv *argv, const struct strv *environment,
	       struct python_uv_output *ret, struct varve_error *err)
{
	CLEANUP(fd_close) int out = memfd_create("output", MFD_CLOEXEC);
	CLEANUP(fd_close) int messages = memfd_create("messages", MFD_CLOEXEC);
	struct process_spec spec = {.argv = (const char *const *)argv->items,
				    .env = (const char *const *)environment->items,
				    .stdin_fd = -1,
				    .stdout_fd = out,
				    .stderr_fd = messages};
	pid_t pid;
	int r;

	if (out < 0 || messages < 0)
		return varve_error_set(err, -errno, "make a buffer for uv");
	r = process_start(&spec, &pid, err);
	if (r < 0)
		return r;
	ret->status = process_wait(pid);
	if (ret->status < 0)
		return varve_error_set(err, ret->status, "wait for uv");
	r = read_back(out, &ret->out);
	if (r == 0)
		r = read_back(messages, &ret->messages);
	return r < 0 ? varve_error_set(err, r, "read what uv says") : 0;
}

int python_uv_run(struct source_context *context, const char *program, const struct strv *arguments,
		  const struct strv *indexes, struct python_uv_output *ret, struct varve_error *err)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int r = make_environment(context, indexes, &environment, err);

	if (r < 0)
		return r;
	strv_add(&argv, program);
	strv_extend(&argv, arguments);
	return run(&argv, &environment, ret, err);
}
