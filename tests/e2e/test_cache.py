# SPDX-License-Identifier: Apache-2.0
"""What runs again, what does not, and how the program says so before."""
import hashlib
import json
import os
import re
import shutil
import time

import pytest
from support import NAME, ROOT, Project, copy, own_project, project, run  # noqa: F401  fixtures

APP = {"app": {"kind": "local", "path": "app"}}


def app_recipe(project, **more):
    """A chain root - prepare - use (reads the source app) - last."""
    project.tree("app", {"a": "1\n", "b": "2\n"})
    project.recipe([run("prepare", "echo p >/p"), run("use", "cat /src/a >/u", mounts={"/src": "app"}), run("last", "cat /u >/l")],
                   sources=APP, **more)


# --- nothing changed -----------------------------------------------------------------------------

def snapshot(store):
    """Names, sizes and times of all files that are not mere caches."""
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in store.rglob("*")
            if not {"lock", "tmp"} & set(path.relative_to(store).parts)}


def test_a_second_build_runs_and_writes_nothing(project):
    app_recipe(project)
    first = project.build()
    before = snapshot(project.varve.store)
    second = project.build()
    assert second.ran == [] and second.digests == first.digests
    assert sorted(second.steps("cached")) == first.ran
    assert snapshot(project.varve.store) == before


def test_names_of_steps_do_not_count(own_project):
    own_project.recipe([run("one", "echo 1 >/1")])
    own_project.build()
    own_project.recipe([run("renamed", "echo 1 >/1")])
    assert own_project.build().ran == []


def test_two_recipes_share_layers(own_project):
    own_project.recipe([run("one", "echo 1 >/1")])
    own_project.build()
    own_project.recipe([run("uno", "echo 1 >/1"), run("two", "echo 2 >/2")], file="other.yaml", name="other")
    assert own_project.build(file="other.yaml").ran == ["main/two"]


# --- something changed ---------------------------------------------------------------------------

def test_only_what_depends_on_a_change_runs(own_project):
    app_recipe(own_project)
    own_project.build()
    own_project.tree("app", {"a": "one\n"})
    assert own_project.build().ran == ["main/last", "main/use"]
    assert own_project.image().files["l"].data == b"one\n"


def test_equal_bytes_stop_the_rebuild(project):
    app_recipe(project)
    before = project.build().digests
    layers = project.diff_ids()
    project.tree("app", {"b": "not read by the step\n"})
    build = project.build()
    assert build.ran == ["main/use"] and "main/last" in build.steps("cached")
    assert project.diff_ids() == layers
    assert build.digests != before  # history names the step's new key
    assert project.build().ran == []


def test_a_change_undone_is_a_hit(own_project):
    app_recipe(own_project)
    first = own_project.build()
    own_project.tree("app", {"a": "one\n"})
    own_project.build()
    own_project.tree("app", {"a": "1\n"})
    again = own_project.build()
    assert again.ran == [] and again.digests == first.digests


def test_touching_a_source_changes_nothing(own_project):
    app_recipe(own_project)
    own_project.build()
    os.utime(own_project.varve.path("app/a"), (1, 1))
    (own_project.varve.path("app/b")).write_text("2\n")
    assert own_project.build().ran == []


def test_a_source_file_of_the_same_size_and_time_is_noticed(own_project):
    app_recipe(own_project)
    own_project.build()
    path = own_project.varve.path("app/a")
    before = path.stat()
    path.write_text("9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert own_project.build().ran == ["main/last", "main/use"]


@pytest.mark.parametrize("change", [{"environment": {"A": "2"}}, {"workdir": "/etc"}, {"network": "host"},
                                    {"scrub": ["/nothing"]}, {"ownership": [{"path": "/x", "uid": 1}]},
                                    {"secrets": ["s"]}, {"shell": ["/bin/ash", "-c"]}, {"caches": {"/c": "c"}}],
                         ids=lambda change: next(iter(change)))
def test_each_field_of_a_step_counts(own_project, change):
    own_project.varve.write("s", "secret")
    fields = {"environment": {"A": "1"}}
    own_project.recipe([run("step", "true", **fields)])
    own_project.build("--secret", "s=s")
    own_project.recipe([run("step", "true", **{**fields, **change})])
    assert own_project.build("--secret", "s=s").ran == ["main/step"]


def test_the_environment_of_a_stage_counts_and_that_of_the_host_does_not(own_project):
    def recipe(value):
        own_project.recipe(stages={"main": {"environment": {"V": value}, "steps": [ROOT, run("step", "echo $V >/v")]}})
    recipe("1")
    own_project.build()
    assert own_project.build(env={"V": "9", "LANG": "de_DE"}).ran == []
    recipe("2")
    assert own_project.build().ran == ["main/step"]


def test_a_copy_is_reused_on_another_base(own_project):
    own_project.tree("app", {"a": "1\n"})
    stages = {"other": {"steps": [ROOT, run("base", "echo other >/base"), copy("app", "app", "/opt/app")]}}
    images = {"main": {"stage": "main", "name": NAME}, "other": {"stage": "other", "name": "t/other:1"}}
    own_project.recipe([copy("app", "app", "/opt/app")], sources=APP, stages=stages, images=images)
    build = own_project.build("-i", "main")
    build = own_project.build()
    assert build.ran == ["other/base"]
    assert own_project.diff_ids("t/other:1")[-1] == own_project.diff_ids()[-1]


def test_a_copy_through_a_link_is_not(own_project):
    own_project.tree("app", {"a": "1\n"})
    stages = {"other": {"steps": [ROOT, run("base", "mkdir /real; ln -s real /opt"), copy("app", "app", "/opt/app")]}}
    images = {"main": {"stage": "main", "name": NAME}, "other": {"stage": "other", "name": "t/other:1"}}
    own_project.recipe([copy("app", "app", "/opt/app")], sources=APP, stages=stages, images=images)
    own_project.build()
    assert sorted(own_project.layer(name="t/other:1")) == ["real/app", "real/app/a"]
    assert own_project.inside("cat /opt/app/a; readlink /opt", image="t/other:1").stdout == "1\nreal\n"
    assert own_project.build().ran == []


# --- at the same time ----------------------------------------------------------------------------

def test_independent_steps_run_at_the_same_time(project):
    def meets(own, other):
        wait = f"touch /meet/{own}; n=0; while [ ! -e /meet/{other} ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done"
        return run("meet", f"{wait}; [ -e /meet/{other} ]", caches={"/meet": "meet"})
    stages = {"one": {"from": "base", "steps": [meets("one", "two")]}, "two": {"from": "base", "steps": [meets("two", "one")]},
              "base": {"steps": [ROOT]}, "main": {"from": "base", "steps": [copy("a", "one:/etc", "/a"), copy("b", "two:/etc", "/b")]}}
    project.recipe(stages=stages)
    build = project.build("-j2")
    assert build.ran == ["base/root", "main/a", "main/b", "one/meet", "two/meet"]


def test_one_job_at_a_time(own_project):
    def alone(name):
        return run("alone", "mkdir /meet/lock && sleep 0.3 && rmdir /meet/lock", caches={"/meet": "alone"}, environment={"N": name})
    stages = {"one": {"from": "base", "steps": [alone("1")]}, "two": {"from": "base", "steps": [alone("2")]},
              "base": {"steps": [ROOT]}, "main": {"from": "base", "steps": [copy("a", "one:/etc", "/a"), copy("b", "two:/etc", "/b")]}}
    own_project.recipe(stages=stages)
    own_project.build("-j1")


# --- plan ----------------------------------------------------------------------------------------

def test_plan_says_what_a_build_would_do(own_project):
    app_recipe(own_project)
    steps = ["main/root", "main/prepare", "main/use", "main/last"]
    assert own_project.verdicts() == dict(zip(steps, ["miss", "depends", "depends", "depends"]))
    assert own_project.plan()["main/use"]["depends-on"] == "main/root"
    own_project.build()
    assert set(own_project.verdicts().values()) == {"hit"}
    own_project.tree("app", {"a": "one\n"})
    assert own_project.verdicts() == dict(zip(steps, ["hit", "hit", "miss", "depends"]))
    text = own_project.varve("plan", "r.yaml").stdout
    assert re.search(r"^ +hit +main/prepare +run +sha256:[0-9a-f]{12}\.\. ", text, re.M)
    assert re.search(r"^ +miss +main/use .*/src", text, re.M)
    assert re.search(r"^ +\? +main/last .*depends on main/use$", text, re.M)
    assert "4 steps: 2 hit, 1 miss, 1 open; 2 sources, 1 image" in text


def test_plan_is_data(own_project):
    app_recipe(own_project)
    own_project.build()
    document = own_project.varve("plan", "r.yaml", "--json").json()
    keys = {step["key"] for step in document["steps"]}
    records = {f"sha256:{path.stem}" for path in own_project.varve.store.glob("steps/*.json")}
    assert keys == records
    for path in own_project.varve.store.glob("steps/*.json"):
        record = json.loads(path.read_text())
        canonical = json.dumps(record["input"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert hashlib.sha256(canonical).hexdigest() == path.stem
    assert document["hermetic"] is True and [image["name"] for image in document["images"]] == [NAME]


def test_plan_as_a_graph(own_project, need):
    app_recipe(own_project)
    graph = own_project.varve("plan", "r.yaml", "--dot").stdout
    assert graph.startswith('digraph "t" {') and graph.rstrip().endswith("}")
    labels = dict(re.findall(r'(step\d+) \[label="(\S+):', graph))
    edges = {(labels.get(one, one), labels.get(other, other)) for one, other in re.findall(r"(\w+) -> (\w+)", graph)}
    assert ("main/root", "main/prepare") in edges and ("main/prepare", "main/use") in edges
    assert len([edge for edge in edges if edge[0].startswith("source")]) == 2


def test_plan_writes_nothing_into_the_store(own_project):
    app_recipe(own_project)
    own_project.build()
    own_project.tree("app", {"a": "one\n"})
    own_project.varve("plan", "r.yaml")
    before = snapshot(own_project.varve.store)
    own_project.varve("plan", "r.yaml")
    assert snapshot(own_project.varve.store) == before


def test_expect_cached(own_project):
    app_recipe(own_project)
    build = own_project.build("--expect-cached", rc=5)
    assert build.ran == [] and "main/root is not cached" in build.text
    own_project.build()
    own_project.build("--expect-cached")
    own_project.tree("app", {"a": "one\n"})
    build = own_project.build("--expect-cached", rc=5)
    assert "main/use is not cached" in build.text and "varve explain" in build.text


# --- explain -------------------------------------------------------------------------------------

def explain(project, step, *arguments):
    return project.varve("explain", "r.yaml", step, *arguments).stdout


def test_explain_names_the_changed_files(own_project):
    app_recipe(own_project)
    own_project.build()
    assert explain(own_project, "use").startswith("main/use: hit: key sha256:")
    own_project.tree("app", {"a": "one\n", "new": "n", "b": ("2\n", 0o755)})
    text = explain(own_project, "use")
    assert text.startswith("main/use: miss: ") and "main/last" in text
    assert re.search(r"\ba changed$", text, re.M) and re.search(r"\bnew added$", text, re.M)
    assert re.search(r"\bb changed its mode$", text, re.M)
    assert explain(own_project, "last").startswith("main/last: depends on main/use")


def test_explain_names_each_changed_member(own_project):
    def recipe(value, command):
        own_project.recipe([run("step", command, environment={"V": value, "W": "w"})])
    recipe("old value", "echo 1 >/x")
    own_project.build()
    recipe("new value", "echo 2 >/x")
    text = explain(own_project, "step")
    assert "2 differences" in text
    assert re.search("environment.V.*old value.*new value", text) and re.search("command.*echo 1.*echo 2", text)
    document = json.loads(explain(own_project, "step", "--json"))
    assert document["step"] == "main/step" and len(document["differences"]) == 2
    assert "echo 2" not in own_project.varve("plan", "r.yaml").stdout.split("main/step")[0]


def test_explain_of_what_was_never_built(own_project):
    own_project.recipe([run("step", "true")])
    assert "no build of this step is known" in explain(own_project, "root")
    result = own_project.varve("explain", "r.yaml", "stop", rc=2)
    assert 'did you mean "step"' in result.stderr


# --- the store loses things ----------------------------------------------------------------------

def test_facts_and_trees_may_be_deleted(project):
    app_recipe(project)
    first = project.build()
    for name in ("facts", "trees", "logs", "lock", "tmp"):
        project.varve.run("chmod", "-R", "u+w", project.varve.store / name)
        shutil.rmtree(project.varve.store / name, ignore_errors=True)
        if (project.varve.store / name).exists():
            project.varve.run("unshare", "--map-auto", "--map-root-user", "rm", "-rf", project.varve.store / name)
    second = project.build()
    assert second.ran == [] and second.digests == first.digests
    assert project.inside("cat /l").stdout == "1\n"
    shutil.rmtree(project.varve.store / "trees", ignore_errors=True)
    project.tree("app", {"a": "one\n"})
    assert project.build().ran == ["main/last", "main/use"]
    assert project.image().files["l"].data == b"one\n"


def age(path, days):
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def test_gc_keeps_images_and_recent_steps(project):
    app_recipe(project)
    first = project.build()
    old = [newest_record(project, f"main/{step}") for step in ("use", "last")]
    project.tree("app", {"a": "one\n"})
    project.build()
    for path in old:
        age(path, 20)
    blobs = len(list(project.varve.store.glob("blobs/sha256/*")))
    assert project.varve("gc", "--dry-run").stdout.startswith("would free")
    assert len(list(project.varve.store.glob("blobs/sha256/*"))) == blobs and all(path.exists() for path in old)
    freed = project.varve("gc", "--json").json()
    assert freed["records"] == 2 and freed["blobs"] >= 2
    assert len(list(project.varve.store.glob("blobs/sha256/*"))) == blobs - freed["blobs"]
    assert project.build().ran == []
    assert project.inside("cat /l").stdout == "one\n"
    project.tree("app", {"a": "1\n"})
    again = project.build()
    assert again.ran == ["main/last", "main/use"] and again.digests == first.digests


def test_gc_of_everything_but_the_images(project):
    app_recipe(project)
    first = project.build()
    project.varve("gc", "--keep", "0")
    assert project.inside("cat /l").stdout == "1\n"
    assert project.build().digests == first.digests


def test_gc_of_trees_caches_and_logs(project):
    project.recipe([run("step", "echo x >/c/x; touch /y", caches={"/c": "c"})])
    project.build()
    project.varve("gc", "--trees", "--caches", "--logs")
    assert [name for name in ("trees/*/*", "caches/c/*", "logs/*") if list(project.varve.store.glob(name))] == []
    assert project.build().ran == []
    assert project.inside("ls /y").stdout == "/y\n"


def test_du_adds_up(own_project):
    own_project.recipe()
    own_project.build()
    usage = own_project.varve("du", "--json").json()
    assert usage["total"] == sum(value for name, value in usage.items() if name != "total") > 1 << 20
    assert usage["blobs"] > 0 and usage["trees"] > 0 and usage["records"] > 0


# --- the store is damaged ------------------------------------------------------------------------

def newest_record(project, step):
    [path] = [path for path in project.varve.store.glob("steps/*.json") if json.loads(path.read_text())["step"] == f"t/{step}"]
    return path


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"varve-record":1}', b"\0\xff" * 100],
                         ids=["empty", "cut", "null", "little", "junk"])
def test_a_damaged_record_is_a_miss(own_project, damage):
    app_recipe(own_project)
    first = own_project.build()
    newest_record(own_project, "main/use").write_bytes(damage)
    second = own_project.build()
    assert second.ran == ["main/use"] and second.digests == first.digests


def test_a_record_of_something_else_is_a_miss(own_project):
    app_recipe(own_project)
    own_project.build()
    path = newest_record(own_project, "main/use")
    path.write_bytes(newest_record(own_project, "main/prepare").read_bytes())
    assert own_project.build().ran == ["main/use"]


def test_a_missing_blob_is_a_miss(own_project):
    app_recipe(own_project)
    first = own_project.build()
    own_project.image().blob(own_project.image().manifest["layers"][2]["digest"]).unlink()
    second = own_project.build()
    assert second.ran == ["main/use"] and second.digests == first.digests


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["layer", "config", "manifest"])
def test_a_damaged_blob_is_noticed(project, what):
    app_recipe(project)
    first = project.build()
    image = project.image()
    digest = {"layer": image.manifest["layers"][0]["digest"], "config": image.manifest["config"]["digest"],
              "manifest": image.descriptor["digest"]}[what]
    damage(image.blob(digest))
    shutil.rmtree(project.varve.path("out"), ignore_errors=True)
    build = project.build("-o", "oci-archive:out.tar", rc=None)
    if build.result.rc != 0:
        assert digest in build.text and "damaged" in build.text
        build = project.build("-o", "oci-archive:out.tar")
    assert build.digests == first.digests
    assert project.image().files["l"].data == b"1\n"


def test_a_tree_that_lost_a_file_is_not_believed_for_ever(own_project):
    """Trees are caches: after their removal everything comes from the blobs."""
    app_recipe(own_project)
    own_project.build()
    own_project.varve("gc", "--trees")
    assert own_project.inside("cat /u /l /p").stdout == "1\n1\np\n"
