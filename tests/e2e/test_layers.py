# SPDX-License-Identifier: Apache-2.0
"""Layers: the same bytes whoever builds them wherever, and exactly what the step left."""
import hashlib
import os
import re
import shutil
import subprocess

import pytest
from oci_image import Image
from oci_schema import check_layout
from support import NAME, Project, compiled, copy, own_project, project, project_of, run  # noqa: F401  fixtures

APP = {"app": {"kind": "local", "path": "app"}}
FILES = {"a": "a", "b/tool": ("#!/bin/sh\n", 0o755), "b/c/d": "d", "link": ("link", "b/tool"), "dangling": ("link", "/no/such"),
         "\u00e4\u00f6\u4e2d": "unicode", "z" * 200: "long", "-dash": "-", " space": " ", "UPPER": "U", "empty": ""}

# One step that does what layers find hard, and one that takes much of it back.
MAKE = """
mkdir -p /w/dir/sub /w/gone /w/opaque/old /w/new
echo one >/w/one; ln /w/one /w/dir/two; ln /w/one /w/aaa
chown 12:34 /w/one; chmod 4755 /w/dir/sub; chmod 2711 /w/new; chmod 1777 /w/gone
ln -s ../one /w/dir/link; ln -s /nowhere /w/dangling; mkfifo -m 640 /w/fifo
touch /w/gone/x /w/opaque/old/x /w/opaque/y; chown -h 5:6 /w/dangling
seq 20000 >/w/numbers; : >/w/empty; cp -r /src /w/app
n=$(printf '%0120d' 7); mkdir -p /w/$n/$n; echo deep >/w/$n/$n/$n
echo x >'/w/with space'; echo x >'/w/\u00fc\u4e2d'; echo "$(id -u)" >/w/id; : >'/w/#hash'; : >/w/-dash; : >/w/.hidden
date -u +%s -d @$SOURCE_DATE_EPOCH >/w/epoch; env >/w/environment; umask >>/w/environment; pwd >>/w/environment
"""
CHANGE = """
rm /w/dir/two; rm -r /w/gone; rm -r /w/opaque; mkdir /w/opaque; echo new >/w/opaque/z
touch /w/numbers /w/dir; echo one >/w/one.new; cat /w/empty >/w/empty.copy; mv /w/empty.copy /w/empty
chmod 600 /w/fifo; rm /w/-dash; mkdir /w/-dash; rm -r /w/new; echo file >/w/new; rm /w/.hidden
"""
STEPS = [copy("app", "app", "/opt/app"), run("make", MAKE, mounts={"/src": "app"}), run("change", CHANGE)]


def layered(project, order=1, **more):
    for name, value in list(FILES.items())[::order]:
        project.tree("app", {name: value})
    project.recipe(STEPS, sources=APP, **more)
    return project


@pytest.fixture(scope="module")
def seen():
    """diff ids that the first of the tests below got; all others have to get the same."""
    return {}


def agree(seen, diff_ids):
    assert len(diff_ids) == 4
    assert diff_ids == seen.setdefault("diff ids", diff_ids)


def test_each_account_makes_the_same_bytes(project, seen):
    layered(project).build()
    agree(seen, project.diff_ids())
    check_layout(project.varve.store)


def test_the_environment_of_the_host_makes_no_difference(own_project, seen):
    environment = {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Apia", "HOME": "/nonexistent", "PATH": os.environ["PATH"],
                   "USER": "x", "PYTHONHASHSEED": "3", "TMPDIR": "/nonexistent", "LANGUAGE": "de"}
    layered(own_project)
    own_project.build(env=environment)
    agree(seen, own_project.diff_ids())


def test_the_umask_makes_no_difference(project, seen):
    layered(project)
    project.varve.run("sh", "-c", 'umask 077; exec "$@"', "sh", project.varve.binary, "build", "r.yaml")
    agree(seen, project.diff_ids())
    assert project.varve("run", NAME, "cat", "/opt/app/a").stdout == "a"


def test_another_directory_and_store_make_no_difference(own_project, seen):
    layered(own_project)
    deep = own_project.varve.path("one", "two " + "x" * 100)
    deep.mkdir(parents=True)
    for name in ("app", "root", "r.yaml"):
        shutil.move(own_project.varve.path(name), deep / name)
    own_project.account.own(own_project.varve.path("one"))
    store = own_project.varve.path("s", "y" * 100)
    own_project.build(file=deep / "r.yaml", cwd="/", env={"VARVE_STORE": store})
    agree(seen, Image(store, NAME).config["rootfs"]["diff_ids"])


def test_the_order_of_creation_makes_no_difference(own_project, seen):
    layered(own_project, order=-1).build()
    agree(seen, own_project.diff_ids())


def test_the_number_of_cores_makes_no_difference(own_project, seen, need):
    need("taskset")
    layered(own_project)
    core = str(min(os.sched_getaffinity(0)))
    done = own_project.varve.run("taskset", "-c", core, own_project.varve.binary, "build", "r.yaml", "-j1")
    assert done.returncode == 0, done.stderr
    one = own_project.image()
    agree(seen, own_project.diff_ids())
    other = layered(Project(type(own_project.varve)(own_project.varve.binary, own_project.account)))
    other.build("-j8")
    assert other.image().manifest == one.manifest  # also the compressed bytes


def test_the_times_of_sources_make_no_difference(own_project, seen):
    layered(own_project)
    for root, directories, files in os.walk(own_project.varve.path("app")):
        for number, name in enumerate([*directories, *files]):
            os.utime(os.path.join(root, name), (number, 86400 * 365 * 60 + number), follow_symlinks=False)
    own_project.build()
    agree(seen, own_project.diff_ids())


@pytest.mark.parametrize("compression", ["gzip", "none", "zstd:1"])
def test_the_compression_makes_no_difference(own_project, seen, compression):
    layered(own_project).build("--compression", compression)
    agree(seen, own_project.diff_ids())


def test_building_again_after_everything_was_removed(project, seen):
    layered(project).build()
    first = project.image()
    project.varve.store = project.varve.path("fresh")
    project.varve.env["VARVE_STORE"] = project.varve.store
    project.build()
    agree(seen, project.diff_ids())
    assert project.image().descriptor == first.descriptor


# --- what the image holds ------------------------------------------------------------------------

LIST = r"""cd / && find . -xdev ! -path './proc*' ! -path './dev*' ! -path './tmp*' ! -path './run*' ! -path . -print0 |
xargs -0 stat -c '%f %u %g %Y %s %n'; find . -xdev -type f ! -path './proc*' ! -path './dev*' -print0 | xargs -0 sha256sum;
find . -xdev -type l ! -path './proc*' ! -path './dev*' | while IFS= read -r name; do echo "-> $(readlink "$name") $name"; done"""
TYPES = {"8": "f", "4": "d", "a": "l", "1": "p"}


def inside_view(project):
    """name -> (kind, mode, uid, gid, mtime), name -> sha256 or link target, as the image's own programs see it."""
    attributes, contents = {}, {}
    for line in project.inside(LIST).stdout.splitlines():
        if line.startswith("-> "):
            _, target, name = line.split(" ", 2)
            contents[name[2:]] = target
        elif re.match("[0-9a-f]{64}  ", line):
            contents[line[68:]] = line[:64]
        else:
            mode, uid, gid, mtime, _, name = line.split(" ", 5)
            kind = TYPES[mode[0]] if len(mode) == 4 else mode
            attributes[name[2:]] = (kind, int(mode, 16) & 0o7777, int(uid), int(gid), int(mtime))
    return attributes, contents


def unpacked_view(files):
    attributes, contents = {}, {}
    for name, file in files.items():
        mode = 0o777 if file.kind == "l" else file.mode
        attributes[name] = (file.kind, mode, file.uid, file.gid, file.mtime)
        if file.kind == "f":
            contents[name] = hashlib.sha256(file.data).hexdigest()
        elif file.kind == "l":
            contents[name] = file.link
    return attributes, contents


def no_dot(view):
    """Without the four directories that every container gets."""
    return {name: value for name, value in view.items() if name not in ("proc", "dev", "tmp", "run")}


@pytest.mark.parametrize("fresh", [False, True], ids=["as built", "as unpacked"])
def test_an_image_shows_what_its_blobs_hold(project, fresh):
    """Trees that steps left, and trees unpacked from blobs, against Python's tarfile."""
    layered(project).build()
    if fresh:
        project.varve("gc", "--trees")
    mine, theirs = inside_view(project), unpacked_view(project.image().files)
    without_times = [{name: value[:4] if value[0] == "d" else value for name, value in no_dot(view).items()}
                     for view in (mine[0], theirs[0])]
    assert without_times[0] == without_times[1]
    assert no_dot(mine[1]) == no_dot(theirs[1])


def test_entries_of_a_layer_are_the_changes_and_no_more(project):
    layered(project).build()
    layer = project.layer()
    assert {name: file.kind for name, file in layer.items()} == {
        "w/-dash": "d", "w/.wh..hidden": "f", "w/.wh.gone": "f", "w/dir/.wh.two": "f", "w/fifo": "p", "w/new": "f",
        "w/one.new": "f", "w/opaque/.wh.old": "f", "w/opaque/.wh.y": "f", "w/opaque/z": "f"}


def test_hard_links_stay_links(project):
    project.recipe([run("make", "echo x >/b; ln /b /a; mkdir /d; ln /b /d/c; ln -s b /l"), run("more", "ln /b /e"),
                    run("break", "echo y >>/a")])
    project.build()
    one, more, broken = project.image().layers[1:]
    assert (one["a"].kind, one["b"].kind, one["b"].link, one["d/c"].link) == ("f", "h", "a", "a")
    assert sorted(more) == ["b", "e"] and more["e"].link == "b"
    assert sorted(broken) == ["a"] and broken["a"].data == b"x\ny\n"
    assert project.inside("cat /a /b /e").stdout == "x\ny\nx\nx\n"
    assert [project.image().files[name].data for name in "abe"] == [b"x\ny\n", b"x\n", b"x\n"]


def test_set_id_bits_and_owners(project):
    project.recipe([run("make", "touch /u /g /ug; chown 1:2 /u /g /ug; chmod 4755 /u; chmod 2755 /g; chmod 6711 /ug; mkdir -m 3777 /t"),
                    run("same", "chmod 4755 /u; chown 1:2 /g; chmod 2755 /g"), run("clear", "chown 1:2 /ug")])
    project.build()
    make, *rest = project.image().layers[1:]
    assert {name: file.mode for name, file in make.items()} == {"u": 0o4755, "g": 0o2755, "ug": 0o6711, "t": 0o3777}
    clear = rest[-1]
    assert {name: file.mode for name, file in clear.items()} == {"ug": 0o711}
    history = project.image().config["history"]
    assert [one.get("empty_layer", False) for one in history] == [False, False, True, False]


TOOL = r"""
// tool NAME FILE VALUE: sets an xattr; tool NAME FILE: prints it; tool cap FILE; tool socket PATH
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
int main(int argc, char **argv)
{
	static const unsigned char cap[20] = {1, 0, 0, 2, 0, 4, 0, 0};
	char value[64];
	ssize_t len, i;
	if (argc == 4)
		return setxattr(argv[2], argv[1], argv[3], strlen(argv[3]), 0) ? perror("setxattr"), 1 : 0;
	if (!strcmp(argv[1], "cap"))
		return setxattr(argv[2], "security.capability", cap, sizeof(cap), 0) ? perror("setcap"), 1 : 0;
	if (!strcmp(argv[1], "socket")) {
		struct sockaddr_un where = {.sun_family = AF_UNIX};
		strcpy(where.sun_path, argv[2]);
		return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&where, sizeof(where)) ? perror("bind"), 1 : 0;
	}
	len = getxattr(argv[2], argv[1], value, sizeof(value));
	for (i = 0; i < len; i++)
		printf("%02x", value[i] & 255);
	puts(len < 0 ? "none" : "");
	return 0;
}
"""


def add_tool(project):
    tool = compiled(TOOL)
    if tool is None:
        pytest.skip("no compiler")
    project.busybox(more={"bin/tool": (tool.read_bytes(), 0o755)})


@pytest.mark.parametrize("fresh", [False, True], ids=["as built", "as unpacked"])
def test_extended_attributes_and_capabilities(project, fresh):
    add_tool(project)
    project.recipe([run("make", "touch /f /c; mkdir /d; tool user.x /f value; tool user.y /d z; tool cap /c"),
                    run("same", "tool user.x /f value; tool cap /c")])
    project.build()
    capability = bytes([1, 0, 0, 2, 0, 4, 0, 0]) + bytes(12)
    layer = project.layer()
    assert {name: file.xattrs for name, file in layer.items()} == {
        "f": {"user.x": b"value"}, "d": {"user.y": b"z"}, "c": {"security.capability": capability}}
    assert len(project.image().layers) == 2  # the same again is no change
    if fresh:
        project.varve("gc", "--trees")
    told = project.inside("tool user.x /f; tool user.y /d; tool security.capability /c; tool user.overlay.origin /f").stdout
    assert told.split() == [b"value".hex(), b"z".hex(), capability.hex(), "none"]


def test_copy_goes_through_links_of_the_image(project):
    project.busybox(merged_usr=True)
    project.tree("app", {"tool": ("#!/bin/sh\necho tool\n", 0o755)})
    project.recipe([run("links", "mkdir -p /data/v1; ln -s v1 /data/now; ln -s /data/now /srv"),
                    copy("bin", "app", "/bin/"), copy("srv", "app", "/srv/app")], sources=APP)
    project.build()
    layers = project.image().layers
    assert sorted(layers[2]) == ["usr/bin/tool"] and sorted(layers[3]) == ["data/v1/app", "data/v1/app/tool"]
    assert project.inside("tool; cat /srv/app/tool >/dev/null; readlink /bin").stdout == "tool\nusr/bin\n"


def test_a_link_that_leads_out_stays_in(project):
    project.tree("app", {"f": "x"})
    project.recipe([run("links", "ln -s ../../../../../../tmp/varve-escape /up; ln -s / /self"), copy("up", "app", "/up/in"),
                    copy("self", "app", "/self/self/top")], sources=APP)
    project.build()
    assert not os.path.exists("/tmp/varve-escape")
    files = project.image().files
    assert files["top/f"].data == b"x" and files["tmp/varve-escape/in/f"].data == b"x"


def test_what_is_the_same_as_before_is_no_change(project):
    project.recipe([run("make", "mkdir /d; echo x >/d/x; seq 1000 >/d/y; ln -s x /d/l"),
                    run("rewrite", "cp /d/x /tmp/x; rm /d/x; cp /tmp/x /d/x; touch /d/y /d; chmod 644 /d/y; ln -sf x /d/l"),
                    run("again", "cp -r /d /tmp/d; rm -r /d; cp -r /tmp/d /d")])
    project.build()
    history = project.image().config["history"]
    assert [one.get("empty_layer", False) for one in history] == [False, False, True, True]
    assert project.inside("cat /d/x /d/l").stdout == "x\nx\n"


def test_a_file_becomes_a_directory_and_back(project):
    project.recipe([run("make", "echo f >/a; mkdir -p /b/c; echo g >/b/c/d; ln -s b /l"),
                    run("swap", "rm /a; mkdir /a; echo in >/a/x; rm -r /b; echo now >/b; rm /l; mkdir /l; echo y >/l/y"),
                    run("back", "rm -r /a; echo f >/a; rm /b; mkdir -p /b/c; rm -r /l; ln -s b /l")])
    project.build()
    layers = project.image().layers
    assert sorted(layers[2]) == ["a", "a/x", "b", "l", "l/y"] and sorted(layers[3]) == ["a", "b", "b/c", "l"]
    assert project.inside("cat /a; ls /b/c; readlink /l").stdout == "f\nb\n"
    project.varve("gc", "--trees")
    assert project.inside("cat /a; ls /b/c; readlink /l").stdout == "f\nb\n"


def test_sockets_are_left_out_with_a_notice(project):
    add_tool(project)
    project.recipe([run("socket", "tool socket /s; mkfifo /p")])
    build = project.build()
    assert sorted(project.layer()) == ["p"]
    assert [event["text"] for event in build.events if event["event"] == "notice" and "socket" in event["text"]]


def test_a_name_that_layers_cannot_hold(project):
    project.recipe([run("bad", "touch /.wh.x")])
    build = project.build(rc=1)
    assert "main/bad" in build.text and ".wh.x" in build.text


def test_a_big_file_with_holes(project):
    project.recipe([run("sparse", "dd if=/dev/zero of=/s bs=1 count=1 seek=30000000 2>/dev/null; echo end >>/s")])
    project.build()
    file = project.layer()["s"]
    assert len(file.data) == 30000005 and file.data.endswith(b"end\n") and not file.data[:-4].strip(b"\0")
    project.varve("gc", "--trees")
    assert project.inside("stat -c '%s' /s; tail -c 4 /s").stdout == "30000005\nend\n"


def test_many_steps(own_project):
    own_project.recipe([run(f"s{n}", f"echo {n} >/f{n}; rm -f /f{n - 3}") for n in range(60)])
    own_project.build()
    assert own_project.inside("ls / | grep '^f'").stdout.split() == ["f57", "f58", "f59"]
    assert sorted(name for name in own_project.image().files if re.match(r"f\d", name)) == ["f57", "f58", "f59"]


@pytest.mark.slow
def test_more_layers_than_the_kernel_mounts(project):
    """The lowest ones of them are shown as one: with what they put over each other, and what they took away."""
    project.tree("many", {f"d{n}/f": str(n) for n in range(59)})
    steps = [run("first", "mkdir /first /first/gone; touch /first/too /first/stays; chmod 2711 /first; echo 1 >/common"),
             run("second", "rm -r /first/gone /first/too; echo 2 >>/common")]
    steps += [copy(f"c{part}", "many", f"/p{part}", split={"directories": [f"/p{part}/d{n}" for n in range(59)]}) for part in range(9)]
    steps.append(run("third", "find /p? /first /common >/found; rm /p0/d7/f /p8/d7/f; echo 3 >>/common"))
    project.recipe(steps, sources={"many": {"kind": "local", "path": "many"}})
    project.build()
    image = project.image()
    assert len(image.manifest["layers"]) > 500
    found = image.files.pop("found").data.decode().split()
    assert sorted(found) == sorted({"/p0/d7/f", "/p8/d7/f"} | {f"/{name}" for name in image.files if re.match("p[0-9]|first|common", name)})
    shown = project.inside("find /p? /first /common | sort; cat /common /p3/d58/f; stat -c ' %a' /first").stdout.split()
    assert shown == sorted(set(found) - {"/p0/d7/f", "/p8/d7/f"}) + ["1", "2", "3", "58", "2711"]


def test_zstd_reads_the_blobs(own_project, need):
    need("zstd")
    layered(own_project).build()
    for layer in own_project.image().manifest["layers"]:
        subprocess.run(["zstd", "-tq", own_project.image().blob(layer["digest"])], check=True)
