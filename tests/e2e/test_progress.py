# SPDX-License-Identifier: Apache-2.0
"""What is told while a build runs: on a terminal, as lines, as JSON, not at all."""
import os
import pty
import re
import subprocess

from support import NAME, own_project, run  # noqa: F401  fixtures

STEPS = [run("talk", "echo hello; printf '\\033[31mred\\033[0m\\n'; sleep 0.3"), run("nothing", "true")]
FAILING = [run("bad", "seq 40; exit 3")]


def on_a_terminal(project, *arguments, term="xterm"):
    """What a terminal of 80 columns would get, and the exit status."""
    master, slave = pty.openpty()
    environment = project.account.environment({**project.varve.env, "TERM": term})
    child = subprocess.Popen([project.varve.binary, *arguments], stdin=slave, stdout=subprocess.PIPE, stderr=slave,
                             env=environment, cwd=project.varve.directory, text=True)
    os.close(slave)
    seen = b""
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(master)
    stdout, _ = child.communicate(timeout=60)
    return child.returncode, stdout, seen.decode(errors="replace")


def test_plain_lines(own_project):
    own_project.recipe(STEPS)
    lines = own_project.varve("build", "r.yaml").stderr.splitlines()  # no terminal: plain
    assert lines[0] == "0 of 3 steps cached"
    assert "main/talk | hello" in lines
    assert [line for line in lines if re.fullmatch(r"\[ +\d+\.\ds\] main/talk run \(not built before\)", line)]
    assert [line for line in lines if re.fullmatch(r"\[ +\d+\.\ds\] main/nothing done: nothing changed, no layer", line)]
    again = own_project.varve("build", "r.yaml", "--progress", "plain").stderr
    assert "3 of 3 steps cached" in again and "main/talk cached" in again


def test_events(own_project):
    own_project.recipe(STEPS)
    events = own_project.build().events
    assert events[0] == {"event": "plan", "done": 0, "total": 3}
    of_step = [event["event"] for event in events if event.get("step") == "main/talk"]
    assert of_step[0] == "started" and of_step[-1] == "done" and of_step.count("output") == 2
    assert events[-1]["event"] == "image" and events[-1]["step"] == NAME


def test_quiet(own_project):
    own_project.recipe(STEPS)
    result = own_project.varve("build", "r.yaml", "--progress", "quiet")
    assert result.stderr == "" and result.stdout.endswith(f" {NAME}\n")


def test_a_live_view(own_project):
    own_project.recipe(STEPS)
    status, stdout, seen = on_a_terminal(own_project, "build", "r.yaml")
    assert status == 0 and stdout.endswith(f" {NAME}\n")
    assert "of 3 steps" in seen and re.search(r"main/talk +run +\d+\.\ds  .*red", seen)
    assert "\033[31m" not in seen  # nothing that a step prints controls the terminal
    screen = re.split(r"\033\[\d+A\r\033\[J", seen)[-1]
    assert "main/nothing" in screen and "of 3 steps" not in screen  # what stays is what is done


def test_no_live_view_where_it_cannot_work(own_project):
    own_project.recipe(STEPS)
    status, _, seen = on_a_terminal(own_project, "build", "r.yaml", term="dumb")
    assert status == 0 and "main/talk | hello" in seen and "\033[J" not in seen


def test_the_last_lines_of_a_failed_step_are_shown_everywhere(own_project):
    own_project.recipe(FAILING)
    for mode in ("plain", "json", "quiet"):
        text = own_project.varve("build", "r.yaml", "--progress", mode, rc=1).stderr
        assert all(str(number) in text for number in range(30, 41)) and "exit status 3" in text, mode
    status, _, seen = on_a_terminal(own_project, "build", "r.yaml")
    assert status == 1 and "main/bad | 40" in seen and "main/bad | 30" in seen


def test_a_failed_step_that_said_nothing(own_project):
    own_project.recipe([run("bad", "exit 3")])
    text = own_project.varve("build", "r.yaml", rc=1).stderr
    assert "exit status 3" in text and "varve shell --failed" in text and "log: " not in text


def test_a_fetch_tells_its_rate_and_what_is_left(own_project, serve):
    (own_project.varve.directory / "files").mkdir()
    (own_project.varve.directory / "files/big").write_bytes(os.urandom(3_000_000))
    server = serve(own_project.varve.directory / "files")
    own_project.recipe([{"step": "big", "copy": "big", "to": "/"}], sources={"big": {"kind": "url", "href": f"{server.url}/big"}})
    own_project.varve("lock", "r.yaml")
    for path in own_project.varve.store.glob("blobs/sha256/*"):
        path.unlink()
    server.fault("/big", "slow", rate=1_000_000)
    status, stdout, seen = on_a_terminal(own_project, "fetch", "r.yaml")
    assert status == 0 and "1 of them fetched now" in stdout
    told = re.findall(r"big +fetch  ([\d.]+) [kM]B of 3\.0 MB, ([\d.]+ [kM]B)/s, (\d+) s left", seen)
    assert told, seen
    assert {int(left) for *_, left in told} & {1, 2, 3}
    assert all(0.5 <= float(rate.split()[0]) <= 2 or rate.endswith("kB") for _, rate, _ in told), told
