# SPDX-License-Identifier: Apache-2.0
"""Devices that steps make: no account can, so they are records, which commands see as devices and layers hold as such."""
from support import project, run  # noqa: F401  fixture

SEEN = "{ for f in /d/*; do [ -c $f ] && echo \"c $f\"; [ -b $f ] && echo \"b $f\"; done; stat -c '%n %t:%T %a' /d/null; }"
MAKE = "mkdir /d; mknod -m 666 /d/null c 1 3; mknod -m 660 /d/disk b 8 300"


def devices(files):
    return {name: (file.kind, file.device, oct(file.mode)) for name, file in files.items() if file.kind in "cb"}


def test_a_device_is_in_the_layer(project):
    project.recipe([run("make", f"{MAKE}; {SEEN} >/seen")])
    build = project.build()
    files = project.image().files
    assert devices(files) == {"d/null": ("c", (1, 3), "0o666"), "d/disk": ("b", (8, 300), "0o660")}
    assert files["seen"].data == b"b /d/disk\nc /d/null\n/d/null 1:3 666\n" and build.ran == ["main/make", "main/root"]


def test_a_step_that_asks_for_what_it_made(project):
    project.recipe([run("make", f"echo said; {MAKE}; [ -c /d/null ] && [ -b /d/disk ]; echo x >/once; [ \"$(cat /once)\" = x ]")])
    build = project.build()
    assert project.image().files["once"].data == b"x\n"
    again = any("ran a second time" in event.get("text", "") for event in build.events)
    assert again == (project.account.name != "varve-one") and build.output.count("said") == 1 + again


def test_devices_of_a_layer_below(project):
    project.recipe([run("make", MAKE), run("look", f"{SEEN} >/seen; mkdir /e; tar -cf - -C /d . | tar -xf - -C /e; cp -a /d/null /null; rm /d/disk")])
    build = project.build()
    files = project.image().files
    assert files["seen"].data == b"b /d/disk\nc /d/null\n/d/null 1:3 666\n"
    assert devices(files) == {"d/null": ("c", (1, 3), "0o666"), "null": ("c", (1, 3), "0o666"),
                              "e/null": ("c", (1, 3), "0o666"), "e/disk": ("b", (8, 300), "0o660")}
    assert [event["step"] for event in build.events if "ran a second time" in event.get("text", "")] in ([], ["main/make"])
    assert project.inside(SEEN).stdout == "c /d/null\n/d/null 1:3 666\n"


def test_a_step_without_devices_runs_once(project):
    project.recipe([run("plain", "echo said; mkfifo /pipe; mknod /other p; touch /file")])
    build = project.build()
    assert build.output == ["said"] and devices(project.image().files) == {}


def test_a_second_run_after_many_processes(project):
    """The sandbox finds its first process again whatever its number is."""
    project.recipe([run("make", "i=0; while test $i -lt 800; do (:); i=$((i + 1)); done; mknod /null c 1 3; test -c /null")])
    project.build()
    assert devices(project.image().files) == {"null": ("c", (1, 3), "0o644")}
