# SPDX-License-Identifier: Apache-2.0
"""Steps that become several layers: together they are what one layer would be, and a small change is a small one."""
import os
import random
import subprocess

import pytest
from oci_image import parents
from registries import bed  # noqa: F401  fixture
from support import NAME, copy, own_project, project, project_of, run  # noqa: F401  fixtures
from test_layers import APP, CHANGE, FILES, MAKE

# What splitting may lose: links across parts, attributes of directories that several parts have, whiteouts.
MORE = """
mkdir -p /w/far/away/deep /w/times/a /w/times/b /w/hollow /w/closed
ln /w/one /w/far/away/deep/one; ln /w/far/away/deep/one /w/times/b/one; ln /w/numbers /w/times/a/numbers
seq 3000 >/w/times/a/x; seq 3000 >/w/times/b/y; seq 3000 >/w/far/away/z
mkfifo /w/times/pipe; ln /w/times/pipe /w/far/pipe; ln -s x /w/times/a/s; ln /w/times/a/s /w/far/s
chown 7:8 /w/times /w/far/away; chmod 2751 /w/times; chmod 700 /w/closed; seq 9000 >/w/closed/big; chmod 500 /w/closed
touch -d '1999-01-01 00:00:00' /w/times/a/x /w/times /w/far /w/far/away /w/hollow
"""
TWICE = "seq 5000 >/w/times/a/x; rm /w/times/b/y /w/far/away/z; rm -r /w/hollow; echo empty >/w/hollow; rm /w/one; mkdir /w/one; seq 900 >/w/one/x"
SPLITS = {"size": {"maximum": "8kB"}, "directories": {"directories": ["/w/far", "w/times/b", "/w/times", "/w/none"]},
          "both": {"directories": ["/w/times/a"], "maximum": "16K"}}


def steps(split):
    fields = {"split": split} if split else {}
    return [copy("app", "app", "/opt/app", **fields), run("make", MAKE + MORE, mounts={"/src": "app"}, **fields),
            run("change", CHANGE + TWICE, **fields)]


def build(project, split):  # noqa: F811
    project.tree("app", FILES)
    project.recipe(steps(split), sources=APP)
    return project.build()


def seen(image):
    """name -> all that can be seen of it; names of one inode share a set."""
    files = image.files
    names = {}
    for name, file in files.items():
        names.setdefault(id(file), set()).add(name)
    return {name: (file.kind, file.mode, file.uid, file.gid, file.mtime, file.data, file.kind == "l" and file.link,
                   tuple(sorted(file.xattrs.items())), frozenset(names[id(file)])) for name, file in files.items()}


def assert_same(whole, divided):
    assert set(whole) == set(divided)
    assert {name: (whole[name], divided[name]) for name in whole if whole[name] != divided[name]} == {}


def test_the_parts_together_are_the_layer(project):  # noqa: F811
    build(project, None)
    whole = project.image()
    view = seen(whole)
    assert len(view["w/one"][8] if view["w/one"][0] == "f" else view["w/aaa"][8]) >= 3  # the test has links
    for name, split in SPLITS.items():
        told = build(project, split)
        image = project.image()
        assert len(image.manifest["layers"]) > len(whole.manifest["layers"]), name
        assert_same(view, seen(image))
        project.varve("verify", NAME)
        assert any("makes nothing in /w/none" in str(event) for event in told.events) == ("none" in str(split))


def test_each_account_makes_the_same_parts(project_of):  # noqa: F811
    made = {}
    for account in ("root", "subuid", "one"):
        project = project_of(account)  # noqa: F811
        build(project, SPLITS["both"])
        made[account] = project.diff_ids()
    assert made["root"] == made["subuid"] == made["one"]


def test_no_part_is_larger_than_said(own_project):  # noqa: F811
    build(own_project, {"maximum": "60kB"})
    for layer in own_project.image().layers[1:]:
        files = [file for file in layer.values() if file.kind == "f"]
        assert len(files) == 1 or sum(len(file.data) for file in files) <= 60000


def test_each_part_says_all_of_its_directories(own_project):  # noqa: F811
    """Any reader then ends with the right owners and times, in whatever way it makes parents."""
    build(own_project, SPLITS["both"])
    for number, layer in enumerate(own_project.image().layers):
        below = set().union(*(set(one) for one in own_project.image().layers[:number]), {"w", "opt"})
        for name in layer:
            assert all(parent in layer or parent in below for parent in parents(name)), name
    assert sum("w/times" in layer for layer in own_project.image().layers) > 1


def tree_of(top):
    found = {}
    for root, directories, files in os.walk(top):
        for name in [*directories, *files]:
            path = os.path.join(root, name)
            st = os.lstat(path)
            inode = st.st_ino if st.st_nlink > 1 and name not in directories else 0
            if path != f"{top}/opt":  # no layer says anything of it: its time is that of the unpacking
                found[os.path.relpath(path, top)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime, inode and st.st_nlink)
    return found


def test_umoci_unpacks_the_same_tree(own_project, need, tmp_path):  # noqa: F811
    need("umoci")
    if os.geteuid():
        pytest.skip("needs root: umoci gives owners")
    own_project.tree("app", FILES)
    trees = []
    for number, split in enumerate([None, *SPLITS.values()]):
        own_project.recipe(steps(split), sources=APP)
        own_project.build("--compression", "gzip", "-o", f"oci:{own_project.varve.path(f'out{number}')}:x")
        subprocess.run(["umoci", "unpack", "--image", f"{own_project.varve.path(f'out{number}')}:x", tmp_path / str(number)],
                       check=True, capture_output=True)
        trees.append(tree_of(tmp_path / str(number) / "rootfs"))
    assert trees[1] == trees[0] and trees[2] == trees[0] and trees[3] == trees[0]


def test_later_steps_and_the_image_see_all_parts(project):  # noqa: F811
    build(project, SPLITS["size"])
    project.varve("gc", "--trees")  # the parts are unpacked again
    look = "cd /w && cat one/x times/a/x closed/big | sha256sum && find . | sort | sha256sum && stat -c '%a %u %g %Y' times far/away"
    divided = project.inside(look).stdout
    build(project, None)
    assert project.inside(look).stdout == divided


# --- small changes -------------------------------------------------------------------------------

def many(seed=5, count=400):
    rng = random.Random(seed)
    return {f"p{rng.randrange(40)}/m{rng.randrange(4)}/f{number}": rng.randbytes(rng.randrange(20, 4000)) for number in range(count)}


def split_tree(project, files):  # noqa: F811
    project.tree("app", files)
    project.recipe([copy("app", "app", "/opt/app", split={"maximum": "60kB"})], sources=APP)


def test_one_changed_file_changes_one_part(own_project):  # noqa: F811
    files = many()
    split_tree(own_project, files)
    own_project.build()
    before = {one["digest"] for one in own_project.image().manifest["layers"]}
    changed = []
    for name in random.Random(1).sample(sorted(files), 6):
        own_project.tree("app", {name: files[name] + b"more"})
        own_project.build()
        after = {one["digest"] for one in own_project.image().manifest["layers"]}
        changed.append(len(before - after))
        own_project.tree("app", {name: files[name]})
    assert len(before) > 15 and changed == [1] * 6


def test_a_push_sends_that_part_only(own_project, bed):  # noqa: F811
    registry = bed.open()
    files = many()
    split_tree(own_project, files)
    copied = f"docker://{registry.host}/team/app:1"
    own_project.build()
    own_project.varve("copy", "store:t/main:latest", copied)
    whole = registry.journal.uploaded()
    registry.journal.clear()
    own_project.tree("app", {next(iter(files)): b"other"})
    own_project.build()
    own_project.varve("copy", "store:t/main:latest", copied)
    new = own_project.image().manifest
    assert 0 < registry.journal.uploaded() < whole / 10
    assert {one["digest"] for one in new["layers"]} <= set(registry.content.repository("team/app").blobs)


def test_a_shared_cache_holds_the_parts(own_project, bed):  # noqa: F811
    registry = bed.open()
    build(own_project, SPLITS["both"])
    cache = f"docker://{registry.host}/team/cache"
    first = own_project.build("--cache-to", cache).digests
    other = own_project.build("--cache-from", cache, env={"VARVE_STORE": own_project.varve.path("fresh")})
    assert other.ran == [] and other.digests == first


def test_gc_and_bundles_keep_the_parts(own_project):  # noqa: F811
    first = build(own_project, SPLITS["both"]).digests
    own_project.varve("bundle", "create", "r.yaml", "-o", "oci-archive:b.tar", "--layers")
    own_project.varve("gc")
    again = own_project.build()
    assert again.ran == [] and again.digests == first
    assert own_project.varve("bundle", "import", "oci-archive:b.tar", "in", "--layers", "--store", own_project.varve.path("other"))
    third = own_project.build("--offline", "--store", own_project.varve.path("other"), file="in/r.yaml")
    assert third.ran == [] and third.digests == first


def test_plan_explain_and_history_tell_of_it(own_project):  # noqa: F811
    build(own_project, None)
    keys = {name: step["key"] for name, step in own_project.plan().items()}
    own_project.recipe(steps(SPLITS["both"]), sources=APP)
    told = own_project.varve("explain", "r.yaml", "copy" if "main/copy" in keys else "app", rc=None).stdout
    assert "split" in told
    own_project.build()
    plan = own_project.plan()
    assert plan["main/app"]["input"]["split"] == {"directories": ["w/times/a"], "maximum": 16384}
    assert "split" not in plan["main/root"]["input"] and plan["main/root"]["key"] == keys["main/root"]
    history = [one for one in own_project.image().config["history"] if plan["main/make"]["key"] in one["comment"]]
    assert len(history) > 2 and history[0]["created_by"].endswith(f"(layer 1 of {len(history)})")


def test_more_parts_than_an_image_may_have(own_project):  # noqa: F811
    own_project.tree("app", {f"f{number}": os.urandom(3000) for number in range(200)})
    own_project.recipe([copy("app", "app", "/opt/app", split={"maximum": "1kB"})], sources=APP)
    told = own_project.build()
    assert any("split: more than 60 layers of 1.0 kB each" in str(event) for event in told.events)
    assert 10 < len(own_project.image().manifest["layers"]) <= 61


def test_links_out_of_a_directory_that_is_there_below(project):  # noqa: F811
    """The directory goes with the link's part, and the one that is left empty does not stay behind."""
    project.recipe([run("below", "mkdir -p /a/x /b/y; chown 3:4 /b/y; touch -d '1979-01-01 00:00:00' /b/y"),
                    run("links", "seq 2000 >/a/x/one; ln /a/x/one /b/y/two", split={"directories": ["/b"]})])
    project.build()
    layers = project.image().layers
    assert len(layers) == 3 and set(layers[2]) == {"a/x/one", "b/y/two"}
    assert project.inside("stat -c '%u %g %Y' /b/y; stat -c %h /a/x/one; rm /b/y/two; seq 2000 | cmp - /a/x/one").stdout.split() == [
        "3", "4", "283996800", "2"]
