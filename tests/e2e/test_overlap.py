# SPDX-License-Identifier: Apache-2.0
"""A layer is compressed while the next step runs: what waits for a step needs its tree alone."""
import pytest
from support import (ROOT, copy, own_project,  # noqa: F401 (fixtures)
                     project, run)

SLOW = ("--compression", "zstd:19", "--jobs", "4")
HEAVY = "seq 1 400000 >/numbers"  # a second of work at that level, milliseconds to read


def order(build, *wanted):
    """The events of kinds and steps in the order they came."""
    told = [(event["event"], event.get("step")) for event in build.events]
    return [pair for pair in told if pair in wanted]


def test_the_next_step_does_not_wait_for_the_blob(project):
    project.recipe([run("heavy", HEAVY), run("next", "wc -l </numbers >/lines")])
    build = project.build(*SLOW)
    assert order(build, ("done", "main/heavy"), ("started", "main/next")) == [
        ("started", "main/next"), ("done", "main/heavy")]
    assert project.image().files["lines"].data == b"400000\n"


def test_the_same_bytes_as_when_nobody_waits(own_project):
    own_project.recipe([run("heavy", HEAVY)])
    own_project.build(*SLOW)
    alone = own_project.image().manifest["layers"]
    own_project.recipe([run("heavy", HEAVY), run("next", "touch /next")])
    own_project.varve.store = own_project.varve.path("other")
    assert "main/heavy" in own_project.build(*SLOW, env={"VARVE_STORE": own_project.varve.store}).ran
    assert own_project.image().manifest["layers"][:2] == alone


@pytest.mark.parametrize("split", [{"maximum": "1MB"}, {"directories": ["/a", "/b"]}])
def test_layers_of_a_split_step(own_project, split):
    fill = "mkdir /a /b; seq 1 100000 >/a/n; seq 2 200000 >/b/n; seq 3 100000 >/n"
    own_project.recipe([run("parts", fill, split=split), run("next", "cat /a/n /b/n /n | md5sum >/sum")])
    build = own_project.build(*SLOW)
    assert order(build, ("done", "main/parts"), ("started", "main/next"))[0] == ("started", "main/next")
    image = own_project.image()
    assert {"a/n", "b/n", "n", "sum"} <= set(image.files)


def test_a_failure_beside_it_does_not_lose_it(own_project):
    own_project.recipe([run("heavy", HEAVY), run("bad", "false")])
    failed = own_project.build(*SLOW, rc=1)
    assert "main/bad" in failed.text
    own_project.recipe([run("heavy", HEAVY), run("bad", "true")])
    assert own_project.build(*SLOW).ran == ["main/bad"]


def test_a_copy_from_a_stage_that_is_being_packed(own_project):
    own_project.recipe([copy("take", "make:/numbers", "/numbers")], stages={"make": {"steps": [ROOT, run("heavy", HEAVY)]}})
    build = own_project.build(*SLOW)
    assert order(build, ("done", "make/heavy"), ("started", "main/take"))[0] == ("started", "main/take")
    assert own_project.image().files["numbers"].data.endswith(b"\n400000\n")


def test_nothing_is_known_of_a_step_whose_blob_was_not_written(own_project):
    own_project.recipe([run("heavy", HEAVY), run("next", "touch /next; sleep 100")])
    child = own_project.start(*SLOW)
    for line in child.stderr:
        if '"started"' in line and "main/next" in line:
            break
    own_project.varve.stop(child)
    own_project.recipe([run("heavy", HEAVY), run("next", "touch /next")])
    assert {"main/heavy", "main/next"} <= set(own_project.build(*SLOW).ran)
    own_project.varve("verify", "t/main:latest")
