# SPDX-License-Identifier: Apache-2.0
"""What a step that compiles has of its own: what ninja reports, going on after a break, running out of memory."""
import signal

import pytest
from processes import assert_nothing_left, wait_for
from support import compiled, own_project, project, project_of, run  # noqa: F401  fixtures

STATUS = "for i in 1 2 3; do sleep 1.2; echo \"[$i/3] cc -c $i.c\"; done"

# Each object takes a while, as each file of a compile does; what is finished is not made again.
OBJECTS = """
mkdir -p /out
for i in 1 2 3; do
	[ -e /build/$i.o ] || { echo "compiling $i"; echo "object $i" >/build/$i.tmp; mv /build/$i.tmp /build/$i.o; }
	[ $i != 2 ] || sleep $PAUSE
done
cat /build/*.o >/out/program
"""
HOG = """
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	size_t size = strtoul(argv[1], NULL, 10) << 20;
	char *memory = malloc(size);
	(void)argc;
	if (!memory) return 1;
	memset(memory, 1, size);
	sleep(3);
	puts("cc: fatal error: Killed signal terminated program cc1plus");
	return memory[size - 1];
}
"""


def compiling(project, pause, **fields):
    project.recipe([run("compile", OBJECTS, resume="/build", jobs=2, unkeyed_environment={"PAUSE": pause}, **fields)])


def test_files_done_of_all(own_project):
    own_project.recipe([run("compile", STATUS, jobs=2)])
    events = [event for event in own_project.build().events if event["event"] == "compile"]
    assert [(event["done"], event["total"]) for event in (events[0], events[-1])] == [(1, 3), (3, 3)]
    assert all(event["step"] == "main/compile" for event in events)
    assert events[-1]["memory"] > 100_000  # a shell and what surrounds it


def test_files_done_in_plain_lines(own_project):
    own_project.recipe([run("compile", STATUS)])
    lines = own_project.varve("build", "r.yaml").stderr
    assert "main/compile: 3 of 3 files, " in lines and " of memory in use" in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_goes_on(project, number):
    """The finished objects are not compiled again, and the layer is that of a compile in one go."""
    compiling(project, "60")
    child = project.start()
    wait_for(lambda: list(project.varve.store.glob("caches/.resume-*/2.o")))
    project.varve.stop(child, number)
    assert_nothing_left(project.varve.store)
    compiling(project, "0")
    resumed = project.build()
    assert resumed.output == ["compiling 3"]
    assert not list(project.varve.store.glob("caches/.resume-*"))
    project.varve.env["VARVE_STORE"] = project.varve.path("other")
    whole = project.build()
    assert whole.output == [f"compiling {i}" for i in (1, 2, 3)]
    assert whole.digests == resumed.digests


def test_failed_goes_on_only_with_the_same_inputs(own_project):
    own_project.recipe([run("compile", OBJECTS + "exit 1", resume="/build", unkeyed_environment={"PAUSE": "0"})])
    assert own_project.build(rc=1).output == [f"compiling {i}" for i in (1, 2, 3)]
    assert own_project.build(rc=1).output == []
    own_project.recipe([run("compile", OBJECTS + "exit 1", resume="/build", unkeyed_environment={"PAUSE": "0"},
                            environment={"FLAGS": "-O3"})])
    assert own_project.build(rc=1).output == [f"compiling {i}" for i in (1, 2, 3)]


def test_out_of_memory_names_the_jobs_that_fit(own_project):
    hog = compiled(HOG)
    own_project.busybox(more={"bin/hog": (hog.read_bytes(), 0o755)})
    own_project.recipe([run("compile", "hog 40 & hog 40 & hog 40 & wait; exit 1", jobs=3)])
    text = own_project.build(rc=1).text
    assert "memory ran out" in text, text
    assert "at most 2 jobs would have fitted" in text and "one job had up to 4" in text, text
    own_project.recipe([run("compile", "hog 40; exit 1", jobs=1)])
    assert "not even one job fits" in own_project.build(rc=1).text
    own_project.recipe([run("compile", "echo no; exit 1", jobs=3)])
    assert "memory" not in own_project.build(rc=1).text
