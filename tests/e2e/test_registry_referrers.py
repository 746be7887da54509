# SPDX-License-Identifier: Apache-2.0
"""What refers to an image: listed, copied along, noted where the registry cannot do so itself."""
import json
import subprocess

import pytest
from oci_make import Layout, dump
from oci_schema import INDEX, MANIFEST
from processes import killed_at_exit
from registries import assert_clear, bed, program, real  # noqa: F401  fixture

SBOM, SIGNATURE = "application/spdx+json", "application/vnd.test.signature"
EMPTY = "application/vnd.oci.empty.v1+json"
PROFILES = ["strict", "docker28", "guarded"]  # the API; an index by tag; the same, with conditions


def tag_of(digest):
    return digest.replace(":", "-")


def descriptor(layout, digest):
    return {"mediaType": MANIFEST, "digest": digest, "size": layout.file(digest).stat().st_size}


def artifact(layout, subject, kind, content, **members):
    """The descriptor of an artifact that refers to the digest; as an entry of a list, it also says of which type."""
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": layout.blob(b"{}", EMPTY),
                "layers": [layout.blob(content, kind)], "subject": descriptor(layout, subject),
                "annotations": {"org.test.name": content.decode()}, **members}
    one = layout.blob(dump(document), MANIFEST)
    return {**one, "artifactType": kind, "annotations": document["annotations"]}


def enter(layout, subject, entries):
    """The list of a layout, as a registry without the API has it."""
    layout.tag(tag_of(subject), layout.index(entries))


@pytest.fixture
def dressed(bed):  # noqa: F811
    """An image with an SBOM, which is signed, and a signature: bed.entries."""
    bed.image([50000])
    sbom = artifact(bed.layout, bed.digest, SBOM, b"the parts")
    signature = artifact(bed.layout, bed.digest, SIGNATURE, b"signed")
    of_sbom = artifact(bed.layout, sbom["digest"], SIGNATURE, b"signed too")
    enter(bed.layout, bed.digest, [sbom, signature])
    enter(bed.layout, sbom["digest"], [of_sbom])
    bed.varve.account.own(bed.layout.path)
    bed.entries = [sbom, signature, of_sbom]
    return bed


def listed(bed, where, *options, **more):  # noqa: F811
    """Digests that refer to the image there."""
    result = bed.varve("inspect", "--referrers", "--json", where, *options, **more).json()
    return result["subject"]["digest"], [one["digest"] for one in result["referrers"]]


def assert_dressed(bed, where):  # noqa: F811
    sbom, signature, of_sbom = (one["digest"] for one in bed.entries)
    subject, found = listed(bed, where)
    assert subject == bed.digest and sorted(found) == sorted([sbom, signature])
    base = where.rsplit(":", 1)[0]
    assert listed(bed, f"{base}@{sbom}")[1] == [of_sbom] if where.startswith("docker:") else True


# --- along with the image ------------------------------------------------------------------------

@pytest.mark.parametrize("profile", PROFILES)
def test_they_come_along(dressed, profile):
    """Layout -> registry -> another registry -> layout; each one has them, and what refers to them."""
    one, other = dressed.open(profile), dressed.open("docker28" if profile == "strict" else "strict")
    result = dressed.push("--referrers")
    dressed.assert_pushed()
    assert "3 referrers" in result.stderr
    assert_dressed(dressed, dressed.target())
    dressed.varve("copy", "--referrers", dressed.target(), dressed.target(registry=other))
    assert_dressed(dressed, dressed.target(registry=other))
    dressed.varve("copy", "--referrers", dressed.target(registry=other), f"oci:{dressed.varve.path('back')}:t")
    assert_dressed(dressed, f"oci:{dressed.varve.path('back')}:t")
    # The list is no second image.
    dressed.varve("copy", f"oci:{dressed.varve.path('back')}", dressed.target(reference="2"))
    dressed.assert_pushed(tag="2")
    for entry in dressed.entries:
        assert (dressed.varve.path("back/blobs") / entry["digest"].replace(":", "/")).read_bytes() == \
            dressed.layout.file(entry["digest"]).read_bytes()


def test_without_the_option_they_stay(dressed):
    dressed.open()
    dressed.push()
    assert listed(dressed, dressed.target()) == (dressed.digest, [])


def test_a_second_time_nothing_is_added(dressed):
    registry = dressed.open("docker28")
    dressed.push("--referrers")
    before = registry.content.repository("app").tags.copy()
    registry.journal.clear()
    dressed.push("--referrers")
    assert registry.content.repository("app").tags == before and registry.journal.uploaded() == 0


def test_of_one_type(dressed):
    """Filtered by the registry or not."""
    registry = dressed.open()
    dressed.push("--referrers", "--artifact-type", SIGNATURE)
    assert listed(dressed, dressed.target())[1] == [dressed.entries[1]["digest"]]
    dressed.push("--referrers")
    for filters in (True, False):
        registry.referrers_filter = filters
        assert listed(dressed, dressed.target(), "--artifact-type", SBOM)[1] == [dressed.entries[0]["digest"]]
        assert listed(dressed, dressed.target(), "--artifact-type", "x/none")[1] == []
    asked = [entry.query for entry in registry.journal.entries if entry.operation == "referrers" and entry.query]
    assert {"artifactType": [SBOM]} in asked


def test_of_what_is_in_an_index(bed):  # noqa: F811
    """With all platforms, what refers to the images in it comes too."""
    bed.open("docker28")
    bed.layout = Layout(bed.varve.path("layout"))
    images = [bed.layout.image([bed.layout.layer(3000, n)], name) for n, name in enumerate(("amd64", "arm64"))]
    entries = [{**one, "platform": {"os": "linux", "architecture": name}} for one, name in zip(images, ("amd64", "arm64"), strict=True)]
    bed.digest = bed.layout.tag("t", bed.layout.index(entries))
    sbom = artifact(bed.layout, images[1]["digest"], SBOM, b"of arm64")
    enter(bed.layout, images[1]["digest"], [sbom])
    bed.varve.account.own(bed.layout.path)
    bed.push("--referrers", "--all")
    assert listed(bed, bed.target())[1] == []
    assert listed(bed, bed.target(), "--platform", "linux/arm64") == (images[1]["digest"], [sbom["digest"]])


def test_for_people(dressed):
    dressed.open()
    dressed.push("--referrers")
    lines = dressed.varve("inspect", "--referrers", dressed.target()).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if SBOM in line)
    assert lines[at].startswith(dressed.entries[0]["digest"]) and lines[at + 1] == "  org.test.name=the parts"


@pytest.mark.parametrize("source, target", [("oci:{layout}:t", "dir:{out}"), ("oci:{layout}:t", "oci-archive:{out}"),
                                            ("dir:{layout}", "docker://{host}/app:1")])
def test_where_there_is_no_room_for_them(dressed, source, target):
    registry = dressed.open()
    values = {"layout": dressed.layout.path, "out": dressed.varve.path("out"), "host": registry.host}
    result = dressed.varve("copy", "--referrers", source.format(**values), target.format(**values), rc=2)
    assert_clear(result, "only between docker://, oci: and store:", rc=2)


# --- an artifact by itself -----------------------------------------------------------------------

@pytest.mark.parametrize("profile", PROFILES)
def test_an_artifact_that_is_pushed_is_noted(dressed, profile):
    """By its digest or a tag; the subject need not be there."""
    dressed.open(profile)
    for number, entry in enumerate(dressed.entries[:2]):
        dressed.layout.tag(f"a{number}", entry)
    sbom, signature = (one["digest"] for one in dressed.entries[:2])
    dressed.varve("copy", f"oci:{dressed.layout.path}:a0", dressed.target(reference=sbom))
    dressed.varve("copy", f"oci:{dressed.layout.path}:a1", dressed.target(reference="tagged"))
    dressed.push()
    assert sorted(listed(dressed, dressed.target())[1]) == sorted([sbom, signature])


def test_one_that_was_put_but_not_noted(dressed):
    """As by a client that was killed in between: the next push notes it."""
    registry = dressed.open("docker28")
    dressed.layout.tag("a", dressed.entries[0])
    digest = dressed.entries[0]["digest"]
    dressed.varve("copy", f"oci:{dressed.layout.path}:a", dressed.target(reference=digest))
    del registry.content.repository("app").tags[tag_of(dressed.digest)]
    dressed.varve("copy", f"oci:{dressed.layout.path}:a", dressed.target(reference=digest))
    dressed.push()
    assert listed(dressed, dressed.target())[1] == [digest]


@pytest.mark.parametrize("profile", ["docker28", "guarded"])
def test_several_clients_at_once(bed, profile):  # noqa: F811
    """Each one's entry is in the list at the end, whoever wrote over whom."""
    registry = bed.open(profile)
    bed.image([1000])
    bed.push()
    entries = [artifact(bed.layout, bed.digest, SBOM, b"part %d" % n) for n in range(5)]
    for number, entry in enumerate(entries):
        bed.layout.tag(f"a{number}", entry)
    bed.varve.account.own(bed.layout.path)
    registry.fault("manifest-put", "delay", seconds=0.1, times=None, where=lambda entry: entry.reference.startswith("sha256-"))
    children = [bed.varve.start("copy", f"oci:{bed.layout.path}:a{n}", bed.target(reference=entry["digest"]))
                for n, entry in enumerate(entries)]
    for child in children:
        with killed_at_exit(child):
            _, errors = child.communicate(timeout=60)
            assert child.returncode == 0, errors
    assert sorted(listed(bed, bed.target())[1]) == sorted(one["digest"] for one in entries)
    if profile == "guarded":
        assert any(entry.status == 412 for entry in registry.journal.entries), registry.journal


# --- what a registry may say ---------------------------------------------------------------------

def test_page_by_page(bed):  # noqa: F811
    registry = bed.open()
    bed.image([1000])
    entries = [artifact(bed.layout, bed.digest, SBOM, b"part %d" % n) for n in range(5)]
    enter(bed.layout, bed.digest, entries)
    bed.varve.account.own(bed.layout.path)
    bed.push("--referrers")
    registry.referrers_page = 2
    assert sorted(listed(bed, bed.target())[1]) == sorted(one["digest"] for one in entries)


def test_pages_without_end(dressed):
    registry = dressed.open()
    dressed.push("--referrers")
    registry.fault("referrers", "headers", headers={"Link": f'</v2/app/referrers/{dressed.digest}>; rel="next"'}, times=None)
    assert_clear(dressed.varve("inspect", "--referrers", dressed.target(), rc=4), "more than 100 pages")


def test_a_page_elsewhere_is_not_asked_for(dressed):
    registry, other = dressed.open(), dressed.open()
    dressed.push("--referrers")
    registry.fault("referrers", "headers", headers={"Link": f'<{other.url}/v2/app/referrers/x>; rel="next"'}, times=None)
    listed(dressed, dressed.target())
    assert not other.journal.entries


@pytest.mark.parametrize("profile", ["strict", "docker28"])
def test_a_list_that_lies(dressed, profile):
    """What does not refer to the image is left out of a copy, and that is said."""
    registry, other = dressed.open(profile), dressed.open()
    dressed.push()
    stranger = dressed.entries[2]  # it refers to the SBOM
    document = dressed.layout.document(stranger["digest"])
    for blob in [document["config"], *document["layers"]]:
        registry.content.add_blob("app", dressed.layout.file(blob["digest"]).read_bytes())
    registry.content.put_manifest("app", stranger["digest"], MANIFEST, dressed.layout.file(stranger["digest"]).read_bytes())
    body = dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [stranger]})
    if profile == "strict":
        registry.fault("referrers", "status", code=200, headers={"Content-Type": INDEX}, body=body, times=None,
                       where=lambda entry: entry.reference == dressed.digest)
    else:
        registry.content.put_manifest("app", tag_of(dressed.digest), INDEX, body)
    result = dressed.varve("copy", "--referrers", dressed.target(), dressed.target(registry=other))
    assert f"{stranger['digest']} is listed as a referrer, but refers to something else" in result.stderr, result
    assert listed(dressed, dressed.target(registry=other))[1] == []


@pytest.mark.parametrize("operation", ["manifest-get", "blob-get"])
def test_one_with_other_bytes(dressed, operation):
    registry, other = dressed.open(), dressed.open()
    dressed.push("--referrers")
    digest = dressed.entries[1]["digest"]
    wrong = {digest, dressed.layout.document(digest)["layers"][0]["digest"]}
    registry.fault(operation, "wrong", at=3, times=None, where=lambda entry: entry.reference in wrong)
    result = dressed.varve("copy", "--referrers", dressed.target(), dressed.target(registry=other), rc=4)
    assert_clear(result, "sha256:.* but|bytes are")
    assert digest not in other.content.repository("app").manifests


@pytest.mark.parametrize("kind, body", [(MANIFEST, None), (INDEX, b'{"schemaVersion":2,"manifests":1}'), (INDEX, b"no JSON")])
def test_a_tag_that_is_no_list(dressed, kind, body):
    """It is not written over."""
    registry = dressed.open("docker28")
    dressed.push()
    data = dressed.layout.file(dressed.digest).read_bytes() if body is None else body
    registry.content.put_manifest("app", tag_of(dressed.digest), kind, data)
    assert_clear(dressed.push("--referrers", rc=4), "no index|manifest|JSON|manifests")
    assert registry.content.manifest("app", tag_of(dressed.digest))[2] == data


@pytest.mark.parametrize("subject", [17, {}, {"digest": "sha256:1", "size": 1, "mediaType": "x/y"}])
def test_a_subject_that_is_none(bed, subject):  # noqa: F811
    bed.open("docker28")
    bed.image([1000])
    layers = bed.layout.document(bed.digest)["layers"]
    config = bed.layout.document(bed.digest)["config"]
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, "subject": subject}
    bed.layout.tag("bad", bed.layout.blob(dump(document), MANIFEST))
    result = bed.varve("copy", f"oci:{bed.layout.path}:bad", bed.target(), rc=None)
    assert result.rc in (1, 4) and "subject" in result.stderr, result


# --- real registries, other clients --------------------------------------------------------------

def registries_of(bed, kind):  # noqa: F811
    return bed.start(real.Crane) if kind == "crane" else bed.start(real.Distribution, kind)


@pytest.mark.parametrize("kind", ["docker-registry", "distribution", "crane"])
def test_real_registries(dressed, kind):
    """And what oras and regctl find there."""
    server = registries_of(dressed, kind)
    target = f"docker://{server.name('app', '1')}"
    dressed.varve("copy", "--referrers", dressed.source, target)
    assert_dressed(dressed, target)
    wanted = sorted(one["digest"] for one in dressed.entries[:2])
    done = subprocess.run([program("oras"), "discover", "--plain-http", "--format", "json", "--depth", "1", server.name("app", "1")],
                          capture_output=True, text=True, check=True, timeout=60)
    assert sorted(one["digest"] for one in json.loads(done.stdout)["referrers"]) == wanted, done.stdout
    dressed.varve("copy", "--referrers", target, f"oci:{dressed.varve.path('back')}:t")
    assert_dressed(dressed, f"oci:{dressed.varve.path('back')}:t")


def test_what_oras_attaches(dressed, tmp_path):
    """Its list of referrers is read, and added to."""
    oras = program("oras")
    server = dressed.start(real.Distribution, "docker-registry")
    dressed.varve("copy", dressed.source, f"docker://{server.name('app', '1')}")
    (tmp_path / "note.txt").write_text("hello")
    subprocess.run([oras, "attach", "--plain-http", "--artifact-type", "text/note", server.name("app", "1"), "note.txt"],
                   check=True, capture_output=True, cwd=tmp_path, timeout=60)
    dressed.varve("copy", "--referrers", dressed.source, f"docker://{server.name('app', '1')}")
    found = dressed.varve("inspect", "--referrers", "--json", f"docker://{server.name('app', '1')}").json()["referrers"]
    assert len(found) == 3 and "text/note" in {one["artifactType"] for one in found}


def test_what_oras_copies_to_a_layout(dressed):
    oras = program("oras")
    server = dressed.start(real.Distribution, "docker-registry")
    dressed.varve("copy", "--referrers", dressed.source, f"docker://{server.name('app', '1')}")
    where = dressed.varve.path("by-varve")
    dressed.varve("copy", "--referrers", f"docker://{server.name('app', '1')}", f"oci:{where}:t")
    done = subprocess.run([oras, "discover", "--oci-layout", "--format", "json", "--depth", "1", f"{where}:t"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["referrers"]) == 2
