/* SPDX-License-Identifier: Apache-2.0
 * Names of Python's world: projects, files of an index, what a wheel's name says of where it runs.
 * Pure.
 *
 *	wheel = project "-" version [ "-" build ] "-" python "-" abi "-" platform ".whl"
 *	sdist = project "-" version ".tar.gz"
 *
 * python, abi and platform are sets of tags, joined by dots. */
#ifndef SOURCE_PYTHON_NAME_H
#define SOURCE_PYTHON_NAME_H

#include <stdbool.h>

/* Where wheels are to run. */
struct python_target {
	unsigned minor; /* of Python 3 */
	const char *machine; /* as in tags: x86_64, aarch64 */
	unsigned glibc; /* minor of glibc 2 */
};

/* "Foo.Bar_baz" -> "foo-bar-baz". Caller frees. */
char *python_project(const char *name);
/* "linux/amd64" -> "x86_64"; NULL for a platform that no wheels are made for. */
const char *python_machine(const char *platform);
/* Project and version of a wheel's or sdist's name; false where it is neither. Caller frees both.
 */
bool python_split(const char *file, char **ret_project, char **ret_version);
/* True where two spellings are the same version: "1.0.RC1" and "1.0rc1", "2019.03" and "2019.3". */
bool python_same_version(const char *a, const char *b);
/* True for a version that is final: no alpha, beta, candidate or development version. */
bool python_is_final(const char *version);
/* Order of two final versions by their numbers: < 0, 0, > 0. */
int python_compare_versions(const char *a, const char *b);
/* How well a wheel suits: 0 is best; -1: it does not run there. */
int python_rank(const char *file, const struct python_target *target);
bool python_is_sdist(const char *file);
/* Machine of a wheel ("any", "x86_64"), "source" of anything else. Caller frees. */
char *python_architecture(const char *file);

#endif
