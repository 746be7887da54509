# SPDX-License-Identifier: Apache-2.0
"""varve audit: an image is built again from what it says of itself; steps that make other bytes are named."""
import hashlib
import io
import json
import shutil
import tarfile

import pytest
from support import NAME, copy, own_project, project, project_of, run  # noqa: F401  fixtures
from test_provenance import INPUTS, STATEMENT, provenance

FINE = run("fine", "echo fine >/fine; printf '%s\\n' c a b | sort >/sorted; mkdir -p /d/e; chmod 700 /d")
# Bytes that differ each time; the file, its class, and the rule where its place alone tells it.
BAD = {
    "date": ("sleep 1; date +%s >/now", "now", None),
    "chance": ("head -c 32 /dev/urandom >/key", "key", None),
    "log": ("mkdir -p /var/log && cat /proc/uptime >/var/log/setup.log", "var/log/setup.log", "dpkg-log"),
    "machine": ("head -c 16 /dev/urandom | hexdump -e '16/1 \"%02x\"' >/etc/machine-id", "etc/machine-id", "machine-id"),
    "ninja": ("mkdir /b && cat /proc/uptime >/b/.ninja_log", "b/.ninja_log", "ninja-log"),
}
# The same each time here, others elsewhere.
ELSEWHERE = {
    "the order of a directory": "mkdir /o && cd /o && for i in 9 3 7 1 5 2; do echo >f$i; done; find /o >/x",
    "the number of cores": "nproc >/x",
}


def audit(project, *arguments, image=NAME, rc=0, **options):
    options = {"timeout": 200, **options}
    return project.varve("audit", image, "--progress", "plain", *arguments, rc=rc, **options)


def ran(result):
    return sorted(line.split()[2] for line in result.stderr.splitlines() if " run (" in line)


def differences(result):
    return [one for rebuild in result.json()["rebuilds"] for one in rebuild["differences"]]


def test_an_image_that_is_what_it_says(project):
    project.recipe([FINE, run("say", "echo ${word} >/said")], options={"word": {"default": "x"}})
    digest = project.build("--word", "y").digests[NAME]
    before = sorted(path.name for path in (project.varve.store / "blobs/sha256").iterdir())
    index = (project.varve.store / "index.json").read_bytes()
    result = audit(project)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["image", digest] and lines[1].split()[:3] == ["rebuild", "1", digest]
    assert lines[-1] == "equal" and ran(result) == ["main/fine", "main/say"]  # a fresh store: all steps ran
    assert sorted(path.name for path in (project.varve.store / "blobs/sha256").iterdir()) == before
    assert (project.varve.store / "index.json").read_bytes() == index
    assert list((project.varve.store / "tmp").iterdir()) == []


def test_twice_under_other_conditions(project):
    project.recipe([FINE, run("see", "umask >/umask; echo $TZ $LANG $LC_ALL $HOME >/env; id >/id; pwd >/pwd; chown 5:6 /pwd")])
    digest = project.build().digests[NAME]
    result = audit(project, "--twice", "--json").json()
    assert result["equal"] and result["firstStep"] is None and result["digest"] == digest
    assert [one["digest"] for one in result["rebuilds"]] == [digest, digest]
    told = " ".join(result["rebuilds"][1]["conditions"])
    for word in ("umask 0077", "TZ=Pacific/Kiritimati", "LC_ALL=tr_TR.UTF-8", "1 core", "user namespace", "another directory"):
        assert word in told


def test_steps_that_make_other_bytes(own_project):  # noqa: F811
    own_project.recipe([FINE, *(run(name, command) for name, (command, _, _) in BAD.items()), run("after", "echo x >/after")])
    own_project.build()
    result = audit(own_project, "--json", rc=5)
    first = f"main/{next(iter(BAD))}"
    assert result.json()["firstStep"] == first and not result.json()["equal"]
    found = differences(result)
    assert {one["step"] for one in found} == {f"main/{name}" for name in BAD}
    text = audit(own_project, rc=5).stdout
    assert text.endswith(f"differs, first in step {first}\n")
    for number, (name, (_, path, rule)) in enumerate(BAD.items(), 3):
        own = [one for one in found if one["step"] == f"main/{name}"]
        assert {one["path"] for one in own} == {path} and {one["class"] for one in own} <= {"content", "stamp"}
        assert rule is None or rule in {one.get("rule") for one in own}
        assert f"step main/{name}, layer {number}: {path}: content" in text
        assert all(one["cure"] in text for one in own if "cure" in one)
        assert rule is None or any("cure" in one for one in own)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_step_that_looks_at_its_surroundings(project_of, name):  # noqa: F811
    project = project_of("subuid")  # noqa: F811
    project.recipe([FINE, run("bad", ELSEWHERE[name])])
    project.build()
    result = audit(project, "--twice", "--json", rc=None).json()
    first, second = result["rebuilds"]
    if any(words.startswith(("1 core as before", "the same file system")) for words in second["conditions"]):
        pytest.skip("; ".join(second["conditions"]))
    assert first["digest"] == result["digest"] and first["differences"] == []
    assert not result["equal"] and {one["path"] for one in second["differences"]} == {"x"}
    assert result["firstStep"] == "main/bad"


def test_one_step_alone(own_project):  # noqa: F811
    own_project.recipe([FINE, run("bad", "sleep 1; date +%s >/x"), run("last", "echo last >/last")])
    own_project.build()
    fine = audit(own_project, "--step", "main/last")
    assert fine.stdout.endswith("equal\n") and ran(fine) == ["main/last"]
    bad = audit(own_project, "--step", "main/bad", "--json", rc=5)
    assert "main/fine" not in ran(bad) and {one["step"] for one in differences(bad)} == {"main/bad"}
    wrong = audit(own_project, "--step", "main/lst", rc=2)
    assert 'no step "main/lst"' in wrong.stderr


# --- where it takes the recipe from ----------------------------------------------------------------

def empty(project):
    return {"VARVE_STORE": project.varve.path("empty")}


def test_from_a_layout_on_another_machine(own_project):  # noqa: F811
    own_project.recipe([FINE, run("say", "echo ${word} >/said")], options={"word": {"default": "x"}})
    own_project.build("-o", "oci:out", "--attest", "--word", "hi")
    own_project.varve.path("r.yaml").unlink()
    shutil.rmtree(own_project.varve.path("root"))
    result = audit(own_project, image="oci:out", env=empty(own_project))
    assert result.stdout.endswith("equal\n")


def test_from_a_bundle(own_project):  # noqa: F811
    own_project.recipe([FINE])
    own_project.build("-o", "oci:out", "-o", "oci:attested", "--attest")
    own_project.varve("bundle", "create", "r.yaml", "-o", "oci-archive:b.tar")
    own_project.build("-o", "oci:plain")
    nothing = audit(own_project, image="oci:plain", env=empty(own_project), rc=None)
    assert nothing.rc != 0 and "nothing says how" in nothing.stderr and "--bundle FILE" in nothing.stderr
    for image in ("plain", "attested"):
        result = audit(own_project, "--bundle", "b.tar", image=f"oci:{image}", env=empty(own_project))
        assert result.stdout.endswith("equal\n"), result
    own_project.recipe([FINE, run("more", "echo more >/more")])
    own_project.varve("bundle", "create", "r.yaml", "-o", "oci-archive:c.tar")
    result = audit(own_project, "--bundle", "c.tar", image="oci:plain", env=empty(own_project), rc=5)
    assert "more" in result.stdout


def test_from_a_recipe_that_the_user_has(own_project):  # noqa: F811
    own_project.recipe([FINE, run("say", "echo ${word} >/said")], options={"word": {"default": "x"}})
    own_project.build("--word", "hi", "-o", "oci:plain")
    assert audit(own_project, "--recipe", "r.yaml").stdout.endswith("equal\n")  # its options are attested
    plain = audit(own_project, "--recipe", "r.yaml", "--set", "word=hi", image="oci:plain", env=empty(own_project))
    assert plain.stdout.endswith("equal\n")
    other = audit(own_project, "--recipe", "r.yaml", "--set", "word=ho", "--json", rc=5)
    assert {one["path"] for one in differences(other) if "path" in one} == {"said"}
    assert "not both" in audit(own_project, "--recipe", "r.yaml", "--bundle", "b.tar", rc=2).stderr


def test_artifacts_that_are_here_are_not_fetched(own_project, tmp_path, serve):  # noqa: F811
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/it").write_bytes(b"it\n")
    server = serve(tmp_path / "srv")
    own_project.recipe([copy("it", "it", "/it")], sources={"it": {"kind": "url", "href": f"{server.url}/it"}})
    own_project.build("-o", "oci:out", "--attest")
    far = audit(own_project, image="oci:out", env=empty(own_project))
    assert far.stdout.endswith("equal\n")  # fetched, by the digest of the lock
    server.close()
    assert audit(own_project, "--offline").stdout.endswith("equal\n")
    gone = audit(own_project, image="oci:out", env={"VARVE_STORE": own_project.varve.path("third")}, rc=None)
    assert gone.rc == 4 and "the rebuild failed" in gone.stderr


def test_a_failing_rebuild_says_so(own_project):  # noqa: F811
    own_project.varve.write("flag", "x")
    own_project.recipe([run("x", "test -s /run/secrets/flag && echo x >/x", secrets=["flag"])])
    own_project.build("--secret", "flag=flag")
    assert "flag" in audit(own_project, rc=2).stderr  # the secret must be given
    assert audit(own_project, "--secret", "flag=flag").stdout.endswith("equal\n")
    own_project.varve.write("flag", "")
    assert "the rebuild failed" in audit(own_project, "--secret", "flag=flag", rc=1).stderr


def test_the_date_of_the_environment_is_attested(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo $SOURCE_DATE_EPOCH >/x")])
    own_project.build(env={"SOURCE_DATE_EPOCH": "1000000000"})
    assert audit(own_project).stdout.endswith("equal\n")
    assert audit(own_project, env={"SOURCE_DATE_EPOCH": "1100000000"}).stdout.endswith("equal\n")


def test_compression_and_platform_are_attested(own_project):  # noqa: F811
    own_project.recipe([FINE])
    own_project.build("--compression", "gzip:6")
    assert audit(own_project).stdout.endswith("equal\n")


# --- recipes of strangers --------------------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).hexdigest()


def forge(project, recipe, members=()):
    """Attaches a statement to the image that names other files: what an image from a stranger may carry."""
    statement = provenance(project)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, value in [("r.yaml", tarfile.REGTYPE, json.dumps(recipe).encode()), *members]:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                archive.addfile(info)
    for one in statement["predicate"]["buildDefinition"]["resolvedDependencies"]:
        if one["annotations"]["kind"] == "inputs":
            one["digest"] = {"sha256": sha256(out.getvalue())}
    project.build("-o", "oci:forged")
    project.varve.write("forged.tar", out.getvalue())
    project.varve.write("forged.json", json.dumps(statement))
    project.varve("attach", "oci:forged", "forged.tar", "--type", INPUTS)
    project.varve("attach", "oci:forged", "forged.json", "--type", STATEMENT)
    return "oci:forged"


def document(*steps, **sources):
    return {"varve": 1, "name": "t", "sources": {"root": {"kind": "local", "path": "root"}, **sources},
            "stages": {"main": {"steps": [{"step": "root", "copy": "root", "to": "/"}, *steps]}},
            "images": {"main": {"stage": "main", "name": NAME}}}


@pytest.mark.parametrize("where", ["../../../../../../../../../../etc", "link"])
def test_files_of_this_machine_are_not_read(own_project, where):  # noqa: F811
    own_project.recipe([FINE])
    own_project.build()
    recipe = document(copy("etc", "etc", "/etc2"), etc={"kind": "local", "path": where})
    image = forge(own_project, recipe, [("link", tarfile.SYMTYPE, "/etc"), ("root/x", tarfile.REGTYPE, b"x")])
    result = audit(own_project, image=image, env=empty(own_project), rc=2)
    assert "of this machine: refused" in result.stderr and ran(result) == []


def test_a_step_with_network_is_not_run_unasked(own_project):  # noqa: F811
    own_project.recipe([run("net", "echo x >/x", network="host")])
    own_project.build("-o", "oci:out", "--attest")
    result = audit(own_project, image="oci:out", env=empty(own_project), rc=2)
    assert "--network" in result.stderr and ran(result) == []
    assert audit(own_project, "--network", image="oci:out", env=empty(own_project)).stdout.endswith("equal\n")
    assert audit(own_project, "--recipe", "r.yaml").stdout.endswith("equal\n")


MALFORMED = {
    "no predicate": lambda s: s.pop("predicate"),
    "another kind of build": lambda s: s["predicate"]["buildDefinition"].update(buildType="https://example.org/other"),
    "a path outside": lambda s: s["predicate"]["buildDefinition"]["externalParameters"]["recipe"].update(path="../r.yaml"),
    "options of another type": lambda s: s["predicate"]["buildDefinition"]["externalParameters"].update(options=["x"]),
    "two images": lambda s: s["predicate"]["buildDefinition"]["externalParameters"].update(images=["a", "b"]),
    "no dependencies": lambda s: s["predicate"]["buildDefinition"].pop("resolvedDependencies"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_statements_that_are_none(own_project, name):  # noqa: F811
    own_project.recipe([FINE])
    own_project.build("-o", "oci:plain")
    statement = provenance(own_project)
    MALFORMED[name](statement)
    own_project.varve.write("s.json", json.dumps(statement))
    own_project.varve("attach", "oci:plain", "s.json", "--type", STATEMENT)
    result = audit(own_project, image="oci:plain", env=empty(own_project), rc=None)
    assert result.rc in (1, 2) and "varve: " in result.stderr and result.stdout == ""
