/* SPDX-License-Identifier: Apache-2.0
 * `install` of Debian packages. dpkg of the image itself unpacks and configures, in the sandbox.
 * Where nothing is below there is no dpkg yet: the essential packages are laid out first, then
 * installed over themselves, so that dpkg knows them and their scripts have run. */
#include "build/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "build/install_batches.h"
#include "build/mounts.h"
#include "source/deb_archive.h"

/* Arguments: the batch of essential packages ("" where dpkg is there already), then the others.
 * Their dependencies cannot be in order in the first one: all of it is unpacked before anything is
 * configured. fsync is left out: the layer is synced when it is done. Nobody can be asked about a
 * configuration file that the image has already: it stays, as dpkg proposes. */
static const char install_script[] =
	"cd /run/varve/debs\n"
	"set -f\n"
	"options='--force-unsafe-io --force-confdef --force-confold --no-debsig --log=/dev/null'\n"
	"if [ -n \"$1\" ]; then dpkg $options --force-depends --install $1; fi\n"
	"shift\n"
	"for batch; do dpkg $options --install $batch; done\n"
	"dpkg $options --configure --pending\n"
	"left=$(dpkg --audit)\n"
	"[ -z \"$left\" ] || { echo \"$left\"; exit 1; }\n";

/* What scripts find there, and the layer does not: no service is started while an image is built,
 * and a mail server asks this file for the sandbox's host name where no resolver knows it. */
static const struct stand_in {
	const char *name, *target, *text;
	mode_t mode;
} stand_ins[] = {
	{"policy-rc.d", "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0755},
	{"hostname", "/etc/hostname", "build\n", 0644},
};

/* Debian keeps /bin and the like as links into /usr; before base-files of Debian 13 no package
 * brought them, whoever made the root had to. */
static int link_usr(int root, struct varve_error *err)
{
	static const char *const names[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_ptr) char *target = xasprintf("usr/%s", names[i]);
		int r = fd_mkdir_p(root, target, 0755);

		if (r == 0 && symlinkat(target, root, names[i]) < 0)
			r = -errno;
		if (r < 0)
			return varve_error_set(err, r, "make /%s", names[i]);
	}
	return 0;
}

/* What dpkg expects to find. */
static int make_database(int root, struct varve_error *err)
{
	static const char *const files[] = {"var/lib/dpkg/status", "var/lib/dpkg/available"};
	static const char *const directories[] = {"var/lib/dpkg/info", "var/lib/dpkg/updates",
						  "var/lib/dpkg/triggers", "var/cache", "var/log"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories); i++) {
		int r = fd_mkdir_p(root, directories[i], 0755);

		if (r < 0)
			return varve_error_set(err, r, "make /%s", directories[i]);
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(fd_close)
		int fd = openat(root, files[i], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0)
			return varve_error_set(err, -errno, "make /%s", files[i]);
	}
	return 0;
}

static int lay_out(struct step *step, const struct lock_artifact *artifact, struct varve_error *err)
{
	CLEANUP(fd_close) int deb = -1;
	int r;

	r = varve_store_open_blob(step->build->store, &artifact->sha256, &deb, err);
	if (r == 0)
		r = deb_unpack(deb, step->upper, &step->build->host->owners, err);
	if (r < 0)
		varve_error_prefix(err, "package %s", artifact->name);
	return r;
}

/* One after the other: of a directory that several packages bring, the first one's attributes stay.
 */
static int bootstrap(struct step *step, const struct lock_source *source, struct varve_error *err)
{
	size_t i;
	int r;

	r = link_usr(step->upper, err);
	for (i = 0; i < source->count && r == 0; i++)
		if (install_is_essential(&source->artifacts[i]))
			r = lay_out(step, &source->artifacts[i], err);
	return r < 0 ? r : make_database(step->upper, err);
}

static int read_pre_depends(struct step *step, const struct lock_artifact *artifact,
			    struct buf *ret, struct varve_error *err)
{
	CLEANUP(fd_close) int deb = -1;
	int r;

	r = varve_store_open_blob(step->build->store, &artifact->sha256, &deb, err);
	return r < 0 ? r : deb_control_field(deb, "Pre-Depends", ret, err);
}

static int make_batches(struct step *step, const struct lock_source *source, bool bootstrapped,
			struct strv *ret, struct varve_error *err)
{
	struct install_batches batches;
	size_t i;
	int r = 0;

	install_batches_begin(&batches, ret);
	for (i = 0; i < source->count && r == 0; i++) {
		CLEANUP(buf_release) struct buf pre_depends = BUF_INIT;
		const struct lock_artifact *artifact = &source->artifacts[i];
		bool essential = bootstrapped && install_is_essential(artifact);

		if (!essential)
			r = read_pre_depends(step, artifact, &pre_depends, err);
		if (r == 0)
			install_batches_add(&batches, artifact, essential, buf_text(&pre_depends));
	}
	install_batches_end(&batches);
	return r;
}

static int write_stand_in(struct step *step, const struct stand_in *file, struct mounts *mounts,
			  struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = path_join(step->job.path, file->name);
	int r;

	r = tempfile_write(step->job.dirfd, file->name, file->text, strlen(file->text), false, err);
	if (r == 0 && fchmodat(step->job.dirfd, file->name, file->mode, 0) < 0)
		r = varve_error_set(err, -errno, "chmod %s", path);
	if (r == 0)
		mounts_add(mounts, path, file->target, false);
	return r;
}

static int prepare(struct step *step, bool bootstrapped, const struct lock_source *source,
		   struct mounts *mounts, struct varve_error *err)
{
	CLEANUP(free_ptr) char *path = NULL;
	bool is_file;
	size_t i;
	int r;

	r = mounts_content(step, &step->plan->from, "debs", &path, &is_file, err);
	if (r == 0 && bootstrapped)
		r = bootstrap(step, source, err);
	for (i = 0; i < ARRAY_SIZE(stand_ins) && r == 0; i++)
		r = write_stand_in(step, &stand_ins[i], mounts, err);
	if (r == 0)
		mounts_add(mounts, path, "/run/varve/debs", false);
	return r;
}

int step_install(struct step *step, struct varve_error *err)
{
	const struct plan_source *source =
		&step->build->plan->sources.items[step->plan->from.index];
	bool bootstrapped = json_is_true(json_object_get(source->spec, "bootstrap"));
	CLEANUP(mounts_release) struct mounts mounts = {0};
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	struct sandbox_spec spec;
	int r;

	r = prepare(step, bootstrapped, source->locked, &mounts, err);
	if (r < 0)
		return r;
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-euc");
	strv_add(&argv, install_script);
	strv_add(&argv, "varve-install");
	r = make_batches(step, source->locked, bootstrapped, &argv, err);
	if (r < 0)
		return r;
	spec = (struct sandbox_spec){
		.binds = mounts.binds,
		.bind_count = mounts.count,
		.environment = &step->plan->environment,
		.workdir = "/",
		.argv = &argv,
	};
	return step_command(step, &spec, err);
}
