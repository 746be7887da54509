# SPDX-License-Identifier: Apache-2.0
"""What a host can do: found out by trying, said by `varve doctor`, kept between runs, told before any download."""
import json
import os
import pathlib
import shutil

import pytest
from support import compiled, project, project_of, run  # noqa: F401  fixtures

# Runs a program under a seccomp filter: "userns" forbids user namespaces (and, without capabilities, all others),
# as a container's profile does; "listener" is one with a listener, which must be the only one.
LAUNCHER = r"""
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
static struct sock_filter userns[] = {
	LOAD(nr), IS(__NR_clone3, 0, 1), RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	IS(__NR_mount, 4, 0), IS(__NR_unshare, 1, 0), IS(__NR_clone, 0, 3),
	LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER | CLONE_NEWNS, 0, 1),
	RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW)};
static struct sock_filter all[] = {RETURN(SECCOMP_RET_ALLOW)};
int main(int argc, char **argv)
{
	int listen = strcmp(argv[1], "listener") == 0;
	struct sock_fprog program = {listen ? 1 : sizeof(userns) / sizeof(userns[0]), listen ? all : userns};
	(void)argc;
	long made;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 99;
	made = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, listen ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
	if (made < 0 || (listen && fcntl(made, F_SETFD, 0) < 0)) /* it lasts as long as its descriptor */
		return 99;
	execv(argv[2], argv + 2);
	return 98;
}
"""
# A bwrap that fails while the file named by BROKEN is there.
FAKE_BWRAP = """#!/bin/sh
if [ "$1" != --version ] && [ -e "%s" ]; then
	echo "bwrap: it does not feel like it" >&2
	exit 1
fi
exec %s "$@"
"""


@pytest.fixture
def under(tmp_path_factory):
    """under(varve, KIND): the program, started by the launcher."""
    tool = compiled(LAUNCHER)
    if tool is None:
        pytest.skip("there is no compiler")
    where = tmp_path_factory.mktemp("launcher") / "launcher"
    shutil.copy(tool, where)
    for directory in (where, *where.parents[:3]):
        directory.chmod(0o755)

    def make(varve, kind):
        def call(*arguments, rc=0, env=None):
            done = varve.run(where, kind, varve.binary, *arguments, env=env)
            assert done.returncode == rc, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            return done
        return call
    return make


def rows_of(result):

    return {row["name"]: row for row in json.loads(result.stdout)}


def facts(varve):
    """The files that keep what was tried: name -> identity, which a rewrite changes."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in varve.store.glob("facts/host/*")}


@pytest.mark.parametrize("who, owners, ranges", [("root", "(root)", "ok"), ("subuid", "(subuid)", "ok"), ("one", "(one)", "degraded")])
def test_accounts(project_of, who, owners, ranges):
    varve = project_of(who).varve
    rows = rows_of(varve("doctor", "--offline", "--json"))
    assert all(set(row) == {"name", "verdict", "detail", "cost", "cure"} for row in rows.values())
    assert {row["verdict"] for row in rows.values()} <= {"ok", "degraded"}
    assert owners in rows["file owners"]["detail"] and rows["id ranges"]["verdict"] == ranges
    for name in ("user namespaces", "overlay", "bubblewrap", "seccomp listener", "store's file system", "free space"):
        assert rows[name]["verdict"] == "ok" and rows[name]["cure"] == "", rows[name]
    assert "inodes" in rows["free space"]["detail"]
    text = varve("doctor", "--offline").stdout
    assert [name for name in rows if name not in text] == [] and owners.strip("()") in text.splitlines()[-1]
    assert not list(varve.store.glob("tmp/*")) and len(list(varve.store.iterdir())) <= 12  # nothing of a try stays


def test_one_id_is_told_how_to_get_more(project_of):
    project = project_of("one")
    row = rows_of(project.varve("doctor", "--offline", "--json"))["id ranges"]
    assert project.account.name in row["cure"] and "usermod --add-subuids" in row["cure"] and row["cost"]
    # The range that is proposed is nobody's yet.
    first = int(row["cure"].split("--add-subuids ")[1].split("-")[0])
    taken = [line.split(":") for line in pathlib.Path("/etc/subuid").read_text().splitlines() if line.count(":") == 2]
    assert all(first >= int(line[1]) + int(line[2]) for line in taken)


def test_root_of_a_namespace_with_one_id(project_of, need):
    """newuidmap is no use to it, its root has nobody to give files to: a namespace in the namespace."""
    need("unshare")
    varve = project_of("one").varve
    done = varve.run("unshare", "--user", "--map-root-user", varve.binary, "doctor", "--offline", "--json")
    assert done.returncode == 0, done.stderr
    rows = rows_of(done)
    assert "(one)" in rows["file owners"]["detail"] and "root here" in rows["id ranges"]["detail"]


@pytest.mark.parametrize("who", ["root", "subuid", "one"])
def test_where_user_namespaces_are_forbidden(project_of, under, who):
    project = project_of(who)
    forbidden = under(project.varve, "userns")
    possible = who == "root"  # chroot(2) remains
    result = forbidden("doctor", "--offline", "--json", rc=0 if possible else 3)
    rows = rows_of(result)
    assert rows["user namespaces"]["verdict"] == "missing"
    assert "seccomp profile" in rows["user namespaces"]["detail"] and "seccomp=unconfined" in rows["user namespaces"]["cure"]
    assert rows["user namespaces"]["cost"] and rows["bubblewrap"]["verdict"] == "degraded"
    assert ("--isolation chroot" in rows["isolation chroot"]["detail"]) == possible
    text = forbidden("doctor", "--offline", rc=0 if possible else 3).stdout
    assert ("Commands run only with --isolation chroot" in text) == possible


@pytest.mark.parametrize("who", ["root", "one"])
def test_a_build_is_told_before_anything_is_resolved(project_of, under, who):
    project = project_of(who)
    project.recipe([run("step", "true"), {"step": "far", "copy": "far", "to": "/far"}],
                   sources={"far": {"kind": "url", "href": "http://127.0.0.1:1/x"}})
    result = under(project.varve, "userns")("build", "r.yaml", rc=3)
    assert "seccomp profile" in result.stderr and "seccomp=unconfined" in result.stderr
    assert "127.0.0.1" not in result.stderr and result.stdout == "" and len(result.stderr.splitlines()) <= 3
    assert not list(project.varve.store.glob("blobs/sha256/*")) and not project.varve.path("r.lock.json").exists()
    # Where they are not, the download is what fails.
    assert "127.0.0.1" in project.varve("build", "r.yaml", rc=4).stderr


def test_a_listener_around_varve(project_of, under):
    rows = rows_of(under(project_of("one").varve, "listener")("doctor", "--offline", "--json"))
    assert "another one is installed" in rows["seccomp listener"]["detail"] and rows["seccomp listener"]["verdict"] == "degraded"
    assert "not kept" in rows["file owners"]["detail"] and rows["file owners"]["cost"]


def test_no_new_privileges_take_newuidmap_away(project_of, need):
    need("setpriv")
    varve = project_of("subuid").varve
    done = varve.run("setpriv", "--no-new-privs", varve.binary, "doctor", "--offline", "--json")
    rows = rows_of(done)
    assert done.returncode == 0 and "(one)" in rows["file owners"]["detail"]
    assert "newuidmap" in rows["id ranges"]["detail"] and "no_new_privs" in rows["id ranges"]["cure"]


# --- bubblewrap ----------------------------------------------------------------------------------

def fake_bwrap(varve):
    """(PATH with a bwrap that fails, the file that makes it fail)"""
    broken = varve.write("broken", "")
    varve.write("fake/bwrap", FAKE_BWRAP % (broken, shutil.which("bwrap") or pytest.skip("there is no bwrap")), mode=0o755)
    return {"PATH": f"{varve.path('fake')}:{os.environ['PATH']}"}, broken


@pytest.mark.parametrize("who", ["root", "subuid", "one"])
def test_a_bwrap_that_fails(project_of, who):
    project = project_of(who)
    env, _ = fake_bwrap(project.varve)
    project.recipe([run("step", "true")])
    result = project.varve("doctor", "--offline", "--json", env=env, rc=None)
    assert result.rc == (0 if who == "root" else 3)  # root may chroot
    row = rows_of(result)["bubblewrap"]
    assert row["verdict"] == "missing" and "it does not feel like it" in row["detail"]
    result = project.varve("build", "r.yaml", env=env, rc=3)
    assert "it does not feel like it" in result.stderr and len(result.stderr.splitlines()) <= 3


# --- what is kept --------------------------------------------------------------------------------

def test_what_was_tried_is_kept(project):
    project.recipe([run("step", "true")])
    varve = project.varve
    project.build()
    before = facts(varve)
    assert len(before) == 1
    project.recipe([run("step", "true"), run("more", "echo more")])
    project.build()
    assert facts(varve) == before  # used, not made anew
    varve("doctor", "--offline")
    after = facts(varve)
    assert after.keys() == before.keys() and after != before  # the doctor looks for itself


def test_a_build_of_what_is_there_tries_nothing(project):
    project.recipe([run("step", "true"), run("more", "echo more")])
    project.build()
    shutil.rmtree(project.varve.store / "facts/host")
    build = project.build()
    assert build.ran == [] and facts(project.varve) == {}
    project.varve("plan", "r.yaml")
    assert facts(project.varve) == {}


def test_other_surroundings_are_tried_for_themselves(project):
    varve = project.varve
    varve("doctor", "--offline")
    assert len(facts(varve)) == 1
    project.recipe([run("step", "true")])
    other = varve.write("other/bwrap", f'#!/bin/sh\nexec {shutil.which("bwrap")} "$@"\n', mode=0o755)
    env = {"PATH": f"{other.parent}:{os.environ['PATH']}"}
    project.build(env=env)
    known = facts(varve)
    assert len(known) == 2
    os.utime(other, ns=(1, 1))  # another program in its place
    project.recipe([run("step", "true; true")])
    project.build(env=env)
    assert len(facts(varve)) == 3 and known.items() <= facts(varve).items()


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"varve-host":1}', '{"surroundings":{},"tried":{},"varve-host":1}', "\0\0"])
def test_a_damaged_fact_is_none(project, damage):
    varve = project.varve
    varve("doctor", "--offline")
    (fact,) = varve.store.glob("facts/host/*")
    good = fact.read_text()
    fact.chmod(0o644)
    fact.write_text(damage)
    project.recipe([run("step", "true")])
    project.build()
    (fact,) = varve.store.glob("facts/host/*")
    assert fact.read_text() == good


def test_what_failed_is_tried_again(project):
    """The cause is gone, and nothing that counts shows it."""
    varve = project.varve
    env, broken = fake_bwrap(varve)
    project.recipe([run("step", "true")])
    varve("build", "r.yaml", env=env, rc=3)
    broken.unlink()
    build = project.build(env=env)
    assert build.ran == ["main/root", "main/step"]


def test_what_worked_is_tried_again_when_it_fails(project):
    varve = project.varve
    env, broken = fake_bwrap(varve)
    broken.unlink()
    project.recipe([run("step", "true")])
    project.build(env=env)
    project.recipe([run("step", "true; true")])
    broken.write_text("")
    result = project.build(env=env, rc=3)
    assert "it does not feel like it" in result.result.stderr
    (fact,) = varve.store.glob("facts/host/*")
    assert "it does not feel like it" in fact.read_text()
    broken.unlink()
    assert project.build(env=env).ran == ["main/step"]


# --- mirrors and profile -------------------------------------------------------------------------

def test_mirrors_are_asked(varve, make_repo, serve, tmp_path):
    archive = tmp_path / "archive"
    make_repo([], directory=archive, suite="stable")
    server = serve(archive)
    named = ["--mirror", f"debian={server.url}", "--mirror", "debian-security=http://127.0.0.1:1/s", "--mirror", f"python={server.url}/x/", "--json"]

    def ask():
        return {row["name"]: row for row in varve("doctor", *named, rc=None).json() if "127.0.0.1" in row["detail"]}
    dead = ask()["mirror debian-security"]
    assert dead["verdict"] == "degraded" and dead["cost"] and dead["cure"]
    # The suite is one that the host's own apt uses, where it has one.
    (asked,) = server.paths("*/InRelease")
    assert asked.startswith("/dists/") and server.paths("/x*") == ["/x/"]
    if asked != "/dists/stable/InRelease":
        assert "404" in ask()["mirror debian"]["detail"]
        (archive / "dists/stable").rename(archive / asked.split("/")[1] / asked.split("/")[2])
    rows = ask()
    assert rows["mirror debian"]["verdict"] == "ok" and asked in rows["mirror debian"]["detail"]
    assert rows["mirror python"]["verdict"] == "ok"  # it has nothing there, but it answers
    server.clear()
    assert "not tried" in {row["name"]: row for row in varve("doctor", "--offline", *named).json()}["mirrors"]["detail"]
    assert server.paths() == []
    varve("doctor", "--mirror", "nonsense", rc=2)


def test_the_profile_names_the_program(varve):
    text = varve("doctor", "--apparmor-profile").stdout
    assert f'profile varve "{varve.binary}"' in text and "userns," in text
    assert "@" not in text and max(map(len, text.splitlines())) <= 100
    assert not varve.store.exists()
