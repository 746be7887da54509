/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/cure.h"

#include <fnmatch.h>
#include "base/buf.h"
#include "base/cleanup.h"

static const struct cure cures[CURE_COUNT] = {
	[CURE_COMPRESSOR] =
		{"compressor", "another compressor, level or version of it",
		 "compare diff ids; fix compressor, level and version where blobs must agree"},
	[CURE_ENTRY_ORDER] = {"entry-order", "a directory was read in the order of the file system",
			      "sort names before writing (tar --sort=name)"},
	[CURE_TAR_HEADERS] = {"tar-headers", "another program or format wrote the tar",
			      "write both with the same program and format"},
	[CURE_WHITEOUT_FORM] = {"whiteout-form", "deletions were written in another form",
				"nothing: what they leave is the same"},
	[CURE_FILE_TIME] =
		{"file-time", "files carry the time of the build",
		 "clamp times to SOURCE_DATE_EPOCH (varve does; tar --mtime --clamp-mtime)"},
	[CURE_IMAGE_DATE] = {"image-date", "the image says when it was made",
			     "set SOURCE_DATE_EPOCH for the build"},
	[CURE_OWNER] =
		{"owner", "files belong to whoever built",
		 "chown in the step, or write owners as numbers (tar --owner=0 --group=0 --numeric-owner)"},
	[CURE_UMASK] = {"umask", "modes follow the builder's umask",
			"set umask 022, or modes explicitly (install -m)"},
	[CURE_TIMESTAMP] =
		{"timestamp", "the time of the build is written into a file",
		 "use SOURCE_DATE_EPOCH in its place (date -u -d @$SOURCE_DATE_EPOCH), or leave it out"},
	[CURE_BUILD_PATH] = {"build-path", "the directory of the build is written into a file",
			     "build in a fixed directory, or write relative paths"},
	[CURE_TEMPORARY_NAME] = {"temporary-name",
				 "the random name of a temporary file is written into a file",
				 "use a fixed name in place of mktemp's, or leave it out"},
	[CURE_HOST_NAME] =
		{"host-name", "the builder's user and host are written into a file",
		 "leave them out, or fix them (hostname of the sandbox, KBUILD_BUILD_USER and the like)"},
	[CURE_RANDOM] = {"random", "a random identifier is written into a file",
			 "derive it from the content, or fix the seed"},
	[CURE_PROCESS_ID] =
		{"process-id",
		 "a number that changes with each run, as a process id, is written into a file",
		 "leave it out, or use a fixed name"},
	[CURE_LINE_ORDER] =
		{"line-order",
		 "the same lines in another order: of a directory, a hash table, or parallel jobs",
		 "sort (LC_ALL=C sort), set PYTHONHASHSEED=0, write one file per job"},
	[CURE_LOCALE_SORT] = {"locale-sort", "lines are sorted by the rules of a locale",
			      "sort with LC_ALL=C"},
	[CURE_LINE_ENDS] = {"line-ends",
			    "lines end in CR LF on one side, as git's core.autocrlf writes them",
			    "set core.autocrlf=false, or eol=lf in .gitattributes"},
	[CURE_JSON_ORDER] =
		{"json-order",
		 "the same JSON value, its members in another order or with other spaces",
		 "write sorted keys (json.dumps(sort_keys=True), jq -S)"},
	[CURE_GCC_DATE] =
		{"gcc-date", "__DATE__ or __TIME__ is compiled in",
		 "set SOURCE_DATE_EPOCH for the compiler, or do not use them (-Werror=date-time)"},
	[CURE_GCC_PATH] =
		{"gcc-path", "the build directory is compiled in (__FILE__, debug information)",
		 "-ffile-prefix-map=DIR=. (and -fdebug-prefix-map), or build in a fixed directory"},
	[CURE_GCC_SEED] =
		{"gcc-seed",
		 "the compiler made symbols of random numbers (LTO, coverage, anonymous namespaces)",
		 "-frandom-seed=FILE with the name of the source, in a fixed build directory"},
	[CURE_BUILD_ID] = {"build-id", "only the linker's build id differs",
			   "-Wl,--build-id=sha1 (of the content) or =none; never =uuid"},
	[CURE_COMPILER_VERSION] = {"compiler-version", "another version of the compiler",
				   "lock the compiler's package (varve lock does)"},
	[CURE_DEBUG_LINK] = {"debug-link",
			     "only the name or checksum of the separate debug file differs",
			     "make the debug file reproducible first (gcc-path)"},
	[CURE_NVCC] = {"nvcc", "nvcc writes its process id into names in objects",
		       "NVCC_APPEND_FLAGS=--objdir-as-tempdir, a fixed build directory, and for "
		       "files of templates one getpid() for nvcc"},
	[CURE_AR_STAMP] = {"ar-stamp", "members of an archive carry dates, owners and modes",
			   "ar with D (ar rcsD, ranlib -D), never U"},
	[CURE_AR_ORDER] = {"ar-order", "members of an archive stand in another order",
			   "name the objects in sorted order"},
	[CURE_GZIP_STAMP] = {"gzip-stamp", "the same data: gzip's header or its compressor differs",
			     "gzip -n -9 with a fixed version; mtime=0 in libraries"},
	[CURE_ZIP_STAMP] =
		{"zip-stamp", "members of a zip archive carry dates, modes and extra fields",
		 "zip -X after touch -d @$SOURCE_DATE_EPOCH with TZ=UTC; date_time in libraries"},
	[CURE_TAR_STAMP] =
		{"tar-stamp", "members of a tar archive carry dates, owners and modes",
		 "tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner"},
	[CURE_MEMBER_ORDER] =
		{"member-order", "members of an archive stand in another order",
		 "sort names before adding them (tar --sort=name; find | LC_ALL=C sort | zip -@)"},
	[CURE_PYC_TIME] =
		{"pyc-time", "bytecode carries the time of its source",
		 "python3 -m compileall --invalidation-mode checked-hash (SOURCE_DATE_EPOCH does the same)"},
	[CURE_PYC_PATH] = {"pyc-path", "bytecode carries the path of its source",
			   "python3 -m compileall -s BUILD-DIR -p FINAL-DIR"},
	[CURE_PYC_VERSION] = {"pyc-version", "another version of Python wrote the bytecode",
			      "lock the interpreter's package"},
	[CURE_PYC_FLAGS] = {"pyc-flags", "bytecode is checked against its source in another way",
			    "set SOURCE_DATE_EPOCH, or --invalidation-mode, in both builds"},
	[CURE_GIT_STATE] = {"git-state",
			    "git's index, logs and references say when and by whom they were made",
			    "export by tree (git archive), or remove .git"},
	[CURE_GIT_PACK] =
		{"git-pack", "git packs the same objects in other bytes",
		 "export by tree (git archive), or remove .git; pack.threads=1 for packs"},
	[CURE_NINJA_LOG] = {"ninja-log", "ninja notes times of its jobs",
			    "remove .ninja_log and .ninja_deps (scrub: ninja)"},
	[CURE_DPKG_LOG] = {"dpkg-log", "dpkg, apt and others log with dates",
			   "remove /var/log/* (scrub: debian)"},
	[CURE_DPKG_STATUS_ORDER] = {"dpkg-status-order", "the same packages stand in another order",
				    "install them in one order, with one run of dpkg"},
	[CURE_APT_CACHE] = {"apt-cache", "apt's caches hold times and addresses",
			    "remove /var/cache/apt/*.bin and /var/lib/apt/lists (scrub: debian)"},
	[CURE_LDCONFIG_CACHE] = {"ldconfig-cache", "ldconfig notes inodes and times of libraries",
				 "remove /var/cache/ldconfig/aux-cache (scrub: debian)"},
	[CURE_ALTERNATIVES] = {"alternatives",
			       "the order of installation chose another alternative",
			       "update-alternatives --set NAME PATH in the step"},
	[CURE_MACHINE_ID] =
		{"machine-id", "a machine's random identity was made at installation",
		 "empty /etc/machine-id, remove /var/lib/dbus/machine-id and host keys"},
	[CURE_SHADOW_DAY] = {"shadow-day", "the day of a password's last change is written",
			     "set SOURCE_DATE_EPOCH for useradd, or chage -d"},
	[CURE_SQLITE_STAMP] =
		{"sqlite-stamp", "SQLite counts changes and notes its version",
		 "write the database in one transaction with a locked SQLite; VACUUM INTO a fresh file"},
};

const struct cure *cure_of(enum cure_rule rule)
{
	return rule > CURE_NONE && rule < CURE_COUNT ? &cures[rule] : NULL;
}

const struct cure *cure_find(const char *id)
{
	for (size_t i = 1; id && i < CURE_COUNT; i++)
		if (str_equal(cures[i].id, id))
			return &cures[i];
	return NULL;
}

/* Files whose place says why they differ. */
static const struct {
	const char *pattern; /* for fnmatch: '*' matches '/' too */
	enum cure_rule rule;
} places[] = {
	{"*.ninja_log", CURE_NINJA_LOG},
	{"*.ninja_deps", CURE_NINJA_LOG},
	{"var/log/*", CURE_DPKG_LOG},
	{"var/cache/apt/*", CURE_APT_CACHE},
	{"var/lib/apt/lists/*", CURE_APT_CACHE},
	{"var/cache/ldconfig/aux-cache", CURE_LDCONFIG_CACHE},
	{"etc/alternatives/*", CURE_ALTERNATIVES},
	{"var/lib/dpkg/alternatives/*", CURE_ALTERNATIVES},
	{"etc/machine-id", CURE_MACHINE_ID},
	{"var/lib/dbus/machine-id", CURE_MACHINE_ID},
	{"etc/ssh/ssh_host_*", CURE_MACHINE_ID},
	{"*.git/objects/*", CURE_GIT_PACK},
	{"*.git/index", CURE_GIT_STATE},
	{"*.git/logs/*", CURE_GIT_STATE},
	{"*.git/refs/*", CURE_GIT_STATE},
	{"*.git/packed-refs", CURE_GIT_STATE},
	{"*.git/config", CURE_GIT_STATE},
	{"*.git/HEAD", CURE_GIT_STATE},
	{"*.git/*_HEAD", CURE_GIT_STATE},
};

static enum cure_rule of_place(const char *path)
{
	for (size_t i = 0; path && i < ARRAY_SIZE(places); i++)
		if (fnmatch(places[i].pattern, path, 0) == 0)
			return places[i].rule;
	return CURE_NONE;
}

enum cure_rule cure_for(enum difference_class class, const char *path, const char *field)
{
	switch (class) {
	case DIFFERENCE_COMPRESSION:
		return CURE_COMPRESSOR;
	case DIFFERENCE_ORDER:
		return CURE_ENTRY_ORDER;
	case DIFFERENCE_ENCODING:
		return str_equal(field, "whiteouts") ? CURE_WHITEOUT_FORM : CURE_TAR_HEADERS;
	case DIFFERENCE_TIME:
		return path ? CURE_FILE_TIME : CURE_IMAGE_DATE;
	case DIFFERENCE_OWNER:
		return CURE_OWNER;
	case DIFFERENCE_STAMP:
	case DIFFERENCE_CONTENT:
	case DIFFERENCE_LINK:
	case DIFFERENCE_ENTRY:
		return of_place(path);
	case DIFFERENCE_MODE: /* the bits tell */
	case DIFFERENCE_HISTORY:
	case DIFFERENCE_CONFIG:
	case DIFFERENCE_LAYER:
	case DIFFERENCE_PLATFORM:
	case DIFFERENCE_WHITEOUT:
	case DIFFERENCE_TYPE:
	case DIFFERENCE_DEVICE:
	case DIFFERENCE_ATTRIBUTE:
		return CURE_NONE;
	}
	return CURE_NONE;
}
