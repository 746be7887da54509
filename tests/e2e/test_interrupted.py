# SPDX-License-Identifier: Apache-2.0
"""Killed, stopped, out of space, at the same time, failing: the next command works and nothing is left."""
import json
import os
import random
import signal
import subprocess
import time

import pytest
from oci_schema import check_layout
from processes import assert_nothing_left, children, killed_at_exit, left, wait_for
from support import NAME, ROOT, Build, copy, own_project, project, project_of, run  # noqa: F401  fixtures

KILLS = 24
OPTIONS = {"n": {"default": "0", "help": "makes another build of it"}}


def marker(project):
    """A number of seconds that no other test sleeps."""
    return f"{100 + int(project.varve.directory.name[-4:].encode().hex(), 16) % 800}.{os.getpid()}"


def work(project):
    """Steps of each kind, one after the other and side by side, for the better part of a second."""
    stages = {"side": {"steps": [ROOT, run("side", "echo ${n} >/side; sleep 0.05; seq 30000 >/numbers")]}}
    project.recipe([run("write", "echo ${n} >/n; mkdir /d; for i in $(seq 50); do echo $i >/d/$i; done; seq 40000 >/big"),
                    run("change", "rm -r /d/1*; sleep 0.05; echo ${n} >>/n; touch /d; ln /big /same", mounts={"/side": "side:/"}),
                    copy("side", "side:/numbers", "/numbers")], stages=stages, options=OPTIONS)


def unfinished(project):
    """What is in progress, or was."""
    return [str(path.relative_to(project.varve.store)) for path in project.varve.store.glob("tmp/*")]


def sleeping(word):
    """How many processes sleep so long: the command itself, not those that start it."""
    return sum(command.startswith(f"sleep {word}") for command in left([word]).values())


def steps_in_the_store(project):
    return {json.loads(path.read_text())["step"] for path in project.varve.store.glob("steps/*.json")}


# --- SIGKILL -------------------------------------------------------------------------------------

def reference(project, values):
    """The right digests, from a store that nothing happened to; and how long a build takes."""
    kept, started = project.varve.env["VARVE_STORE"], time.monotonic()
    project.varve.env["VARVE_STORE"] = project.varve.path("reference")
    digests = {value: project.build("--n", value).digests for value in values}
    project.varve.env["VARVE_STORE"] = kept
    return digests, (time.monotonic() - started) / len(values)


def test_killed_at_many_points(project):
    work(project)
    values = [str(number) for number in range(KILLS // 4)]
    right, duration = reference(project, values)
    points = random.Random(20261124)
    killed = 0
    for number in range(KILLS):
        value = values[number // 4]
        child = project.start("--n", value, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(duration * (number % 8 + points.random()) / 9)
        killed += child.poll() is None
        child.kill()
        child.wait(timeout=30)
        assert_nothing_left(project.varve.store)
        if number % 4 == 3:
            assert project.build("--n", value).digests == right[value]
    assert killed >= KILLS // 3
    project.varve("gc")
    assert unfinished(project) == []
    check_layout(project.varve.store)
    for value in values:
        build = project.build("--n", value)
        assert build.ran == [] and build.digests == right[value]


def test_what_a_killed_build_left_is_swept(project):
    project.recipe([run("long", f"echo x >/x; sleep {marker(project)}")])
    with killed_at_exit(project.start()) as child:
        wait_for(lambda: sleeping(marker(project)))
        assert unfinished(project) != []
        child.kill()
        child.wait()
        assert_nothing_left(project.varve.store, marker(project))
    project.recipe([run("short", "true")])
    project.build()
    assert unfinished(project) == []


def test_killed_while_the_sandbox_starts(project):
    """The moments between bubblewrap's first breath and the command."""
    word = marker(project)
    project.recipe([run("long", f"echo ${{n}} >/n; sleep {word}")], options=OPTIONS)
    points = random.Random(20261124)
    for number in range(12):
        with killed_at_exit(project.start("--n", str(number))) as child:
            wait_for(lambda: any("bwrap" in command for command in left([word]).values()))
            time.sleep(points.random() * 0.01)
            child.kill()
            child.wait(timeout=30)
        assert_nothing_left(project.varve.store, word)


# --- SIGINT, SIGTERM, SIGHUP ---------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_within_a_second(project, number):
    word = marker(project)
    both = {"other": {"steps": [ROOT, run("long", f"trap '' INT TERM HUP; sleep {word} & sleep {word}; true")]}}
    project.recipe([run("long", f"trap '' INT TERM; setsid sleep {word} & sleep {word}; true"), copy("o", "other:/etc", "/o")],
                   stages=both)
    with killed_at_exit(project.start()) as child:
        wait_for(lambda: sleeping(word) == 4)
        started = time.monotonic()
        os.killpg(child.pid, number)  # as a terminal does
        _, stderr = child.communicate(timeout=10)
        assert time.monotonic() - started < 1
        assert_nothing_left(project.varve.store, word, seconds=1 - (time.monotonic() - started))
    assert child.returncode == 130 and "stopped" in stderr.splitlines()[-1]
    assert steps_in_the_store(project) <= {"t/main/root", "t/other/root"}  # one of them: they are the same
    project.recipe([run("short", "true")])
    project.build()
    assert unfinished(project) == []


def test_run_is_stopped(project):
    word = marker(project)
    project.recipe()
    project.build()
    with killed_at_exit(project.varve.start("run", NAME, "sleep", word)) as child:
        wait_for(lambda: sleeping(word))
        os.killpg(child.pid, signal.SIGINT)
        child.communicate(timeout=10)
        assert_nothing_left(word, seconds=2)
    assert child.returncode == 130
    assert unfinished(project) == []


# --- a worker is killed --------------------------------------------------------------------------

def test_a_killed_worker_is_a_clear_error(project):
    word = marker(project)
    project.recipe([run("long", f"sleep {word}")])
    with killed_at_exit(project.start()) as child:
        wait_for(lambda: sleeping(word))
        for worker in children(child.pid):
            os.kill(worker, signal.SIGKILL)  # as the kernel does when memory is out
        _, stderr = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "main/long" in stderr and "signal 9" in stderr
    assert_nothing_left(project.varve.store, word)
    project.recipe([run("long", "true")])
    project.build()


# --- no space ------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(project_of):
    """small_disk(ACCOUNT, KIB): a project whose store lies on a file system of that size; resize() makes it larger."""
    mounted = []

    def make(name, size):
        project_of("root")  # who may mount
        project = project_of(name)
        where = project.varve.path("disk")
        where.mkdir()
        options = f"size={size}k,mode=755,uid={project.account.uid},gid={project.account.gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", where], check=True)
        mounted.append(where)
        try:
            os.setxattr(where, "user.test", b"1")
        except OSError:
            pytest.skip("tmpfs holds no user attributes before Linux 6.6")
        project.varve.store = where / "store"
        project.varve.env["VARVE_STORE"] = project.varve.store
        project.resize = lambda to: subprocess.run(["mount", "-o", f"remount,size={to}k", where], check=True)
        return project
    yield make
    for where in mounted:
        subprocess.run(["umount", "-l", where], check=False)


FULL = [(name, size) for name in ("root", "subuid") for size in (16, 60, 300, 900, 1500, 2200, 2900, 3300, 3700, 4300, 5200)]


@pytest.mark.parametrize("name, size", FULL)
def test_a_full_disk(small_disk, name, size):
    project = small_disk(name, size)
    project.recipe([run("write", "seq 60000 >/a && echo x >/b && cp /a /c"), run("more", "cat /a /a >/d")])
    build = project.build(rc=None)
    if build.result.rc == 0:
        assert size > 4000
    else:
        told = build.text + "\n".join(build.output)
        refused = "no space for this build" in told  # at once, since the source alone does not fit
        assert build.result.rc == (3 if refused else 1)
        assert not refused or (build.ran == [] and size < 2500)
        assert "No space left on device" in told or "no space" in told.lower(), build.result.stderr
        assert len(build.text.splitlines()) <= 4
    assert_nothing_left(project.varve.store)
    project.resize(65536)
    again = project.build()
    assert unfinished(project) == []
    check_layout(project.varve.store)
    assert project.image().files["d"].data == b"".join(b"%d\n" % n for n in range(1, 60001)) * 2
    assert set(again.digests) == {NAME}


# --- several at once -----------------------------------------------------------------------------

def test_four_builds_in_one_store(project):
    count = run("count", "echo x >>/c/log; sleep 0.3; seq 30000 >/big", caches={"/c": "count"})
    project.recipe([count, run("after", "echo y >>/c/after; rm /big", caches={"/c": "count"})])
    running = [project.start() for _ in range(4)]
    builds = []
    for child in running:
        with killed_at_exit(child):
            stdout, stderr = child.communicate(timeout=60)
            assert child.returncode == 0, stderr
            builds.append(Build(type("Told", (), {"stdout": stdout, "stderr": stderr})))
    assert len({json.dumps(build.digests) for build in builds}) == 1
    assert (project.varve.store / "caches/count/log").read_text() == "x\n"
    assert (project.varve.store / "caches/count/after").read_text() == "y\n"
    assert any(build.steps("waiting") for build in builds)
    check_layout(project.varve.store)
    assert unfinished(project) == []


def test_waiting_for_a_build_that_is_killed(project):
    word = marker(project)
    project.recipe([run("slow", f"if [ -e /c/again ]; then touch /done; else touch /c/again; sleep {word}; fi", caches={"/c": "c"})])
    with killed_at_exit(project.start()) as first:
        wait_for(lambda: sleeping(word))
        with killed_at_exit(project.start()) as second:
            wait_for(lambda: "waiting" in (second.stderr.readline() or ""))
            first.kill()
            second.communicate(timeout=30)
            assert second.returncode == 0
    assert sorted(project.layer()) == ["done"]


def test_a_waiting_build_leaves_the_log_alone(project):
    project.recipe([run("slow", "echo begin; sleep 1; echo end")])
    with killed_at_exit(project.start()) as first:
        wait_for(lambda: [path for path in project.varve.store.glob("logs/*") if path.stat().st_size])
        project.build()
        first.communicate(timeout=30)
    [log] = project.varve.store.glob("logs/*")
    assert log.read_text() == "begin\nend\n"


def test_builds_beside_gc(project):
    work(project)
    project.build()
    with killed_at_exit(project.start("--n", "1")) as child:
        for _ in range(3):
            collected = project.varve("gc", "--keep", "0", rc=None)
            assert collected.rc == 0 or "another varve uses the store" in collected.stderr
        _, stderr = child.communicate(timeout=60)
    assert child.returncode == 0, stderr
    check_layout(project.varve.store)
    assert project.inside("head -n 1 /n").stdout == "1\n"


# --- a step that fails ---------------------------------------------------------------------------

def test_a_failing_step_says_what_and_where(project):
    project.recipe([run("good", "touch /good"), run("bad", "for i in $(seq 100); do echo line $i; done; echo last words >&2; exit 7")])
    result = project.varve("build", "r.yaml", "--progress", "plain", rc=1)
    assert "step main/bad: the command failed with exit status 7" in result.stderr
    assert "last words" in result.stderr
    log = result.stderr.split("log: ")[1].splitlines()[0]
    text = open(log).read()
    assert text.startswith("line 1\n") and text.endswith("line 100\nlast words\n")
    assert "varve shell --failed" in result.stderr
    again = project.build(rc=1)
    assert again.ran == ["main/bad"]
    assert steps_in_the_store(project) == {"t/main/good", "t/main/root"}
    assert unfinished(project) == []


def test_a_failing_step_ends_the_others(project):
    word = marker(project)
    stages = {"other": {"from": "base", "steps": [run("long", f"touch /c/up; sleep {word}", caches={"/c": "c"})]},
              "base": {"steps": [ROOT]},
              "main": {"from": "base", "steps": [run("bad", "while [ ! -e /c/up ]; do sleep 0.05; done; exit 3", caches={"/c": "c"}),
                                                 copy("o", "other:/etc", "/o")]}}
    project.recipe(stages=stages)
    started = time.monotonic()
    build = project.build("-j2", rc=1)
    assert time.monotonic() - started < 20 and "main/bad" in build.text and "exit status 3" in build.text
    assert_nothing_left(project.varve.store, word)


def test_a_step_killed_by_a_signal(own_project):
    own_project.recipe([run("bad", ["sh", "-c", "kill -SEGV $$"])])
    text = own_project.build(rc=1).text
    assert "signal 11" in text or "exit status 139" in text


def test_a_command_that_is_not_there(own_project):
    own_project.recipe([run("bad", ["/no/such/program"])])
    build = own_project.build(rc=1)
    assert "main/bad" in build.text and "/no/such/program" in build.text + "".join(build.output)


def test_a_shell_that_is_not_there(own_project):
    own_project.tree("empty", {"f": "x"})
    own_project.recipe(stages={"main": {"steps": [copy("f", "root", "/"), run("bad", "true")]}},
                       sources={"root": {"kind": "local", "path": "empty"}})
    build = own_project.build(rc=1)
    assert "main/bad" in build.text and "/bin/sh" in build.text + "".join(build.output)


def test_background_processes_do_not_outlive_the_step(project):
    word = marker(project)
    project.recipe([run("leave", f"sleep {word} & (setsid sleep {word} >/dev/null 2>&1 &); nohup sleep {word} >/dev/null 2>&1 & "
                        "(while :; do echo x >>/growing; done) & touch /x")])
    started = time.monotonic()
    project.build()
    assert time.monotonic() - started < 20
    assert_nothing_left(project.varve.store, word, seconds=0.5)


def test_much_output_and_junk(project):
    project.recipe([run("loud", "yes 0123456789012345678 | head -c 10000000; yes | tr -d '\\n' | head -c 3000000; echo; "
                        "head -c 200000 /dev/urandom; printf 'a\\000b\\033[31m\\377\\n'; echo end")])
    build = project.build()
    assert build.output[-1] == "end" and build.output[0] == "0123456789012345678"
    assert all(isinstance(event, dict) for event in build.events)
    [log] = [path for path in project.varve.store.glob("logs/*") if path.stat().st_size > 1000]
    assert log.stat().st_size == 10000000 + 3000001 + 200000 + len(b"a\0b\033[31m\377\n") + len(b"end\n")
